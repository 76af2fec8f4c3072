from uuid import UUID

from kit.db import Tx


async def erase(tx: Tx, citizen_id: UUID) -> int:
    """Rows that went, of all tables; the citizen's own row stays without a person in it."""
    gone: int = await tx.fetchval("SELECT idp.erase_citizen($1)", citizen_id)
    return gone
