from uuid import UUID

from kit.db import Tx


async def insert(tx: Tx, *, sector: str, sub: str, citizen_id: UUID) -> None:
    """Derived values: the same row again is the same row."""
    await tx.execute(
        "INSERT INTO idp.subject (sector, sub, citizen_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        sector,
        sub,
        citizen_id,
    )


def insert_cte(citizen_id: int, sectors: int, subs: int, *, source: str) -> str:
    """The same for several sectors at once, as one part of a larger statement: where ``source`` has its row. Numbers of
    parameters."""
    return f"""
        INSERT INTO idp.subject (sector, sub, citizen_id)
        SELECT given.sector, given.sub, ${citizen_id}::uuid
          FROM {source}, unnest(${sectors}::text[], ${subs}::text[]) AS given (sector, sub)
         ORDER BY given.sector
        ON CONFLICT DO NOTHING"""


async def select_citizen_by_sub(tx: Tx, *, client_id: str, sub: str) -> UUID | None:
    """Whom a client means by its own ``sub``; None also where the citizen has died or was never seen by it."""
    value = await tx.fetchval(
        """
        SELECT s.citizen_id
          FROM idp.client c
          JOIN idp.subject s ON s.sector = c.sector AND s.sub = $2
          JOIN idp.citizen z ON z.citizen_id = s.citizen_id AND z.state <> 'deceased'
         WHERE c.client_id = $1""",
        client_id,
        sub,
    )
    return None if value is None else UUID(str(value))


async def select_citizen_by_uid(tx: Tx, uid: str) -> UUID | None:
    value = await tx.fetchval("SELECT citizen_id FROM idp.citizen WHERE uid = $1 AND state <> 'deceased'", uid)
    return None if value is None else UUID(str(value))
