from uuid import UUID

from idp.consents import store
from kit.audit import Audit, AuditEvent
from kit.db import Database, Tx
from kit.errors import NotFound


async def end(db: Database, audit: Audit, *, consent_id: UUID, citizen_id: UUID) -> None:
    """The citizen takes it back: every code and token that hangs on it ends with this statement."""

    async def record(tx: Tx) -> None:
        client_id = await store.end(tx, consent_id=consent_id, citizen_id=citizen_id)
        if client_id is None:
            raise NotFound
        await audit.append(
            tx,
            AuditEvent(
                action="consent.ended",
                actor_kind="citizen",
                actor=str(citizen_id),
                owner=str(citizen_id),
                object_id=str(consent_id),
                detail={"client_id": client_id},
            ),
        )

    await db.transact(record)
