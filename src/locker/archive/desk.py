from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from kit.audit import Audit
from kit.db import Database
from locker.archive.schema import ArchiveLimits, Clock, wall_clock
from locker.archive.stamp_copy import Stamping
from locker.signatures.holds_until import strong_digest, weak_by
from locker.signatures.judge import SignatureJudge
from locker.trust.register import TrustRegister
from locker.vault import Vault


class ArchiveReading(Protocol):
    """What it takes to say how a copy stands, and not to make one."""

    @property
    def db(self) -> Database: ...
    @property
    def trust(self) -> TrustRegister: ...
    @property
    def judge(self) -> SignatureJudge: ...
    @property
    def vault(self) -> Vault: ...
    @property
    def size_max_bytes(self) -> int: ...
    @property
    def folder(self) -> Path | None: ...
    @property
    def clock(self) -> Clock: ...


@dataclass(frozen=True, kw_only=True)
class ArchiveReader:
    """The least that is an ``ArchiveReading``."""

    db: Database
    trust: TrustRegister
    judge: SignatureJudge
    vault: Vault
    size_max_bytes: int
    folder: Path | None
    clock: Clock = wall_clock


@dataclass(frozen=True, kw_only=True)
class ArchiveDesk:
    """Everything that archiving passes through."""

    db: Database
    audit: Audit
    trust: TrustRegister
    judge: SignatureJudge
    stamping: Stamping
    vault: Vault
    limits: ArchiveLimits
    folder: Path | None
    """Where documents stand while they are worked on; None is the system's place for temporary files."""
    clock: Clock = wall_clock

    @property
    def size_max_bytes(self) -> int:
        return self.limits.size_max_bytes

    def renew_by(self, now: datetime) -> datetime:
        """What ends before this is renewed now."""
        return now + self.limits.margin

    def weak(self, now: datetime) -> list[str]:
        return weak_by(self.renew_by(now))

    def digest_algorithm(self, now: datetime) -> str:
        return strong_digest(self.limits.digest_algorithms, self.renew_by(now))
