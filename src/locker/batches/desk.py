from dataclasses import dataclass
from pathlib import Path

import msgspec

from kit.db import Database
from kit.throttle import Limit
from locker.batches.line_keys import LineKeys
from locker.batches.schema import Batch, ItemShown
from locker.deposits.desk import DepositDesk, Places
from locker.receipts.sign_receipt import sign_receipt


class BatchLimits(msgspec.Struct, frozen=True, kw_only=True):
    items_max: int
    manifest_max_bytes: int
    line_max_bytes: int
    part_max_bytes: int
    part_entries_max: int
    items_at_once_max: int
    """Of one part: each stands in a temporary file while it is judged and sealed."""
    frame_max_s: float
    """A body that sends nothing for so long is given up."""
    part_max_s: float
    lifetime_s: int
    per_administration_max: int
    registrations: Limit
    parts: Limit
    lease_s: int
    folder: Path | None


@dataclass(frozen=True, kw_only=True)
class BatchDesk:
    deposits: DepositDesk
    keys: LineKeys
    limits: BatchLimits
    registering: Places
    parts: Places

    @property
    def db(self) -> Database:
        return self.deposits.db

    def with_receipt(self, batch: Batch, shown: ItemShown) -> ItemShown:
        """Also of what was quarantined and became a document later."""
        if shown.document_id is None:
            return shown
        uri = f"{batch.administration}-{shown.type}-{shown.document_id}"
        if shown.state != "deposited" or shown.deposited_at is None:
            return msgspec.structs.replace(shown, uri=uri)
        receipt = sign_receipt(
            self.deposits.signing,
            locker_url=self.deposits.locker_url,
            document_uri=uri,
            sha256=bytes.fromhex(shown.sha256 or ""),
            administration=batch.administration,
            type_=shown.type or "",
            at=shown.deposited_at,
        )
        return msgspec.structs.replace(shown, uri=uri, receipt=receipt)
