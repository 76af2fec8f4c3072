from pathlib import Path
from typing import Any

import msgspec

from kit.db import Tx
from kit.errors import Refusal
from locker.administrations.schema import Depositor
from locker.batches import store
from locker.batches.desk import BatchDesk
from locker.batches.schema import Batch, Item, ManifestLine
from locker.batches.told import told
from locker.deposits.decode import decode
from locker.deposits.examine import Examined, examine
from locker.deposits.keep import keep
from locker.deposits.receive import PDF_MIN_BYTES, PDF_START, Received
from locker.deposits.record_refusal import record_refusal
from locker.deposits.refusals import DepositOvertaken, NotPdf
from locker.deposits.schema import Deposited, Quarantined
from locker.documents.lifecycle_refusals import ReferenceTaken

_FINAL = (403, 410, 422)
"""Refused for what it is. Everything else may be another time, and the item waits on."""


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """A file that is what the manifest says."""

    path: Path
    start: bytes
    sha256: bytes
    length: int


async def settle(
    desk: BatchDesk, batch: Batch, item: Item, document: Document, depositor: Depositor, *, client_id: str
) -> dict[str, Any]:
    """Deposit it, or record why not; what a line says of it. Its row changes in the transaction of its document.

    Raises DepositOvertaken where it was settled meanwhile, and what says nothing about the document itself.
    """
    assert item.sealed is not None
    line = decode(desk.keys.of(batch.batch_id, batch.salt).open(item.line, item.sealed), ManifestLine)
    received = Received(pdf=document.path, pdf_sha256=document.sha256, pdf_length=document.length, deposit=b"")
    try:
        if document.start != PDF_START or document.length < PDF_MIN_BYTES:
            raise NotPdf
        examined = await examine(desk.deposits, received, line, depositor, client_id=client_id)
        if batch.dry_run:
            return await _checked(desk, batch, item, examined)

        async def written(tx: Tx, outcome: Deposited | Quarantined) -> None:
            await _write(tx, batch, item, outcome)

        outcome = await keep(desk.deposits, received, examined, depositor, client_id=client_id, settle=written)
    except Refusal as refusal:
        if refusal.status not in _FINAL and not isinstance(refusal, ReferenceTaken):
            raise
        return await _refused(desk, batch, item, refusal, depositor, client_id=client_id)
    if isinstance(outcome, Deposited):
        return {
            "state": "deposited",
            "document_id": outcome.document_id,
            "uri": outcome.uri,
            "receipt": outcome.receipt,
        }
    return {"state": "quarantined", "document_id": outcome.document_id, "uri": outcome.uri}


async def _write(tx: Tx, batch: Batch, item: Item, outcome: Deposited | Quarantined) -> None:
    deposited = isinstance(outcome, Deposited)
    if not await store.settle(
        tx,
        batch_id=batch.batch_id,
        line=item.line,
        state="deposited" if deposited else "quarantined",
        document_id=outcome.document_id,
        version=outcome.version,
        deposited_at=outcome.deposited_at if isinstance(outcome, Deposited) else None,
    ):
        raise DepositOvertaken


async def _checked(desk: BatchDesk, batch: Batch, item: Item, examined: Examined) -> dict[str, Any]:
    state = "checked" if examined.passed else "quarantined"
    if not await store.settle(desk.db, batch_id=batch.batch_id, line=item.line, state=state):
        raise DepositOvertaken
    return {"state": state}


async def _refused(
    desk: BatchDesk, batch: Batch, item: Item, refusal: Refusal, depositor: Depositor, *, client_id: str
) -> dict[str, Any]:
    said = told(refusal)

    async def commit(tx: Tx) -> None:
        if not await store.settle(tx, batch_id=batch.batch_id, line=item.line, state="refused", refusal=said):
            raise DepositOvertaken
        if not batch.dry_run:
            await record_refusal(desk.deposits, depositor, refusal, client_id=client_id, tx=tx)

    await desk.db.transact(commit)
    return {"state": "refused", **said}
