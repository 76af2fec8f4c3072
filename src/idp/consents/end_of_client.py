from idp.consents import store
from kit.audit import Audit, AuditEvent
from kit.db import Database, Tx

_AT_ONCE_MAX = 200


async def end_of_client(db: Database, audit: Audit, client_id: str) -> None:
    """A client is gone, so is what citizens agreed to with it; each of them reads it.

    In small transactions: the client's own end has stopped everything already, this tidies up behind it.
    """

    async def some(tx: Tx) -> int:
        rows = await store.end_of_client(tx, client_id, count_max=_AT_ONCE_MAX)
        for row in rows:
            await audit.append(
                tx,
                AuditEvent(
                    action="consent.ended",
                    actor_kind="client",
                    actor=client_id,
                    owner=str(row["citizen_id"]),
                    object_id=str(row["consent_id"]),
                    detail={"client_id": client_id},
                ),
            )
        return len(rows)

    while await db.transact(some) == _AT_ONCE_MAX:
        pass
