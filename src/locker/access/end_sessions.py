from kit.db import Tx
from locker.access import store


async def end_sessions(tx: Tx, *, owner: str) -> None:
    """All of a citizen, in a transaction that ends more of them and says so itself."""
    await store.end_sessions_of(tx, owner=owner)
