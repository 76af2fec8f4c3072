from dataclasses import dataclass

import msgspec

from kit.audit import ActorKind, Audit
from kit.db import Database
from kit.throttle import Limit, Throttle
from locker.deposits.desk import Places
from locker.scanning.scanner import Scanner
from locker.uploads.files import Files
from locker.uploads.receive import Limits
from locker.vault import Vault


class UploadLimits(msgspec.Struct, frozen=True, kw_only=True):
    receive: Limits
    per_owner: Limit
    uploads_per_owner_max: int
    bytes_per_owner_max: int
    bin_days: int


@dataclass(frozen=True, kw_only=True)
class UploadDesk:
    """Everything that an upload passes through."""

    db: Database
    audit: Audit
    throttle: Throttle
    vault: Vault
    files: Files
    scanner: Scanner | None
    limits: UploadLimits
    places: Places


class Uploader(msgspec.Struct, frozen=True, kw_only=True):
    """Who acts for ``owner``: the citizen at our pages, or a wallet app with the citizen's token."""

    owner: str
    kind: ActorKind = "citizen"
    actor: str
