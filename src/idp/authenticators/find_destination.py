from uuid import UUID

from idp.authenticators import store
from idp.authenticators.schema import Destination, Purpose
from kit.db import Tx


async def destination_of(tx: Tx, citizen_id: UUID, *, purpose: Purpose, binding: str) -> Destination | None:
    """Where the code went that may still be entered for this."""
    return await store.destination_of(tx, citizen_id, purpose=purpose, binding=binding)
