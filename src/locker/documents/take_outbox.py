from collections.abc import Sequence

from kit.db import Row, Tx
from locker.documents import store


async def take_outbox(tx: Tx, *, count_max: int) -> Sequence[Row]:
    """Events that nobody acted on yet (owner, topic, body, created_at): ours, if ``tx`` commits."""
    return await store.take_outbox(tx, count_max=count_max)
