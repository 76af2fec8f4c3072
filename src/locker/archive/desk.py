from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from kit.audit import Audit
from kit.db import Database
from locker.archive.schema import ArchiveLimits, Clock, wall_clock
from locker.signatures.archive_time_stamper import ArchiveTimeStamper
from locker.signatures.holds_until import strong_digest, weak_by
from locker.signatures.judge import SignatureJudge
from locker.trust.register import TrustRegister
from locker.vault import Vault


@dataclass(frozen=True, kw_only=True)
class ArchiveDesk:
    """Everything that archiving passes through."""

    db: Database
    audit: Audit
    trust: TrustRegister
    judge: SignatureJudge
    stamper: ArchiveTimeStamper
    vault: Vault
    limits: ArchiveLimits
    folder: Path | None
    """Where documents stand while they are worked on; None is the system's place for temporary files."""
    clock: Clock = wall_clock

    def renew_by(self, now: datetime) -> datetime:
        """What ends before this is renewed now."""
        return now + self.limits.margin

    def weak(self, now: datetime) -> list[str]:
        return weak_by(self.renew_by(now))

    def digest_algorithm(self, now: datetime) -> str:
        return strong_digest(self.limits.digest_algorithms, self.renew_by(now))
