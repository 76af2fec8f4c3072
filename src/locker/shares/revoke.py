from kit.audit import Audit
from kit.db import Database, Tx
from locker.shares import store
from locker.shares.create import Sharer, revoked
from locker.shares.refusals import ShareUnknown
from locker.shares.tell_ended import tell_ended


async def revoke(db: Database, audit: Audit, *, sharer: Sharer, share_id: str) -> None:
    """End one share. Counts from the next request on any node.

    Ending what has ended is no error; ShareUnknown is for what never was the citizen's.
    """

    async def within(tx: Tx) -> None:
        if await store.revoke(tx, owner=sharer.owner, share_id=share_id):
            await audit.append(tx, revoked(share_id, sharer))
            await tell_ended(tx, [share_id], owner=sharer.owner)
        elif await store.find(tx, owner=sharer.owner, share_id=share_id) is None:
            raise ShareUnknown

    await db.transact(within)
