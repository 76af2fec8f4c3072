from datetime import date, datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from locker.documents.schema import HeldDocument, Standing

PrintedText = Annotated[str, Meta(min_length=1, max_length=4_000)]


class PrintRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    fields: Annotated[list[Annotated[str, Meta(max_length=100)]], Meta(max_length=50)] | UnsetType = UNSET
    """Which of the document's fields the code says; all of them by default."""


class Printed(msgspec.Struct, frozen=True, kw_only=True):
    """What goes on the paper."""

    printed_id: str
    address: str
    """What the code says: our address, and the signed claims in its fragment, which no server is sent."""
    status_address: str
    """Short, to type by hand: how it is today."""
    claims_bytes: int
    qr_version: int
    qr_modules: int
    """Of one side, without the quiet zone; at half a millimetre each, that is half as many millimetres."""
    qr_svg: str


class Claims(msgspec.Struct, frozen=True, kw_only=True):
    """What the locker signed when it was printed."""

    issuer: str
    printed_id: str
    printed_at: datetime
    administration: str
    type: str
    valid_until: date | None
    sha256: str
    """Hexadecimal, of the document's original bytes."""
    fields: dict[str, Any]


class PrintedCopy(msgspec.Struct, frozen=True, kw_only=True):
    """All that a sheet needs."""

    printed: Printed
    claims: Claims
    document: HeldDocument


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """How a printed document is now. Nothing of its contents or its holder."""

    printed_id: str
    standing: Standing
    entitled: bool
    """May the administration issue this type today?"""
    type: str
    type_names: dict[str, str]
    administration: str
    administration_names: dict[str, str]
    printed_at: datetime
    checked_at: datetime


class PrintedCheck(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    text: PrintedText
    """The code's address, or its fragment alone."""


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    authentic: bool
    reason: Literal["encoding", "key", "distrusted", "signature", "claims"] | None
    """``distrusted``: its key was stolen, so anybody may have made it; the short address still says its state."""
    claims: Claims | None
    status: Status | None


class TrustedKeys(msgspec.Struct, frozen=True, kw_only=True):
    """What an air-gapped verifier keeps: with it, a copy is authentic or not, and its status unknown since then."""

    issuer: str
    updated_at: datetime
    keys: list[dict[str, Any]]
    """JWK (RFC 7517), ES256; a code names the first eight bytes of a key's thumbprint."""


class PrintedRow(msgspec.Struct, frozen=True, kw_only=True):
    owner: str
    document_id: str
    status: Status
