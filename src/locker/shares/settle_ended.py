"""What follows when all links of a citizen ended: their rows say so, and their keys are gone."""

from kit.db import Database, Tx
from locker.shares import store

_BATCH = 2_500
_BATCHES_MAX = 20
_CITIZENS = 100


async def settle(tx: Tx, *, owner: str) -> None:
    """What is left is the sweep's, as after a process that died here: nothing of it opens."""
    for _ in range(_BATCHES_MAX):
        if await store.settle(tx, owner=owner, limit=_BATCH) < _BATCH:
            return


async def settle_ended(db: Database) -> None:
    """The sweep's part."""
    for owner in await store.unsettled(db, limit=_CITIZENS):
        await settle(db, owner=owner)
