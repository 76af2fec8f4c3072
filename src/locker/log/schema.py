from datetime import datetime
from typing import Any, Literal
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


class ProvenLeaf(msgspec.Struct, frozen=True, kw_only=True):
    leaf_index: int
    commitment: str
    """32 bytes in base64; the leaf is SHA-256(0x00 || commitment)."""
    proof: str
    """C2SP tlog-proof, its extra data the commitment."""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A row with its place in the log and what opens its leaf."""

    row: AuditRow
    number: int
    leaf_index: int
    nonce: bytes


class HeldLeaf(msgspec.Struct, frozen=True, kw_only=True):
    """A leaf with all that the database has of it."""

    leaf_index: int
    commitment: bytes
    at: datetime | None
    audit_id: UUID | None
    row: AuditRow | None
    number: int | None
    nonce: bytes | None
    entry_index: int | None
    """Where its entry says that it is."""


FindingKind = Literal[
    "changed",
    "missing",
    "reordered",
    "misdated",
    "unlogged",
    "unaccounted",
    "forked",
    "rolled-back",
    "refused",
    "damaged",
]
"""``changed``, ``missing``, ``reordered``: a row is not as it was, or not where it was. ``misdated``: it says a later
time than the checkpoint that covers it. ``unlogged``: a row that is in neither the tree nor the queue. ``unaccounted``:
leaves that nobody can open and no erasure accounts for, numbers of a citizen that stand nowhere, leaves outside the
tree. ``forked``: a signed checkpoint of another tree. ``rolled-back``: what was signed is longer than what is here.
``refused``: a checkpoint that the log's key did not sign. ``damaged``: a copy of the tree differs, and the signed root
says that the other copy is right."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    kind: FindingKind
    said: str
    leaf_index: int | None = None
    audit_id: UUID | None = None
    at: datetime | None = None


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    leaves: int
    published: int
    checkpoints: int
    erased: int
    """Leaves that nobody can open any more, each accounted for by an erasure."""
    lost: int
    """Leaves whose rows went with a database; known by what was published."""
    waiting: int
    findings: list[Finding]
    further_findings: int
    """More than are listed."""


class Accounts(msgspec.Struct, frozen=True, kw_only=True):
    """What the log says of itself beside what is there, at one moment."""

    erased: int
    forgotten: int
    lost: int
    adopted: int


class Forgotten(msgspec.Struct, frozen=True, kw_only=True):
    rows: int
    leaves: int
    """That nobody can open any more; a row that still waits has none."""


class Consistency(msgspec.Struct, frozen=True, kw_only=True):
    """RFC 6962 §2.1.2: that the log of ``old`` leaves is the beginning of the one of ``new``."""

    old: int
    new: int
    hashes: list[str]
    """Standard base64."""


class LogShown(msgspec.Struct, frozen=True, kw_only=True):
    verifier_key: str
    leaves: int
    published: int
    waiting: int
    checkpoint: str | None


class LogKeyChanged(msgspec.Struct, frozen=True, kw_only=True):
    action: Literal["log.key-rotated", "log.key-retired"]
    verifier_key: str
    """Of the key that signs from now on."""
    former: str


class Adopted(msgspec.Struct, frozen=True, kw_only=True):
    leaves: int
    start: int
    size: int
    """The tree's now, rows that wait left out."""


class Republished(msgspec.Struct, frozen=True, kw_only=True):
    tiles: int
    """Bundles of entries among them."""
    size: int


class Sequenced(msgspec.Struct, frozen=True, kw_only=True):
    """What a round did."""

    leads: bool
    leaves: int = 0
    size: int = 0
    published: int = 0
