from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta

import msgspec
from msgspec import UNSET

from kit.db import Tx
from kit.ids import new_public_id
from locker.administrations.schema import Depositor
from locker.catalogue.schema import DocumentType
from locker.deposits import receive, store
from locker.deposits.count import count
from locker.deposits.desk import DepositDesk
from locker.deposits.examine import Examined
from locker.deposits.judge import deciding
from locker.deposits.quarantine import quarantine
from locker.deposits.refusals import DepositOvertaken
from locker.deposits.schema import Deposited, DepositRequest, Quarantined
from locker.documents.record import record
from locker.documents.record_schema import NewDocument, judged
from locker.receipts.sign_receipt import sign_receipt
from locker.signed_data.put_away import put_away
from locker.signed_data.schema import NewSignedData, judged_data
from locker.vault import FileFrames, Stored, new_object_key

Settle = Callable[[Tx, Deposited | Quarantined], Awaitable[None]]


async def keep(
    desk: DepositDesk,
    received: receive.Received,
    examined: Examined,
    depositor: Depositor,
    *,
    client_id: str,
    settle: Settle,
) -> Deposited | Quarantined:
    """Seal, intend, PUT, then one transaction (docs/adr/0004). What may pass later is quarantined.

    ``settle`` writes in that transaction what answers for it, and raises where somebody else was faster.
    """
    owner, predecessor = examined.owner, examined.predecessor
    document_id, version = new_public_id(), predecessor.version + 1 if predecessor else 1
    object_key = new_object_key()
    await store.intend(desk.db, owner=owner, object_key=object_key)
    stored = await desk.vault.put(
        owner=owner,
        document_id=document_id,
        version=version,
        object_key=object_key,
        frames=FileFrames(received.pdf),
        length=received.pdf_length,
    )
    assert stored.plaintext_sha256 == received.pdf_sha256, "the file changed while it was judged and sealed"
    fields_sealed = await desk.vault.seal_part(
        stored,
        owner=owner,
        document_id=document_id,
        version=version,
        part="fields",
        plaintext=msgspec.json.encode(examined.request.fields),
    )
    data = None
    if received.data is not None and examined.data_verdict is not None:
        put = await _put_away(desk, received.data, stored, owner=owner, document_id=document_id, version=version)
        data = judged_data(put, examined.data_verdict)
    new = _new_document(
        examined,
        stored,
        fields_sealed,
        data,
        document_id=document_id,
        version=version,
        administration=depositor.administration,
        client_id=client_id,
    )

    async def commit(tx: Tx) -> Deposited | Quarantined:
        await desk.vault.hold_owner_key(tx, owner=owner)
        for key in [object_key, *([data.object_key] if data else [])]:
            if not await store.fulfil(tx, owner=owner, object_key=key):
                raise DepositOvertaken
        outcome: Deposited | Quarantined
        if examined.passed:
            await count(
                tx,
                new,
                documents_max=desk.limits.documents_per_owner_max,
                bytes_max=desk.limits.bytes_per_owner_max,
            )
            outcome = _deposited(desk, new, await record(tx, desk.audit, new))
        else:
            waits, part = deciding(examined.verdict, examined.data_verdict)
            outcome = await quarantine(
                tx,
                desk.audit,
                new,
                waits,
                desk.limits.quarantine,
                part=part,
                awaits_scan=examined.awaits_scan,
            )
        await settle(tx, outcome)
        return outcome

    return await desk.db.transact(commit)


async def _put_away(
    desk: DepositDesk, data: receive.ReceivedData, document: Stored, *, owner: str, document_id: str, version: int
) -> NewSignedData:
    object_key = new_object_key()
    await store.intend(desk.db, owner=owner, object_key=object_key)
    put = await put_away(
        desk.vault,
        data.path,
        # A quarter of a megabyte at most, from the page cache.
        data.signature.read_bytes() if data.signature else None,
        document=document,
        owner=owner,
        document_id=document_id,
        version=version,
        object_key=object_key,
        length=data.length,
    )
    assert (put.sha256, put.signature_sha256) == (data.sha256, data.signature_sha256), "the data changed meanwhile"
    return put


def _new_document(
    examined: Examined,
    stored: Stored,
    fields_sealed: bytes,
    data: NewSignedData | None,
    *,
    document_id: str,
    version: int,
    administration: str,
    client_id: str,
) -> NewDocument:
    request, type_, predecessor = examined.request, examined.type_, examined.predecessor
    new = NewDocument(
        owner=examined.owner,
        document_id=document_id,
        uri=f"{administration}-{type_.type}-{document_id}",
        administration=administration,
        type=type_.type,
        type_version=type_.version,
        valid_from=None if request.valid_from is UNSET else request.valid_from,
        valid_until=_valid_until(request, type_),
        deposited_by=client_id,
        chain_id=predecessor.chain_id if predecessor else document_id,
        version=version,
        replaces=predecessor.document_id if predecessor else None,
        correction=None if request.correction is UNSET else request.correction,
        reference=None if request.reference is UNSET else request.reference,
        stored=stored,
        fields_sealed=fields_sealed,
        data=data,
    )
    return judged(new, examined.verdict)


def _valid_until(request: DepositRequest, type_: DocumentType) -> date | None:
    if request.valid_until is not UNSET:
        return request.valid_until
    if type_.validity_days is None:
        return None
    start = datetime.now(UTC).date() if request.valid_from is UNSET else request.valid_from
    return start + timedelta(days=type_.validity_days)


def _deposited(desk: DepositDesk, new: NewDocument, deposited_at: datetime) -> Deposited:
    receipt = sign_receipt(
        desk.signing,
        locker_url=desk.locker_url,
        document_uri=new.uri,
        sha256=new.stored.plaintext_sha256,
        administration=new.administration,
        type_=new.type,
        at=deposited_at,
        data_sha256=new.data_sha256,
        data_signature_sha256=new.data_signature_sha256,
    )
    return Deposited(
        document_id=new.document_id,
        uri=new.uri,
        type=new.type,
        version=new.version,
        sha256=new.stored.plaintext_sha256.hex(),
        data_sha256=new.data_sha256,
        data_signature_sha256=new.data_signature_sha256,
        deposited_at=deposited_at,
        receipt=receipt,
    )
