from kit.audit import Audit
from kit.db import Database, Tx
from locker.shares import store
from locker.shares.create import Sharer, revoked
from locker.shares.refusals import ShareUnknown
from locker.shares.tell_ended import tell_ended


async def revoke(db: Database, audit: Audit, *, sharer: Sharer, share_id: str | None) -> int:
    """End one share, or all; how many ended now. Counts from the next request on any node.

    Ending what has ended is no error; ShareUnknown is for what never was the citizen's.
    """

    async def within(tx: Tx) -> int:
        ended = await store.revoke(tx, owner=sharer.owner, share_id=share_id)
        if ended:
            # One statement, however many there are: a citizen who ends ten thousand waits less than a second.
            await audit.append_several(tx, [revoked(each, sharer) for each in ended])
            await tell_ended(tx, ended, owner=sharer.owner)
        if not ended and share_id and await store.find(tx, owner=sharer.owner, share_id=share_id) is None:
            raise ShareUnknown
        return len(ended)

    return await db.transact(within)
