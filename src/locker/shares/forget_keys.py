from kit.db import Tx
from locker.shares import store

_BATCH = 500
_BATCHES_MAX = 1_000


async def forget_keys(tx: Tx) -> None:
    """Of what nobody may look at any more: the sweep's part. Many may do it at once."""
    for step in (store.forget_keys, store.forget_openers_keys):
        for _ in range(_BATCHES_MAX):
            if await step(tx, batch_max=_BATCH) < _BATCH:
                break
