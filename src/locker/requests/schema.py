import datetime as dt
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from locker.administrations.schema import Names, TypeCode

LIFETIME_S = 600
LIFETIME_MAX_S = 86_400
DOCUMENTS_MAX = 20
FIELDS_MAX = 100

PurposeId = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9-]{0,63}$")]
FieldName = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
State = Literal["waiting", "given", "declined", "expired"]


class Asked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A document of one type, or only some fields of it."""

    type: TypeCode
    fields: Annotated[list[FieldName], Meta(min_length=1, max_length=FIELDS_MAX)] | None = None
    """None: the whole document."""

    @property
    def parts(self) -> frozenset[tuple[str, str | None]]:
        return frozenset((self.type, name) for name in self.fields or (None,))


AskedDocuments = Annotated[list[Asked], Meta(min_length=1, max_length=DOCUMENTS_MAX)]


class PurposeRegistration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    client_id: Annotated[str, Meta(min_length=1, max_length=255)]
    purpose_id: PurposeId
    names: Names
    """Of who asks, as citizens know them."""
    purpose: Names
    documents: AskedDocuments
    """The most that a request of this purpose may ask for."""


class Purpose(msgspec.Struct, frozen=True, kw_only=True):
    client_id: str
    purpose_id: str
    version: int
    names: dict[str, str]
    purpose: dict[str, str]
    documents: list[Asked]


class NewRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    purpose: PurposeId
    documents: AskedDocuments | None = None
    """Less than what is registered; without it all of that."""
    lifetime_s: Annotated[int, Meta(ge=30, le=LIFETIME_MAX_S)] = LIFETIME_S


class DocumentRequest(msgspec.Struct, frozen=True, kw_only=True):
    request_id: str
    client_id: str
    purpose_id: str
    documents: list[Asked]
    state: State
    link_sealed: bytes | None
    expires_at: dt.datetime
    names: dict[str, str]
    purpose: dict[str, str]
    purpose_version: int
    registered: list[Asked]
    """What its purpose allows today."""


class RequestMessage(msgspec.Struct, frozen=True, kw_only=True):
    """For the relying party that asked."""

    request_id: str
    state: State
    expires_at: dt.datetime
    url: str | None = None
    """What the citizen opens, as a link or a QR code; said once, when the request is made."""
    share: str | None = None
    """Once it was given: the address to open with your own access token."""


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    document_id: str
    issuer_names: dict[str, str]
    valid_until: dt.date | None


class AskedOf(msgspec.Struct, frozen=True, kw_only=True):
    """One of the documents asked for, as it stands with this citizen."""

    asked: Asked
    type_names: dict[str, str]
    field_names: dict[str, dict[str, str]]
    new: list[str]
    """Fields that were not asked for the last time; with ``""`` the document as a whole."""
    candidates: list[Candidate]
    """Current documents of that type, newest first."""


class RequestForCitizen(msgspec.Struct, frozen=True, kw_only=True):
    request_id: str
    client_id: str
    names: dict[str, str]
    purpose: dict[str, str]
    purpose_version: int
    """Of these words: whoever answers says to which the citizen said yes."""
    expires_at: dt.datetime
    asked_before: bool
    """This citizen answered a request of this purpose before, so that ``new`` means something."""
    documents: list[AskedOf]


class RequestAnswer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is given: for a type that was asked for, one of its candidates. None at all: declined."""

    documents: Annotated[
        dict[TypeCode, Annotated[str, Meta(pattern=r"^[0-9A-HJKMNP-TV-Z]{25}$")]], Meta(max_length=DOCUMENTS_MAX)
    ]
    purpose_version: int | UnsetType = UNSET
    """What the citizen read. Where it is another one by now, nothing is given (409 ``request-changed``)."""


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    share_id: str | None


class LockerDocument(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An authorization detail (RFC 9396) as the token response has it: what the citizen allowed at sign-in."""

    type: Literal["locker_document"]
    document_types: Annotated[list[TypeCode], Meta(min_length=1, max_length=DOCUMENTS_MAX)]
    fields: Annotated[list[FieldName], Meta(max_length=FIELDS_MAX)] = []
    """Without any, the whole documents."""
    purpose: PurposeId
    once: bool = False
    until: dt.date | None = None

    @property
    def canonical(self) -> bytes:
        """The same for details that mean the same."""
        types, fields = sorted(set(self.document_types)), sorted(set(self.fields))
        return msgspec.json.encode([types, fields, self.purpose, self.once, self.until])


class KeptAuthorization(msgspec.Struct, frozen=True, kw_only=True):
    share_id: str
    link_sealed: bytes


class Authorized(msgspec.Struct, frozen=True, kw_only=True):
    """The share that was made of what the citizen allowed."""

    share_id: str
    token: str
    until: dt.datetime
    missing: list[str]
    is_new: bool


class AuthorizedMessage(msgspec.Struct, frozen=True, kw_only=True):
    share: str
    """The address to open with an access token of your own."""
    until: dt.datetime
    missing: list[str]
    """Types of which this citizen held no valid document when it was made."""


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    client_id: str
    month: dt.date
    asked: int
    refused: int
    """Wider than what is registered."""
    given: int
    """This and ``declined`` are what citizens did, so they are rounded down to tens: nobody reads one of them."""
    declined: int


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    figures: list[Figure]
