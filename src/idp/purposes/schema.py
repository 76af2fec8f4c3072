import datetime as dt
from typing import Annotated

import msgspec
from msgspec import Meta

DOCUMENTS_MAX = 20
FIELDS_MAX = 100


class Texts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """By language."""

    ar: Annotated[str, Meta(min_length=1, max_length=300)]
    fr: Annotated[str, Meta(min_length=1, max_length=300)]
    zgh: Annotated[str, Meta(min_length=1, max_length=300)]
    en: Annotated[str, Meta(min_length=1, max_length=300)]


class Allowed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Documents of one type, or only some fields of them."""

    type: Annotated[str, Meta(pattern=r"^[A-Z0-9]{2,16}$")]
    fields: Annotated[list[str], Meta(min_length=1, max_length=FIELDS_MAX)] | None = None
    """None: the whole document."""


class DocumentPurpose(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    client_id: Annotated[str, Meta(min_length=1, max_length=255)]
    purpose_id: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9-]{0,63}$")]
    purpose: Texts
    documents: Annotated[list[Allowed], Meta(min_length=1, max_length=DOCUMENTS_MAX)]
    """The most that a detail of this purpose may ask for."""


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    client_id: str
    month: dt.date
    refused: int
    """Requests wider than what is registered, by who proved to be this client."""


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    figures: list[Figure]
