from uuid import UUID

from idp.authenticators import store
from kit.db import Tx


async def rehash(tx: Tx, citizen_id: UUID, *, before: str, after: str) -> None:
    """Keep the same password under today's parameters, unless it was changed meanwhile."""
    await store.rehash_password(tx, citizen_id, before=before, after=after)
