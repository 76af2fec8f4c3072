from kit.db import Tx
from locker.webhooks import store


async def forget(tx: Tx, *, lifetime_s: int, batch_max: int = 1_000, batches_max: int = 100) -> int:
    """Messages past their time, whatever became of them: after it nothing can be replayed."""
    gone = 0
    for _ in range(batches_max):
        forgotten = await store.forget(tx, lifetime_s=lifetime_s, batch_max=batch_max)
        gone += forgotten
        if forgotten < batch_max:
            break
    return gone
