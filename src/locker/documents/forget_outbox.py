from kit.db import Tx
from locker.documents import store


async def forget_outbox(tx: Tx, *, lifetime_s: int, batch_max: int, batches_max: int) -> int:
    """How many events past their time were removed."""
    return await store.forget_outbox(tx, lifetime_s=lifetime_s, batch_max=batch_max, batches_max=batches_max)
