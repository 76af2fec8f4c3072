"""How a recovery is over: used after its time, or made needless by a visit at a desk."""

from uuid import UUID

from idp.recovery import store
from kit.db import Tx


async def finish_wait(tx: Tx, citizen_id: UUID) -> bool:
    """False before the time is over, and after somebody stopped it."""
    return await store.finish_wait(tx, citizen_id)


async def settle(tx: Tx, citizen_id: UUID) -> None:
    """The citizen was seen at a desk again, so that their highest level is open again."""
    await store.settle(tx, citizen_id)


async def under_way(tx: Tx, citizen_id: UUID) -> UUID | None:
    waiting = await store.waiting(tx, citizen_id)
    return None if waiting is None else waiting.recovery_id
