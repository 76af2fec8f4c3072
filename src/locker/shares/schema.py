import datetime as dt
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from locker.documents.schema import HeldDocument, Standing
from locker.shares.caveats import Caveat
from locker.uploads.schema import GivenUpload, SharedUpload
from locker.verification.schema import Answer

LIFETIME_S = 7 * 86_400
FACE_TO_FACE_S = 180
"""To open, once; what was opened may be looked at as long as any other opening."""
OPENINGS = 5
OPENINGS_MAX = 50
DOCUMENTS_MAX = 20
FIELDS_MAX = 100
TEXT_MAX = 200

DocumentId = Annotated[str, Meta(pattern=r"^[0-9A-HJKMNP-TV-Z]{25}$")]
OpeningsCount = Annotated[int, Meta(ge=1, le=OPENINGS_MAX)]
PinDigits = Annotated[str, Meta(pattern=r"^[0-9]{6,12}$")]
Text = Annotated[str, Meta(min_length=1, max_length=TEXT_MAX)]
Moment = Annotated[dt.datetime, Meta(tz=True)]
FieldNames = Annotated[list[Annotated[str, Meta(max_length=200)]], Meta(min_length=1, max_length=FIELDS_MAX)]


class NewShare(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a citizen wants to share, and how narrowly."""

    documents: Annotated[list[DocumentId], Meta(max_length=DOCUMENTS_MAX)] = []
    uploads: Annotated[list[DocumentId], Meta(max_length=DOCUMENTS_MAX)] = []
    """Files of the citizen's own: copies without metadata leave, and are called self-declared. One of either at least.
    """
    fields: Annotated[dict[DocumentId, FieldNames], Meta(max_length=DOCUMENTS_MAX)] = {}
    """Of these documents only these fields, as a selectively disclosed credential; no picture, no original."""
    recipient: Text
    purpose: Text
    until: Moment | None = None
    """At most the locker's maximum from now, 30 days unless it is set otherwise; in 7 days if it is not said."""
    openings: OpeningsCount = OPENINGS
    pin: PinDigits | None = None
    view_only: bool = True
    """Watermarked pictures, no original."""
    client_id: Annotated[str, Meta(pattern=r"^[\x20-\x7E]{1,255}$")] | None = None
    """Only this relying party opens it, with an access token of its own."""
    face_to_face: bool = False
    """For somebody who stands there: 3 minutes, one opening, also by a code of 12 digits. Without ``until``,
    ``openings``, ``pin`` and ``client_id``."""


class Narrowing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A living share can become narrower, never wider."""

    until: Moment | None = None
    openings: OpeningsCount | None = None


class ShareDraft(msgspec.Struct, frozen=True, kw_only=True):
    """Answers of the four steps so far."""

    documents: list[str]
    uploads: list[str] = []
    fields: dict[str, list[str]] = {}
    recipient: str = ""
    purpose: str = ""
    days: int = 7
    openings: int = OPENINGS
    view_only: bool = True
    client_id: str | None = None
    has_pin: bool = False
    face_to_face: bool = False


class SharedDocument(msgspec.Struct, frozen=True, kw_only=True):
    document_id: str
    type: str
    type_names: dict[str, str]
    standing: Standing
    fields: list[str] | None
    """None: the whole document."""


class Share(msgspec.Struct, frozen=True, kw_only=True):
    share_id: str
    recipient: str
    purpose: str
    until: dt.datetime
    """When all is over; a share face to face opens until ``open_until`` only."""
    open_until: dt.datetime
    face_to_face: bool
    openings_max: int
    openings_used: int
    has_pin: bool
    client_id: str | None
    while_connected: bool
    """It opens only while the citizen's connection with that service stands at the provider."""
    view_only: bool
    created_at: dt.datetime
    last_opened_at: dt.datetime | None
    revoked_at: dt.datetime | None
    live: bool
    """By the database's clock, when it was read."""
    documents: list[SharedDocument]
    uploads: list[str]
    """Identifiers."""
    caveats: list[Caveat]


class Created(msgspec.Struct, frozen=True, kw_only=True):
    share_id: str
    token: str
    code: str | None
    until: dt.datetime
    """Of the opening."""


class CreatedMessage(msgspec.Struct, frozen=True, kw_only=True):
    share_id: str
    url: str
    """Said once: only its digest is kept."""
    code: str | None
    """12 digits, of a share face to face; said once."""
    until: dt.datetime


class SharePage(msgspec.Struct, frozen=True, kw_only=True):
    shares: list[Share]
    next: str | None


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """What a token leads to, before it is opened."""

    owner: str
    share_id: str
    live: bool
    purpose: str
    pin_mac: bytes | None
    client_id: str | None
    grant_id: str | None
    """The connection that must stand."""
    key_wrapped: bytes | None
    code_wrapped: bytes | None


class CredentialRow(msgspec.Struct, frozen=True, kw_only=True):
    owner: str
    share_id: str
    grant_id: str | None
    shared: bool
    """By the share's own row; not, whether its connection stands."""
    standing: Standing


class OpeningLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line of what became of a link, for the citizen who made it."""

    opening_id: str
    opened_at: dt.datetime
    client_id: str | None
    audit_id: str | None


class Twin(msgspec.Struct, frozen=True, kw_only=True):
    """What the citizen keeps of one opening."""

    share_id: str
    opening_id: str
    receipt: str
    """JWS, ``typ`` khizana-access-receipt+jwt."""


class GivenDocument(msgspec.Struct, frozen=True, kw_only=True):
    """As the receipts name it: the whole by its digest, or the fields alone."""

    uri: str
    type: str
    administration: str
    sha256: str | UnsetType = UNSET
    """Hexadecimal."""
    fields: list[str] | UnsetType = UNSET


class Opening(msgspec.Struct, frozen=True, kw_only=True):
    """An opening that may still be looked at."""

    owner: str
    share_id: str
    opening_id: str
    opened_at: dt.datetime
    client_id: str | None
    recipient: str
    purpose: str
    until: dt.datetime
    view_until: dt.datetime
    view_only: bool
    grant_id: str | None
    key_wrapped: bytes | None
    audit_id: str | None
    documents: list[GivenDocument]
    uploads: list[str] = []
    """The citizen's own files that it gave, as its line of the log names them."""


class SharedItem(msgspec.Struct, frozen=True, kw_only=True):
    """A document as a link reaches it."""

    document: HeldDocument
    entitled: bool
    """May its issuer issue that type today?"""
    fields: list[str] | None
    """None: the whole document."""
    credential_sealed: bytes | None


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """What an opening gave."""

    opening: Opening
    items: list[SharedItem]
    uploads: list[GivenUpload]
    age_s: float
    """Between the moment of which ``items`` and ``uploads`` speak and the end of the statement that read them."""


class OpenedDocument(msgspec.Struct, frozen=True, kw_only=True):
    answer: Answer
    pages: int
    pictures: list[str]
    """Addresses of the page pictures; none where the issuer does not stand by the document any more."""
    original: str | None
    signed_answer: str
    """Address of the answer as a JWS."""
    credential: str | None
    """SD-JWT VC of the fields that were shared, where it was not the whole document."""


class OpenedMessage(msgspec.Struct, frozen=True, kw_only=True):
    """For programs: what a share link gave."""

    opening_id: str
    viewing_token: str
    """Bearer token for the addresses below, until ``view_until``."""
    view_until: dt.datetime
    until: dt.datetime
    recipient: str
    purpose: str
    view_only: bool
    documents: list[OpenedDocument]
    uploads: list[SharedUpload]
    """The citizen's own files: self-declared, whatever they say."""
    receipt: str
    """JWS, ``typ`` khizana-access-receipt+jwt: that you opened it; the citizen has its twin."""
