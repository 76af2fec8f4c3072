from dataclasses import dataclass

from kit.audit import Audit
from kit.db import Database
from kit.throttle import Throttle
from locker.access.provider import Provider
from locker.shares.code import Codes
from locker.shares.pin import Pins
from locker.signing.ring import SigningKeys
from locker.vault import Vault


@dataclass(frozen=True, kw_only=True)
class ShareDesk:
    """What sharing needs."""

    db: Database
    audit: Audit
    throttle: Throttle
    provider: Provider
    vault: Vault
    signing: SigningKeys
    pins: Pins
    codes: Codes
    locker_url: str
    lifetime_max_s: int
    viewing_s: int
