from kit.audit import Audit, AuditEvent
from kit.db import Database, Tx
from locker.shares import store
from locker.shares.create import Sharer, in_utc
from locker.shares.refusals import LimitTooWide, ShareUnknown
from locker.shares.schema import Narrowing, Share


async def narrow(db: Database, audit: Audit, narrowing: Narrowing, *, sharer: Sharer, share_id: str) -> Share:
    """Append what makes a living share narrower. Raises ShareUnknown, LimitTooWide."""

    async def within(tx: Tx) -> Share | None:
        narrower = await store.narrow(
            tx,
            owner=sharer.owner,
            share_id=share_id,
            until=in_utc(narrowing.until),
            openings_max=narrowing.openings,
        )
        if narrower is None:
            raise ShareUnknown
        if not narrower:
            raise LimitTooWide
        await audit.append(
            tx,
            AuditEvent(
                action="share.narrowed",
                actor_kind=sharer.kind,
                actor=sharer.actor,
                owner=sharer.owner,
                object_id=share_id,
            ),
        )
        return await store.find(tx, owner=sharer.owner, share_id=share_id)

    share = await db.transact(within)
    if share is None:
        raise ShareUnknown
    return share
