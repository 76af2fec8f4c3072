from uuid import UUID

from idp.citizens import store
from idp.citizens.schema import Citizen
from kit.db import Tx


async def find_citizen(tx: Tx, citizen_id: UUID) -> Citizen | None:
    """The record, whatever its state."""
    return await store.by_id(tx, citizen_id)
