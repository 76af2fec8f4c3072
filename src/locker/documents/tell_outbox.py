from typing import Any

from kit.db import Tx
from locker.documents import store


async def tell_outbox(tx: Tx, *, owner: str, topic: str, body: dict[str, Any]) -> None:
    """For those who act on it later; in the transaction that it describes. ``body`` has identifiers only."""
    await store.append_to_outbox(tx, owner=owner, topic=topic, body=body)
