import datetime as dt
from typing import Annotated

import msgspec
from msgspec import Meta

from locker.documents.schema import Standing
from locker.shares.caveats import Caveat
from locker.verification.schema import Answer

LIFETIME_MAX_S = 30 * 86_400
LIFETIME_S = 7 * 86_400
OPENINGS = 5
OPENINGS_MAX = 50
DOCUMENTS_MAX = 20
TEXT_MAX = 200

DocumentId = Annotated[str, Meta(pattern=r"^[0-9A-HJKMNP-TV-Z]{25}$")]
OpeningsCount = Annotated[int, Meta(ge=1, le=OPENINGS_MAX)]
PinDigits = Annotated[str, Meta(pattern=r"^[0-9]{4,12}$")]
Text = Annotated[str, Meta(min_length=1, max_length=TEXT_MAX)]
Moment = Annotated[dt.datetime, Meta(tz=True)]


class NewShare(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a citizen wants to share, and how narrowly."""

    documents: Annotated[list[DocumentId], Meta(min_length=1, max_length=DOCUMENTS_MAX)]
    recipient: Text
    purpose: Text
    until: Moment | None = None
    """At most 30 days from now; in 7 days if it is not said."""
    openings: OpeningsCount = OPENINGS
    pin: PinDigits | None = None
    view_only: bool = True
    """Watermarked pictures, no original."""
    client_id: Annotated[str, Meta(min_length=1, max_length=255)] | None = None
    """Only this relying party opens it, with an access token of its own."""


class Narrowing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A living share can become narrower, never wider."""

    until: Moment | None = None
    openings: OpeningsCount | None = None


class ShareDraft(msgspec.Struct, frozen=True, kw_only=True):
    """Answers of the four steps so far."""

    documents: list[str]
    recipient: str = ""
    purpose: str = ""
    days: int = 7
    openings: int = OPENINGS
    view_only: bool = True
    client_id: str | None = None
    has_pin: bool = False


class SharedDocument(msgspec.Struct, frozen=True, kw_only=True):
    document_id: str
    type: str
    type_names: dict[str, str]
    standing: Standing


class Share(msgspec.Struct, frozen=True, kw_only=True):
    share_id: str
    recipient: str
    purpose: str
    until: dt.datetime
    openings_max: int
    openings_used: int
    has_pin: bool
    client_id: str | None
    view_only: bool
    created_at: dt.datetime
    last_opened_at: dt.datetime | None
    revoked_at: dt.datetime | None
    live: bool
    """By the database's clock, when it was read."""
    documents: list[SharedDocument]
    caveats: list[Caveat]


class Created(msgspec.Struct, frozen=True, kw_only=True):
    share_id: str
    token: str
    until: dt.datetime


class CreatedMessage(msgspec.Struct, frozen=True, kw_only=True):
    share_id: str
    url: str
    """Said once: only its digest is kept."""
    until: dt.datetime


class SharePage(msgspec.Struct, frozen=True, kw_only=True):
    shares: list[Share]
    next: str | None


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """What a token leads to, before it is opened."""

    owner: str
    share_id: str
    live: bool
    pin_mac: bytes | None
    client_id: str | None


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


class OpenedDocument(msgspec.Struct, frozen=True, kw_only=True):
    answer: Answer
    pages: int
    pictures: list[str]
    """Addresses of the page pictures; none where the issuer does not stand by the document any more."""
    original: str | None
    signed_answer: str
    """Address of the answer as a JWS."""


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
