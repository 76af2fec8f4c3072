from kit.db import Tx
from locker.documents import store


async def forget_requests(tx: Tx, *, lifetime_s: int, batch_max: int, batches_max: int) -> int:
    """Idempotency-Keys of changes of state, once nobody repeats them any more; how many went."""
    return await store.forget_requests(tx, lifetime_s=lifetime_s, batch_max=batch_max, batches_max=batches_max)
