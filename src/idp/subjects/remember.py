from uuid import UUID

from idp.subjects import store
from kit.db import Tx


async def remember(tx: Tx, *, sector: str, sub: str, citizen_id: UUID) -> None:
    """Keep a pairwise identifier that is about to be given, so that its owner can be found again."""
    await store.insert(tx, sector=sector, sub=sub, citizen_id=citizen_id)
