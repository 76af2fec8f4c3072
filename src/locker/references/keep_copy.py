from kit.audit import AuditEvent
from kit.db import Tx
from kit.errors import Unavailable
from locker.archive.enlist import enlist
from locker.documents.read import Reader, read_again
from locker.documents.refusals import DocumentUnknown
from locker.references import store
from locker.references.confirm import confirm
from locker.references.describe import describe
from locker.references.desk import ReferenceDesk


async def keep_copy(desk: ReferenceDesk, reader: Reader, document_id: str) -> None:
    """The citizen agrees: from now on the bytes are theirs, whatever becomes of the issuer's. Again is the same.

    Raises DocumentUnknown, IssuerAway, NotAsDeposited.
    """
    document = await read_again(desk.deposits.db, owner=reader.owner, document_id=document_id)
    if not document.by_reference:
        raise DocumentUnknown
    await confirm(desk, document)

    async def record(tx: Tx) -> None:
        if not await store.copy(tx, owner=reader.owner, document_id=document_id):
            reference = await describe(tx, document, freshness_s=0)
            if reference is None:
                raise DocumentUnknown
            if reference.copied_at is None:
                # It was let go since it was confirmed: nothing is kept, so nothing may say that it is.
                raise Unavailable("fetches")
            return
        await enlist(tx, owner=reader.owner, document_id=document_id)
        await desk.deposits.audit.append(
            tx,
            AuditEvent(
                action="document.copied",
                actor_kind=reader.kind,
                actor=reader.actor,
                owner=reader.owner,
                object_id=document_id,
                detail={"type": document.type, "administration": document.administration},
            ),
        )

    await desk.deposits.db.transact(record)
