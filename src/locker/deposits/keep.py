from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

import msgspec
from msgspec import UNSET

from kit.db import Tx
from kit.ids import new_public_id
from locker.administrations.schema import Depositor
from locker.deposits import receive, store
from locker.deposits.count import count
from locker.deposits.desk import DepositDesk
from locker.deposits.examine import Examined
from locker.deposits.judge import deciding
from locker.deposits.quarantine import quarantine
from locker.deposits.refusals import DepositOvertaken
from locker.deposits.schema import Deposited, OwnDocument, Quarantined
from locker.documents.record import record_all
from locker.documents.record_schema import NewDocument, Predecessor, judged
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

    Of several owners each gets a document sealed under a key of their own; all are recorded in the one transaction
    (docs/adr/0022), or none. ``settle`` writes in it what answers for it, and raises where somebody else was faster.
    """
    group_id = new_public_id() if len(examined.owners) > 1 else None
    kept = [
        await _seal(
            desk,
            received,
            examined,
            owner=owner.sub,
            predecessor=predecessor,
            group_id=group_id,
            administration=depositor.administration,
            client_id=client_id,
        )
        for owner, predecessor in zip(examined.owners, examined.predecessors, strict=True)
    ]

    async def commit(tx: Tx) -> Deposited | Quarantined:
        # In one order, so that two deposits for the same people never wait for each other.
        for new in sorted(kept, key=lambda one: one.owner):
            await desk.vault.hold_owner_key(tx, owner=new.owner)
            for key in [new.stored.object_key, *([new.data.object_key] if new.data else [])]:
                if not await store.fulfil(tx, owner=new.owner, object_key=key):
                    raise DepositOvertaken
            if examined.passed:
                await count(
                    tx,
                    new,
                    documents_max=desk.limits.documents_per_owner_max,
                    bytes_max=desk.limits.bytes_per_owner_max,
                )
        outcome: Deposited | Quarantined
        if examined.passed:
            outcome = _deposited(desk, examined, kept, await record_all(tx, desk.audit, kept))
        else:
            waits, part = deciding(examined.verdict, examined.data_verdict)
            outcome = await quarantine(
                tx,
                desk.audit,
                kept,
                waits,
                desk.limits.quarantine,
                part=part,
                awaits_scan=examined.awaits_scan,
            )
        await settle(tx, outcome)
        return outcome

    return await desk.db.transact(commit)


async def _seal(
    desk: DepositDesk,
    received: receive.Received,
    examined: Examined,
    *,
    owner: str,
    predecessor: Predecessor | None,
    group_id: str | None,
    administration: str,
    client_id: str,
) -> NewDocument:
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
    url_sealed = None
    if examined.url is not None:
        url_sealed = await desk.vault.seal_part(
            stored,
            owner=owner,
            document_id=document_id,
            version=version,
            part="url",
            plaintext=examined.url.encode("ascii"),
        )
    data = None
    if received.data is not None and examined.data_verdict is not None:
        put = await _put_away(desk, received.data, stored, owner=owner, document_id=document_id, version=version)
        data = judged_data(put, examined.data_verdict)
    return _new_document(
        examined,
        stored,
        fields_sealed,
        url_sealed,
        data,
        predecessor,
        owner=owner,
        document_id=document_id,
        version=version,
        group_id=group_id,
        administration=administration,
        client_id=client_id,
    )


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
    url_sealed: bytes | None,
    data: NewSignedData | None,
    predecessor: Predecessor | None,
    *,
    owner: str,
    document_id: str,
    version: int,
    group_id: str | None,
    administration: str,
    client_id: str,
) -> NewDocument:
    request, type_ = examined.request, examined.type_
    new = NewDocument(
        owner=owner,
        document_id=document_id,
        uri=f"{administration}-{type_.type}-{document_id}",
        administration=administration,
        type=type_.type,
        type_version=type_.version,
        valid_from=None if request.valid_from is UNSET else request.valid_from,
        valid_until=examined.valid_until,
        deposited_by=client_id,
        chain_id=predecessor.chain_id if predecessor else document_id,
        version=version,
        replaces=predecessor.document_id if predecessor else None,
        correction=None if request.correction is UNSET else request.correction,
        reference=None if request.reference is UNSET else request.reference,
        group_id=group_id,
        stored=stored,
        fields_sealed=fields_sealed,
        url_sealed=url_sealed,
        data=data,
    )
    return judged(new, examined.verdict)


def _deposited(desk: DepositDesk, examined: Examined, kept: Sequence[NewDocument], deposited_at: datetime) -> Deposited:
    own = [
        OwnDocument(
            document_id=new.document_id,
            uri=new.uri,
            version=new.version,
            parked=owner.parked,
            receipt=_receipt(desk, new, deposited_at),
        )
        for owner, new in zip(examined.owners, kept, strict=True)
    ]
    first = kept[0]
    return Deposited(
        document_id=first.document_id,
        uri=first.uri,
        type=first.type,
        version=first.version,
        sha256=first.stored.plaintext_sha256.hex(),
        data_sha256=first.data_sha256,
        data_signature_sha256=first.data_signature_sha256,
        deposited_at=deposited_at,
        receipt=own[0].receipt,
        parked=own[0].parked,
        documents=own if len(own) > 1 else [],
    )


def _receipt(desk: DepositDesk, new: NewDocument, deposited_at: datetime) -> str:
    return sign_receipt(
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
