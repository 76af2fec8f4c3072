from kit.db import Tx
from locker.erasing import store


async def hasten(tx: Tx, *, owner: str) -> None:
    """A hold on a document of ``owner`` ended: an erasure that waits for it goes on with the next round."""
    await store.hasten(tx, owner=owner)
