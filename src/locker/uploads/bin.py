"""Delete, restore, destroy. The key goes first, the object later: from the bin on there is only noise."""

from kit.audit import Audit, AuditEvent
from kit.db import Database, Tx
from locker.deposits import orphans
from locker.uploads import store
from locker.uploads.desk import UploadDesk, Uploader
from locker.uploads.read import find
from locker.uploads.refusals import UploadUnknown
from locker.uploads.store import Gone


async def delete(desk: UploadDesk, uploader: Uploader, upload_id: str) -> None:
    """To the bin, where it stays for ``bin_days``. Again: the same, and nothing happens."""
    await find(desk.db, owner=uploader.owner, upload_id=upload_id)

    async def within(tx: Tx) -> None:
        if await store.to_bin(tx, owner=uploader.owner, upload_id=upload_id, days=desk.limits.bin_days):
            await desk.audit.append(tx, _event("upload.deleted", uploader, upload_id))

    await desk.db.transact(within)


async def restore(desk: UploadDesk, uploader: Uploader, upload_id: str) -> None:
    """Back from the bin. Again: the same, and nothing happens. UploadUnknown where it is gone or about to be."""
    held = await find(desk.db, owner=uploader.owner, upload_id=upload_id)
    if held.binned_at is None:
        return

    async def within(tx: Tx) -> bool:
        restored = await store.restore(tx, owner=uploader.owner, upload_id=upload_id)
        if restored:
            await desk.audit.append(tx, _event("upload.restored", uploader, upload_id))
        return restored

    if not await desk.db.transact(within):
        raise UploadUnknown


async def destroy(desk: UploadDesk, uploader: Uploader, upload_id: str) -> None:
    """What is in the bin, for good. UploadUnknown where it is not in the bin."""
    await find(desk.db, owner=uploader.owner, upload_id=upload_id)

    async def within(tx: Tx) -> bool:
        gone = await store.destroy(tx, owner=uploader.owner, upload_id=upload_id)
        await _let_go(tx, desk.audit, gone, by=uploader)
        return bool(gone)

    if not await desk.db.transact(within):
        raise UploadUnknown


async def destroy_due(db: Database, audit: Audit, *, batch_max: int) -> int:
    """Whose time in the bin or in quarantine is over. Many may do it at once."""

    async def within(tx: Tx) -> int:
        gone = await store.destroy_due(tx, batch_max=batch_max)
        await _let_go(tx, audit, gone, by=None)
        return len(gone)

    return await db.transact(within)


async def _let_go(tx: Tx, audit: Audit, gone: list[Gone], *, by: Uploader | None) -> None:
    for one in gone:
        await orphans.intend(tx, owner=one.owner, object_key=one.object_key)
        uploader = by or Uploader(owner=one.owner, kind="system", actor="")
        await audit.append(tx, _event("upload.gone", uploader, one.upload_id))


def _event(action: str, uploader: Uploader, upload_id: str) -> AuditEvent:
    return AuditEvent(
        action=action, actor_kind=uploader.kind, actor=uploader.actor, owner=uploader.owner, object_id=upload_id
    )
