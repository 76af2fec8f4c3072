from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import UNSET

from kit.db import Tx
from kit.errors import Refusal
from locker.administrations.schema import Depositor
from locker.batches import store
from locker.batches.desk import BatchDesk
from locker.batches.refusals import ReplacesAwaited
from locker.batches.schema import Batch, Item, ItemDocument, Kind, ManifestLine
from locker.batches.told import told
from locker.deposits.decode import decode
from locker.deposits.examine import Examined, examine
from locker.deposits.foresee import foresee
from locker.deposits.keep import keep
from locker.deposits.receive import PDF_MIN_BYTES, PDF_START, Received, ReceivedData, no_data
from locker.deposits.record_refusal import record_refusal
from locker.deposits.refusals import DepositInvalid, DepositOvertaken, NotPdf, ReplacesUnknown
from locker.deposits.schema import Deposited, Quarantined
from locker.documents.lifecycle_refusals import ReferenceTaken

_FINAL = (403, 410, 422)
"""Refused for what it is. Everything else may be another time, and the item waits on."""


class File(msgspec.Struct, frozen=True, kw_only=True):
    """One that is what the manifest says."""

    path: Path
    start: bytes
    """Its first PDF_WITHIN bytes."""
    sha256: bytes
    length: int


async def settle(
    desk: BatchDesk, batch: Batch, item: Item, files: Mapping[Kind, File], depositor: Depositor, *, client_id: str
) -> dict[str, Any]:
    """Deposit it, or record why not; what a line says of it. Its row changes in the transaction of its document.

    Raises DepositOvertaken where it was settled meanwhile, ReplacesAwaited, and what says nothing about the document
    itself.
    """
    assert item.sealed is not None
    line = decode(desk.keys.of(batch.batch_id, batch.salt).open(item.line, item.sealed), ManifestLine)
    try:
        received = _received(files)
        line = await _with_predecessor(desk, batch, line)
        examined = await examine(
            desk.deposits,
            received,
            line,
            depositor,
            # Whoever hands the document over, the manifest's ``sub`` is of who registered it.
            client_id=batch.registered_by,
            purpose="check" if batch.dry_run else "deposit",
        )
        if batch.dry_run:
            await foresee(desk.deposits, received, examined, administration=batch.administration)
            return await _checked(desk, batch, item, examined)

        async def written(tx: Tx, outcome: Deposited | Quarantined) -> None:
            await _write(tx, batch, item, outcome)

        outcome = await keep(desk.deposits, received, examined, depositor, client_id=client_id, settle=written)
    except Refusal as refusal:
        if refusal.status not in _FINAL and not isinstance(refusal, ReferenceTaken):
            raise
        return await _refused(desk, batch, item, refusal, depositor, client_id=client_id)
    said = {"document_id": outcome.document_id, "uri": outcome.uri}
    if isinstance(outcome, Quarantined):
        waiting = [ItemDocument(document_id=one.document_id, uri=one.uri) for one in outcome.documents]
        return {**said, "state": "quarantined", "documents": waiting}
    own = [ItemDocument(document_id=one.document_id, uri=one.uri, receipt=one.receipt) for one in outcome.documents]
    return {**said, "state": "deposited", "receipt": outcome.receipt, "documents": own}


def _received(files: Mapping[Kind, File]) -> Received:
    """NotPdf, DepositInvalid where a file is not of its kind."""
    document, data, signature = files["document"], files.get("data"), files.get("data_signature")
    if not document.start.startswith(PDF_START) or document.length < PDF_MIN_BYTES:
        raise NotPdf
    if data is not None and (wrong := no_data(data.start, data.length)) is not None:
        raise DepositInvalid(wrong)
    return Received(
        pdf=document.path,
        pdf_sha256=document.sha256,
        pdf_length=document.length,
        deposit=b"",
        data=None
        if data is None
        else ReceivedData(
            path=data.path,
            sha256=data.sha256,
            length=data.length,
            signature=None if signature is None else signature.path,
            signature_sha256=None if signature is None else signature.sha256,
        ),
    )


async def _with_predecessor(desk: BatchDesk, batch: Batch, line: ManifestLine) -> ManifestLine:
    """What it replaces by its document, where the line names an earlier item of the batch."""
    if line.replaces_item is UNSET:
        return line
    standing = await store.standing_of(desk.db, batch_id=batch.batch_id, item=line.replaces_item)
    if standing is None or standing[0] == "refused":
        raise ReplacesUnknown
    state, document_id = standing
    if state == "deposited" and document_id is not None:
        return msgspec.structs.replace(line, replaces=document_id)
    if batch.dry_run and state != "awaiting":
        # There would be one; whether it is of the same citizens is not known before.
        return line
    raise ReplacesAwaited(line.replaces_item)


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
        documents=[one.document_id for one in outcome.documents] or None,
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
