from kit.db import Database
from locker.references import store
from locker.vault import Vault

_BATCH = 100
_LEASE_S = 60.0


async def let_go(db: Database, vault: Vault, *, older_than_s: int, batches_max: int = 100) -> int:
    """Remove the cached bytes of what was not confirmed for so long and of which nobody keeps a copy; how many.

    The row promises nothing before the object goes; who dies in between is followed by the next round.
    """
    gone = 0
    for _ in range(batches_max):
        taken = await store.take_stale(db, older_than_s=older_than_s, lease_s=_LEASE_S, batch_max=_BATCH)
        for stale in taken:
            await vault.delete(stale.object_key)
            await store.removed(db, stale)
        gone += len(taken)
        if len(taken) < _BATCH:
            break
    return gone
