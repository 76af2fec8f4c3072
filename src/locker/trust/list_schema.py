from datetime import datetime
from typing import Literal

import msgspec

from locker.signatures.schema import ServicePeriod
from locker.signatures.trust_list_schema import TrustList

ListState = Literal["in-force", "expired", "closed", "never-read"]
"""``expired``: still used, and to be looked after. ``closed``: its operator says that no other edition will follow."""


class DueList(msgspec.Struct, frozen=True, kw_only=True):
    """A followed list that is to be read again."""

    source: str
    pointed_by: str | None
    signers: tuple[bytes, ...]
    announced: tuple[bytes, ...]
    territories: frozenset[str]
    sequence: int | None
    sha256: bytes | None
    read_at: datetime | None
    """None also after an officer followed it anew: then it is read again, though it may be the same."""
    signed_by: bytes | None
    failure: str | None


class Edition(msgspec.Struct, frozen=True, kw_only=True):
    """A verified list and the bytes that it came as."""

    found: TrustList
    xml: bytes
    sha256: bytes


class Synced(msgspec.Struct, frozen=True, kw_only=True):
    """``failure`` is a stable code; the edition that was in force before it is still."""

    source: str
    outcome: Literal["new", "unchanged", "failed"]
    sequence: int | None = None
    failure: str | None = None


class ListShown(msgspec.Struct, frozen=True, kw_only=True):
    source: str
    state: ListState
    territory: str | None
    operator: str | None
    sequence: int | None
    issued_at: datetime | None
    next_update: datetime | None
    services: int
    other_services: int
    pointed_by: str | None
    read_at: datetime | None
    tried_at: datetime | None
    failure: str | None


class ServiceShown(msgspec.Struct, frozen=True, kw_only=True):
    source: str
    territory: str
    provider: str
    name: str
    type: str
    certificates: list[str]
    """SHA-256 of their DER form, hexadecimal."""
    periods: list[ServicePeriod]
