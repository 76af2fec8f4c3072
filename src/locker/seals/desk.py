"""What a seal passes through."""

from dataclasses import dataclass

import msgspec

from kit.audit import Audit
from kit.db import Database
from kit.throttle import Limit, Throttle
from locker.deposits.desk import Places
from locker.deposits.receive import Limits as ReceiveLimits
from locker.seals.ask_time_stamp import TimeStampAuthorities
from locker.seals.collect import Collector
from locker.seals.keys import SealKeys
from locker.signatures.judge import SignatureJudge
from locker.signatures.seal_workers import SealWorkers
from locker.trust.register import TrustRegister
from locker.vault import Vault


class SealLimits(msgspec.Struct, frozen=True, kw_only=True):
    receive: ReceiveLimits
    per_client: Limit
    lease_s: int
    lifetime_s: int
    pending_max: int
    """Of one administration."""


@dataclass(frozen=True, kw_only=True)
class SealDesk:
    db: Database
    audit: Audit
    throttle: Throttle
    trust: TrustRegister
    judge: SignatureJudge
    vault: Vault
    workers: SealWorkers
    keys: SealKeys
    authorities: TimeStampAuthorities
    collector: Collector
    locker_url: str
    limits: SealLimits
    places: Places
