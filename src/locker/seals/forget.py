"""Seals past their time: a sealed file is handed out for some days, it is not an archive."""

from kit.db import Database, Tx
from locker.deposits import orphans
from locker.seals import store
from locker.seals.keep import owner_of

_BATCH = 100


async def forget_expired(db: Database, *, batches_max: int = 100) -> int:
    """How many files were forgotten. Their objects become intents that nobody fulfils: a crash leaves none behind."""

    async def forget(tx: Tx) -> int:
        gone = await store.forget_expired(tx, batch_max=_BATCH)
        for administration, object_key in gone:
            await orphans.intend(tx, owner=owner_of(administration), object_key=object_key)
        return len(gone)

    forgotten = 0
    for _ in range(batches_max):
        gone = await db.transact(forget)
        forgotten += gone
        if gone < _BATCH:
            break
    return forgotten
