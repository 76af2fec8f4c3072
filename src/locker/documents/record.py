from datetime import datetime

from kit.audit import Audit, AuditEvent
from kit.db import Tx
from locker.archive.enlist import enlist
from locker.documents import store
from locker.documents.lifecycle_refusals import StateConflict
from locker.documents.record_schema import NewDocument
from locker.signed_data.record import record as record_data


async def record(tx: Tx, audit: Audit, new: NewDocument) -> datetime:
    """Write a deposited document, and what it takes the place of, inside the depositor's transaction.

    Its bytes are stored already. Returns when it was deposited; raises StateConflict if what it replaces is no longer
    a current version.
    """
    if new.replaces is not None and not await store.supersede(tx, owner=new.owner, document_id=new.replaces):
        raise StateConflict("superseded")
    deposited_at = await store.insert(tx, new)
    if new.data is not None:
        await record_data(tx, new.data, owner=new.owner, document_id=new.document_id)
    await enlist(tx, owner=new.owner, document_id=new.document_id)
    if new.replaces is not None:
        await store.link_successor(tx, owner=new.owner, document_id=new.replaces, replaced_by=new.document_id)
        await _append(tx, audit, new, action="document.superseded", document_id=new.replaces)
    await _append(tx, audit, new, action="document.deposited", document_id=new.document_id)
    return deposited_at


async def _append(tx: Tx, audit: Audit, new: NewDocument, *, action: str, document_id: str) -> None:
    await audit.append(
        tx,
        AuditEvent(
            action=action,
            actor_kind="client",
            actor=new.deposited_by,
            owner=new.owner,
            object_id=document_id,
            detail={"administration": new.administration, "type": new.type, "version": new.version},
        ),
    )
    await store.append_to_outbox(tx, owner=new.owner, topic=action, body={"document_id": document_id, "type": new.type})


async def count_in(tx: Tx, *, owner: str, length: int, documents_max: int, bytes_max: int) -> bool:
    """False if the owner would hold more than one citizen may (V-21)."""
    return await store.count_in(tx, owner=owner, length=length, documents_max=documents_max, bytes_max=bytes_max)
