from uuid import UUID

from idp.sessions import store
from idp.sessions.schema import SessionLine
from kit.db import Tx


async def list_for(tx: Tx, citizen_id: UUID, *, idle_s: int) -> list[SessionLine]:
    """The live sessions, the one used last first; at most fifty."""
    return await store.list_for(tx, citizen_id, idle_s=idle_s)
