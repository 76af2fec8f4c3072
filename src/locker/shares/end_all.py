from kit.db import Tx
from locker.shares import store


async def end_all(tx: Tx, *, owner: str) -> int:
    """In a transaction that ends more of this citizen than their shares, and says so itself."""
    return len(await store.revoke(tx, owner=owner, share_id=None))
