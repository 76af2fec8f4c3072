from kit.db import Database, Tx
from locker.deposits import orphans
from locker.references import store

_BATCH = 100


async def let_go(db: Database, *, older_than_s: int, batches_max: int = 100) -> int:
    """Give the cached bytes of what was not confirmed for so long to the sweeper, unless the citizen keeps a copy; how
    many. Who began to read them has the sweeper's grace for it.
    """

    async def once(tx: Tx) -> int:
        gone = await store.let_go(tx, older_than_s=older_than_s, batch_max=_BATCH)
        for one in gone:
            await orphans.intend(tx, owner=one.owner, object_key=one.object_key)
        return len(gone)

    total = 0
    for _ in range(batches_max):
        gone = await db.transact(once)
        total += gone
        if gone < _BATCH:
            break
    return total
