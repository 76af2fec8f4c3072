"""What a leaf commits to: SHA-256 of 32 random bytes and the canonical event. Without the bytes it says nothing."""

from datetime import UTC
from hashlib import sha256

import msgspec

from locker.log.schema import AuditRow

NONCE_BYTES = 32


def canonical_event(row: AuditRow, *, number: int) -> bytes:
    """The row as JSON: names in order, no white space, UTF-8 (RFC 8785, for the texts and integers that rows hold).

    ``number`` counts the rows of this owner, so that a citizen sees where one is missing.
    """
    event = msgspec.to_builtins(row, builtin_types=(type(row.at),))
    at = row.at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    return msgspec.json.encode({**event, "at": at, "number": number, "v": 1}, order="sorted")


def opening(nonce: bytes, event: bytes) -> bytes:
    """What its holder needs to compute the leaf again."""
    return nonce + event


def commitment(nonce: bytes, event: bytes) -> bytes:
    return sha256(opening(nonce, event)).digest()
