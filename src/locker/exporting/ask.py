"""A citizen asks for an export, takes it, or has it removed before its day is over."""

from kit.audit import ActorKind, Audit, AuditEvent
from kit.db import Database, Tx
from kit.ids import new_public_id
from kit.throttle import Limit, Throttle
from locker.exporting import store
from locker.exporting.destroy import destroy
from locker.exporting.refusals import ExportStands, NoExport
from locker.exporting.schema import Export, Ready
from locker.vault.refuse_erased import refuse_erased

EXPORTS = Limit("exports", 5, 86_400)


async def ask(db: Database, audit: Audit, throttle: Throttle, *, owner: str, by: ActorKind, actor: str) -> Export:
    """Raises ExportStands, TooManyRequests, Erased."""
    export_id = new_public_id()

    async def record(tx: Tx) -> Export:
        await refuse_erased(tx, owner=owner)
        if over := await store.to_make_room(tx, owner=owner):
            await destroy(tx, owner=owner, export_id=over)
        if not await store.ask(tx, owner=owner, export_id=export_id):
            raise ExportStands
        await throttle.count(tx, EXPORTS, owner)
        await _append(tx, audit, "export.asked", owner, by, actor, export_id)
        found = await store.find(tx, owner=owner)
        assert found is not None
        return found

    return await db.transact(record)


async def take(db: Database, audit: Audit, *, owner: str, by: ActorKind, actor: str) -> Ready:
    """Found and written down, or neither. Raises NoExport."""

    async def find(tx: Tx) -> Ready:
        ready = await store.ready(tx, owner=owner)
        if ready is None:
            raise NoExport
        await _append(tx, audit, "export.downloaded", owner, by, actor, ready.export_id)
        return ready

    return await db.transact(find)


async def remove(db: Database, audit: Audit, *, owner: str, by: ActorKind, actor: str) -> None:
    """Its key is gone when this returns, its bytes by the next sweep. Raises NoExport."""

    async def end(tx: Tx) -> None:
        export_id = await store.to_remove(tx, owner=owner)
        if export_id is None:
            raise NoExport
        await destroy(tx, owner=owner, export_id=export_id)
        await _append(tx, audit, "export.removed", owner, by, actor, export_id)

    await db.transact(end)


async def _append(tx: Tx, audit: Audit, action: str, owner: str, by: ActorKind, actor: str, export_id: str) -> None:
    await audit.append(tx, AuditEvent(action=action, actor_kind=by, actor=actor, owner=owner, object_id=export_id))
