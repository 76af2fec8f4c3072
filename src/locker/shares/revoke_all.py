from kit.audit import Audit, AuditEvent
from kit.db import Database, Tx
from locker.shares import store
from locker.shares.create import Sharer
from locker.shares.settle_ended import settle
from locker.shares.tell_ended import tell_ended


async def revoke_all(db: Database, audit: Audit, *, sharer: Sharer) -> None:
    """End whatever the citizen shares: all of it with one commit, however much it is. Its rows follow."""

    async def within(tx: Tx) -> None:
        stood, bound = await store.end_all(tx, owner=sharer.owner)
        if not stood:
            return
        await tell_ended(tx, bound, owner=sharer.owner)
        await audit.append(
            tx,
            AuditEvent(
                action="share.all-ended",
                actor_kind=sharer.kind,
                actor=sharer.actor,
                owner=sharer.owner,
                detail={"links": stood},
            ),
        )

    await db.transact(within)
    await settle(db, owner=sharer.owner)
