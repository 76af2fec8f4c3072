from dataclasses import dataclass

from kit.audit import Audit
from kit.db import Database
from kit.jose import LocalKeySet
from kit.throttle import Throttle
from locker.shares.code import Codes
from locker.shares.pin import Pins
from locker.vault import Vault


@dataclass(frozen=True, kw_only=True)
class ShareDesk:
    """What sharing needs."""

    db: Database
    audit: Audit
    throttle: Throttle
    vault: Vault
    signing: LocalKeySet
    pins: Pins
    codes: Codes
    locker_url: str
    lifetime_max_s: int
    viewing_s: int
