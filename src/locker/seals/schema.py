from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from locker.vault import Stored

Level = Literal["B-B", "B-T", "B-LT", "B-LTA"]
"""PAdES baseline levels (ETSI EN 319 142-1 §6)."""
LEVELS: tuple[Level, ...] = ("B-B", "B-T", "B-LT", "B-LTA")
Words = Annotated[str, Meta(min_length=1, max_length=120)]
Edge = Annotated[int, Meta(ge=-14_400, le=14_400)]


class VisibleStamp(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who sealed and when, in Arabic and French, as the administration is registered; and a QR code."""

    box: tuple[Edge, Edge, Edge, Edge]
    """Left, bottom, right, top in points from the page's lower left corner."""
    page: Annotated[int, Meta(ge=1, le=9_999)] = 1
    qr: Annotated[str, Meta(min_length=1, max_length=600)] | UnsetType = UNSET
    """What the code says; without it, the address at which the seal's file can be verified."""


class SealRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The JSON part."""

    level: Level = "B-T"
    fall_back: bool = True
    """While no time-stamp authority answers: B-B now and the rest later. False: 503 then."""
    co_signature: bool = False
    """Others will sign after this seal; without it, nothing may change after it (DocMDP P=1)."""
    reason: Words | UnsetType = UNSET
    location: Words | UnsetType = UNSET
    stamp: VisibleStamp | UnsetType = UNSET


class Sealed(msgspec.Struct, frozen=True, kw_only=True):
    seal_id: str
    level: Level
    """What the file of this version has, by our own judge."""
    pending: Level | None
    """What was asked for and is still to come, when the time-stamp authority is back; then as a new version."""
    version: int
    indication: str
    """Of our own judge when it was made (ETSI EN 319 102-1 §5.1.3)."""
    sub_indication: str | None
    sha256: str
    length: int
    sealed_at: datetime
    expires_at: datetime
    """Until then the file can be fetched here."""
    document: str
    """Its address."""


class SealingRow(msgspec.Struct, frozen=True, kw_only=True):
    """An administration for which the locker seals. ``registered``: its certificate is one that it may seal with."""

    administration: str
    certificate: bytes
    chain: tuple[bytes, ...]
    registered: bool


class SealRow(msgspec.Struct, frozen=True, kw_only=True):
    """``level`` is None while an attempt is in flight."""

    administration: str
    seal_id: str
    request_sha256: bytes
    attempt: UUID
    wanted: Level
    level: Level | None
    pending: Level | None
    version: int
    sealed_at: datetime | None
    expires_at: datetime


class VersionRow(msgspec.Struct, frozen=True, kw_only=True):
    version: int
    level: Level
    indication: str
    sub_indication: str | None
    stored: Stored


class SealingEnabled(msgspec.Struct, frozen=True, kw_only=True):
    administration: str
    certificate_sha256: str
    subject: str
    not_after: datetime
    enabled: bool
