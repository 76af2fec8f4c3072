from kit.db import Tx
from locker.shares import store
from locker.shares.settle_ended import settle


async def end_all(tx: Tx, *, owner: str) -> None:
    """In a transaction that ends more of this citizen than their shares, and says so itself. Their keys go with it."""
    await store.end_all(tx, owner=owner)
    await settle(tx, owner=owner)
