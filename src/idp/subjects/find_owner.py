from uuid import UUID

from idp.subjects import store
from kit.db import Tx


async def find_owner(tx: Tx, *, client_id: str, sub: str) -> UUID | None:
    """Whom a client means by a ``sub`` that it was given; None for any other."""
    return await store.select_citizen_by_sub(tx, client_id=client_id, sub=sub)
