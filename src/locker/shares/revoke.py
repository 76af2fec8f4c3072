from kit.audit import Audit
from kit.db import Database, Tx
from locker.shares import store
from locker.shares.create import Sharer, revoked
from locker.shares.refusals import ShareUnknown
from locker.shares.tell_ended import tell_ended

_BATCH = 2_500


async def revoke(db: Database, audit: Audit, *, sharer: Sharer, share_id: str | None) -> int:
    """End one share, or all; how many ended now. Counts from the next request on any node.

    Ending what has ended is no error; ShareUnknown is for what never was the citizen's.
    """

    async def within(tx: Tx) -> int:
        ended = await store.revoke(tx, owner=sharer.owner, share_id=share_id, limit=_BATCH)
        if ended:
            await audit.append_several(tx, [revoked(each, sharer) for each in ended])
            await tell_ended(tx, ended, owner=sharer.owner)
        if not ended and share_id and await store.find(tx, owner=sharer.owner, share_id=share_id) is None:
            raise ShareUnknown
        return len(ended)

    # Each batch is over when it is committed: of ten thousand links the first do not wait for the last.
    total = ended = await db.transact(within)
    while ended == _BATCH:
        ended = await db.transact(within)
        total += ended
    return total
