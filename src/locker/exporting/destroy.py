from kit.db import Tx
from locker.deposits import orphans
from locker.exporting import store


async def destroy(tx: Tx, *, owner: str, export_id: str) -> None:
    """Its keys are gone when ``tx``, which holds its row, commits; its objects are the sweeper's."""
    await let_go(tx, owner=owner, export_id=export_id)
    object_key = await store.remove(tx, owner=owner, export_id=export_id)
    if object_key is not None:
        await orphans.intend(tx, owner=owner, object_key=object_key)


async def let_go(tx: Tx, *, owner: str, export_id: str, first: int = 0) -> None:
    """Its parts from ``first`` on. ``tx`` holds its row, so that none is recorded meanwhile."""
    for object_key in await store.drop_parts(tx, owner=owner, export_id=export_id, first=first):
        await orphans.intend(tx, owner=owner, object_key=object_key)
