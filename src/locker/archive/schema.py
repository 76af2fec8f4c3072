from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from uuid import UUID

import msgspec

from locker.signatures.judge_evidence_record import EvidenceVerdict
from locker.signatures.schema import Verdict
from locker.vault import Stored

Clock = Callable[[], datetime]
"""The one seam of time in this room."""

GROWTH_MAX_BYTES = 16 * 1024 * 1024
"""Of a copy over its original: validation data and time stamps of decades."""

CopyState = Literal["waiting", "kept", "lapsed"]
RecordState = Literal["making", "held", "lapsed"]


def wall_clock() -> datetime:
    return datetime.now(UTC)


class ArchiveLimits(msgspec.Struct, frozen=True, kw_only=True):
    margin: timedelta
    """How long before its end something is renewed."""
    each: bool
    """Renew the copies one by one, also those that an evidence record covers."""
    digest_algorithms: tuple[str, ...]
    """For new time stamps; the first that still counts after the margin."""
    size_max_bytes: int
    documents_per_record_max: int
    lease: timedelta
    first_wait: timedelta
    wait_max: timedelta

    def wait(self, attempts: int) -> timedelta:
        waits: timedelta = self.first_wait * 2 ** min(max(attempts - 1, 0), 20)
        return min(waits, self.wait_max)


class TakenCopy(msgspec.Struct, frozen=True, kw_only=True):
    """A document to archive, taken by ``attempt``."""

    owner: str
    document_id: str
    attempt: UUID
    attempts: int
    generation: int
    original: Stored
    version: int
    copy: Stored | None


class NewCopy(msgspec.Struct, frozen=True, kw_only=True):
    stored: Stored
    verdict: dict[str, Any]
    time_stamped_at: datetime
    renew_by: datetime
    algorithms: tuple[str, ...]


class HeldCopy(msgspec.Struct, frozen=True, kw_only=True):
    owner: str
    document_id: str
    state: CopyState
    generation: int
    copy: Stored | None
    time_stamped_at: datetime | None
    renew_by: datetime | None
    record_id: UUID | None
    failure: str | None


class TakenRecord(msgspec.Struct, frozen=True, kw_only=True):
    record_id: UUID
    state: RecordState
    attempt: UUID
    attempts: int
    renew_by: datetime | None = None
    """When its last time stamp ends; None for one that is being made."""


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """A document of a record; ``covered_bytes`` of the copy from its start."""

    owner: str
    document_id: str
    generation: int
    copy: Stored
    covered_bytes: int


class StoredTimeStamp(msgspec.Struct, frozen=True, kw_only=True):
    chain: int
    position: int
    digest_algorithm: str
    token: bytes
    time: datetime


class Due(msgspec.Struct, frozen=True, kw_only=True):
    """What a renewal would do now, each with one time stamp."""

    copies_to_make: int
    copies_to_renew: int
    copies_to_cover: int
    """By new evidence records, one for at most so many as the settings say."""
    records_to_make: int
    """Begun by somebody and not finished."""
    records_to_renew: int
    next_end: datetime | None
    """When the first time stamp that is relied on ends."""


class Renewed(msgspec.Struct, kw_only=True):
    copies_made: int = 0
    copies_renewed: int = 0
    copies_lapsed: int = 0
    records_made: int = 0
    documents_covered: int = 0
    records_renewed: int = 0
    trees_renewed: int = 0
    records_lapsed: int = 0
    failed: int = 0
    """To be tried again."""


class ArchiveShown(msgspec.Struct, frozen=True, kw_only=True):
    copies: dict[str, int]
    """State → how many."""
    records: dict[str, int]
    time_stamps: int
    failing: list["Failing"]
    due: Due


class Exported(msgspec.Struct, frozen=True, kw_only=True):
    document_id: str
    copy: str
    """PAdES B-LTA: the original is its beginning."""
    evidence_record: str | None
    """RFC 4998, DER; None where none covers it yet."""
    covered: str | None
    """What the evidence record is over, where that is less than the copy; else the copy itself."""


class Failing(msgspec.Struct, frozen=True, kw_only=True):
    what: str
    """document_id or record_id."""
    failure: str
    attempts: int
    next_attempt_at: datetime


class KeptShown(msgspec.Struct, frozen=True, kw_only=True):
    """How one document stands on a day."""

    document_id: str
    at: datetime
    state: CopyState
    generation: int
    time_stamped_at: datetime | None
    renew_by: datetime | None
    indication: str
    sub_indication: str | None
    reasons: tuple[str, ...]
    proven_time: datetime | None
    """When its signature provably existed."""
    by: Literal["copy", "evidence-record", "none"]
    """What carries the verdict: the copy itself, or the record that proves that the copy existed."""
    evidence: EvidenceVerdict | None
    verdict: Verdict | None
