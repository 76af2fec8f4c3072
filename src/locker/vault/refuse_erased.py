from kit.db import Tx
from locker.vault import store
from locker.vault.refusals import Erased


async def refuse_erased(tx: Tx, *, owner: str) -> None:
    """For what needs no key. Who never had one is not erased. Raises Erased."""
    if await store.is_destroyed(tx, owner):
        raise Erased
