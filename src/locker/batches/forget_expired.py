from kit.db import Tx
from locker.batches import store

RECEIVING_MAX_S = 3_600
_AT_ONCE = 1_000


async def forget_expired(tx: Tx, *, steps_max: int = 2_000) -> int:
    """Batches past their time, and manifests that never came to their end; the items first, a thousand at a time.

    How many batches. Documents stay: they belong to citizens.
    """
    forgotten = 0
    batch_id = await store.overdue(tx, receiving_max_s=RECEIVING_MAX_S)
    for _ in range(steps_max):
        if batch_id is None:
            break
        if await store.forget_items(tx, batch_id=batch_id, batch_max=_AT_ONCE) < _AT_ONCE:
            await store.forget(tx, batch_id=batch_id)
            forgotten += 1
            batch_id = await store.overdue(tx, receiving_max_s=RECEIVING_MAX_S)
    return forgotten


async def drop(tx: Tx, batch_id: str) -> None:
    """One whose manifest was refused, or whose key had an answer: its lines go at once.

    One that was opened stays, also where the answer of its commit was lost: its key's answer names it.
    """
    if not await store.close(tx, batch_id=batch_id):
        return
    while await store.forget_items(tx, batch_id=batch_id, batch_max=_AT_ONCE) == _AT_ONCE:
        pass
    await store.forget(tx, batch_id=batch_id)
