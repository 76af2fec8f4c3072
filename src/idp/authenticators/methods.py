from uuid import UUID

from idp.authenticators import store
from idp.authenticators.schema import Methods
from kit.db import Tx


async def methods_of(tx: Tx, citizen_id: UUID) -> Methods:
    """What the citizen has set up; nothing for an unknown one."""
    return await store.methods(tx, citizen_id)
