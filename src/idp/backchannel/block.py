"""\"This was not me\": the service asks this citizen nothing any more, until the citizen allows it again."""

from uuid import UUID

from idp.backchannel import store
from kit.audit import Audit, AuditEvent
from kit.db import Database, Tx


async def block(db: Database, audit: Audit, *, citizen_id: UUID, client_id: str) -> None:
    async def once(tx: Tx) -> None:
        await store.block(tx, citizen_id, client_id)
        await audit.append(tx, _event("ciba.blocked", citizen_id, client_id))

    await db.transact(once)


async def unblock(db: Database, audit: Audit, *, citizen_id: UUID, client_id: str) -> None:
    async def once(tx: Tx) -> None:
        if await store.unblock(tx, citizen_id, client_id):
            await audit.append(tx, _event("ciba.unblocked", citizen_id, client_id))

    await db.transact(once)


def _event(action: str, citizen_id: UUID, client_id: str) -> AuditEvent:
    return AuditEvent(
        action=action, actor_kind="citizen", actor=str(citizen_id), owner=str(citizen_id), object_id=client_id
    )
