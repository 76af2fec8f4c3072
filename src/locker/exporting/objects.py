"""What reconcile asks of exports: which objects they promise."""

from kit.db import Tx
from locker.exporting import store


async def promised(tx: Tx, object_keys: list[str]) -> set[str]:
    return await store.with_objects(tx, object_keys=object_keys)


async def promised_between(tx: Tx, *, after: str, until: str) -> dict[str, str]:
    """object_key → export_id, for keys greater than ``after`` and up to ``until``."""
    return await store.promised_between(tx, after=after, until=until)
