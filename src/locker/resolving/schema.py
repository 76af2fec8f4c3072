import msgspec


class PublicDocument(msgspec.Struct, frozen=True, kw_only=True):
    """What anybody may know of a document by its address: that it exists and who issued it."""

    uri: str
    type: str
    type_names: dict[str, str]
    administration: str
    administration_names: dict[str, str]
