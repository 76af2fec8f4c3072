from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec

from kit.db import Database
from kit.throttle import Limit
from locker.batches.line_keys import LineKeys
from locker.batches.schema import Batch, ItemDocument, ItemRow, ItemShown
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

    def with_receipt(self, batch: Batch, row: ItemRow) -> ItemShown:
        """Also of what was quarantined and became a document later."""
        shown = row.shown
        if shown.document_id is None:
            return shown
        at = shown.deposited_at if shown.state == "deposited" else None
        own = [self._document(batch, shown, document_id, at=at) for document_id in row.documents or [shown.document_id]]
        documents = own if row.documents else []
        return msgspec.structs.replace(shown, uri=own[0].uri, receipt=own[0].receipt, documents=documents)

    def _document(self, batch: Batch, shown: ItemShown, document_id: str, *, at: datetime | None) -> ItemDocument:
        uri = f"{batch.administration}-{shown.type}-{document_id}"
        if at is None:
            return ItemDocument(document_id=document_id, uri=uri)
        receipt = sign_receipt(
            self.deposits.signing,
            locker_url=self.deposits.locker_url,
            document_uri=uri,
            sha256=bytes.fromhex(shown.sha256 or ""),
            administration=batch.administration,
            type_=shown.type or "",
            at=at,
            data_sha256=shown.data_sha256,
            data_signature_sha256=shown.data_signature_sha256,
        )
        return ItemDocument(document_id=document_id, uri=uri, receipt=receipt)
