from uuid import UUID

from idp.citizens import store
from kit.db import Tx


async def end_tokens(tx: Tx, citizen_id: UUID) -> None:
    """Grants and refresh families of before now are dead at their next use."""
    await store.end_tokens(tx, citizen_id)
