"""What a leaf commits to: SHA-256 of 32 random bytes and the canonical event. Without the bytes it says nothing."""

from datetime import UTC
from hashlib import sha256
from typing import Any, Literal
from uuid import UUID

import msgspec

from locker.log.schema import AuditRow

NONCE_BYTES = 32


class _Event(msgspec.Struct, frozen=True, kw_only=True):
    action: str
    actor: str
    actor_kind: str
    at: str
    audit_id: UUID
    detail: dict[str, Any]
    number: int
    object_id: str | None
    owner: str | None
    purpose: str | None
    result: str
    v: Literal[1] = 1


def canonical_event(row: AuditRow, *, number: int) -> bytes:
    """The row as JSON: names in order, no white space, UTF-8 (RFC 8785, for the texts and integers that rows hold).

    ``number`` counts the rows of this owner, so that a citizen sees where one is missing.
    """
    event = _Event(
        action=row.action,
        actor=row.actor,
        actor_kind=row.actor_kind,
        at=row.at.astimezone(UTC).isoformat(timespec="microseconds")[: -len("+00:00")] + "Z",
        audit_id=row.audit_id,
        detail=row.detail,
        number=number,
        object_id=row.object_id,
        owner=row.owner,
        purpose=row.purpose,
        result=row.result,
    )
    return msgspec.json.encode(event, order="sorted")


def opening(nonce: bytes, event: bytes) -> bytes:
    """What its holder needs to compute the leaf again."""
    return nonce + event


def commitment(nonce: bytes, event: bytes) -> bytes:
    return sha256(opening(nonce, event)).digest()
