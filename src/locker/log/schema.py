from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec


class AuditRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row of ``locker.audit``, whole."""

    audit_id: UUID
    at: datetime
    action: str
    actor_kind: str
    actor: str
    owner: str | None
    object_id: str | None
    purpose: str | None
    result: str
    detail: dict[str, Any]


class Head(msgspec.Struct, frozen=True, kw_only=True):
    size: int
    published: int
    checkpoint: str | None
    verifier_key: str | None
    backfill_at: datetime
    backfill_id: UUID
    backfill_until: datetime | None


class NewLeaf(msgspec.Struct, frozen=True, kw_only=True):
    leaf_index: int
    at: datetime
    audit_id: UUID
    commitment: bytes
    owner: str
    number: int
    nonce: bytes


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A row with its place in the log and what opens its leaf."""

    row: AuditRow
    number: int
    leaf_index: int
    nonce: bytes


class Consistency(msgspec.Struct, frozen=True, kw_only=True):
    """RFC 6962 §2.1.2: that the log of ``old`` leaves is the beginning of the one of ``new``."""

    old: int
    new: int
    hashes: list[str]
    """Standard base64."""


class Sequenced(msgspec.Struct, frozen=True, kw_only=True):
    """What a round did."""

    leads: bool
    leaves: int = 0
    size: int = 0
    published: int = 0
