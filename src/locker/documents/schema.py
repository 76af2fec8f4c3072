"""What a citizen holds, as rows and as messages."""

import datetime as dt
from typing import Any, Literal

import msgspec

from kit.i18n import Locale
from locker.references.message import ReferenceMessage
from locker.signed_data.schema import SignedDataMessage
from locker.vault import Stored

Standing = Literal["valid", "suspended", "revoked", "superseded", "expired"]
"""Whether the issuer stands by the document today. ``expired`` is a valid one after its last day."""


class ListedDocument(msgspec.Struct, frozen=True, kw_only=True):
    document_id: str
    uri: str
    type: str
    type_names: dict[str, str]
    administration: str
    administration_names: dict[str, str]
    standing: Standing
    state_reason: str | None
    state_changed_at: dt.datetime
    valid_from: dt.date | None
    valid_until: dt.date | None
    deposited_at: dt.datetime
    pages: int
    length: int


class HeldDocument(ListedDocument, frozen=True, kw_only=True):
    """Everything about one document but its bytes."""

    owner: str
    version: int
    replaces: str | None
    replaced_by: str | None
    today: dt.date
    """By the database's clock."""
    fields_schema: dict[str, Any]
    fields_sealed: bytes
    stored: Stored
    sha256: bytes
    media_type: str
    by_reference: bool
    """Its issuer keeps the bytes: what is here is confirmed there before it is shown."""
    indication: str
    level: str
    signer: str
    signed_at: dt.datetime | None

    @property
    def in_dates(self) -> bool:
        return (self.valid_from is None or self.valid_from <= self.today) and self.standing != "expired"

    @property
    def etag(self) -> str:
        """Strong (RFC 9110 §8.8.1): the bytes' own digest."""
        return f'"{self.sha256.hex()}"'


class FieldRow(msgspec.Struct, frozen=True):
    """One field of a document as a person reads it."""

    labels: dict[str, str]
    value: str


class DocumentMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A document as the API says it."""

    document_id: str
    uri: str
    type: str
    type_names: dict[str, str]
    administration: str
    administration_names: dict[str, str]
    standing: Standing
    state_reason: str | None
    valid_from: dt.date | None
    valid_until: dt.date | None
    deposited_at: dt.datetime
    pages: int
    length: int


class DocumentDetail(DocumentMessage, frozen=True, kw_only=True):
    sha256: str
    """Hexadecimal, of the original."""
    signed_by: str
    signed_at: dt.datetime | None
    indication: str
    """At deposit (ETSI EN 319 102-1)."""
    level: str
    replaces: str | None
    replaced_by: str | None
    fields: dict[str, Any]
    signed_data: SignedDataMessage | None
    """What was deposited with it for programs, under the same seal."""
    reference: ReferenceMessage | None
    """Of a document that its issuer keeps: how old is what is known of it."""


class DocumentPage(msgspec.Struct, frozen=True, kw_only=True):
    documents: list[DocumentMessage]
    next: str | None
    """Cursor of the following page."""


def name_in(names: dict[str, str], locale: Locale) -> str:
    """The name in the reader's language, else in one that most can read."""
    return next((names[tag] for tag in (locale.value, "fr", "ar", "en") if names.get(tag)), "")
