from collections.abc import Mapping, Sequence
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


async def insert_several(tx: Tx, *, sector: str, subs: Mapping[UUID, str]) -> None:
    """Of one sector; always in the same order, so that two that insert together never wait for each other."""
    ordered = sorted(subs.items(), key=lambda item: item[1])
    await tx.execute(
        """
        INSERT INTO idp.subject (sector, sub, citizen_id)
        SELECT $1, given.sub, given.citizen_id FROM unnest($2::text[], $3::uuid[]) AS given (sub, citizen_id)
        ON CONFLICT DO NOTHING""",
        sector,
        [sub for _, sub in ordered],
        [citizen_id for citizen_id, _ in ordered],
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
          JOIN idp.citizen z ON z.citizen_id = s.citizen_id AND z.state NOT IN ('deceased', 'erased')
         WHERE c.client_id = $1""",
        client_id,
        sub,
    )
    return None if value is None else UUID(str(value))


async def select_citizen_by_uid(tx: Tx, uid: str) -> UUID | None:
    value = await tx.fetchval(
        "SELECT citizen_id FROM idp.citizen WHERE uid = $1 AND state NOT IN ('deceased', 'erased')", uid
    )
    return None if value is None else UUID(str(value))


async def select_citizens_by_uids(tx: Tx, uids: Sequence[str]) -> dict[str, tuple[UUID, bool]]:
    """Those that are known and alive, each with whether the account was never activated."""
    if not uids:
        return {}
    rows = await tx.fetch(
        """
        SELECT uid, citizen_id, state = 'registered' AS dormant FROM idp.citizen
         WHERE uid = ANY($1::text[]) AND state NOT IN ('deceased', 'erased')""",
        list(uids),
    )
    return {row["uid"]: (UUID(str(row["citizen_id"])), row["dormant"]) for row in rows}


async def select_citizens_by_subs(tx: Tx, pairs: Sequence[tuple[str, str]]) -> dict[tuple[str, str], tuple[UUID, bool]]:
    """The same by ``client_id`` and its ``sub``."""
    if not pairs:
        return {}
    rows = await tx.fetch(
        """
        SELECT given.client_id, given.sub, s.citizen_id, z.state = 'registered' AS dormant
          FROM unnest($1::text[], $2::text[]) AS given (client_id, sub)
          JOIN idp.client c ON c.client_id = given.client_id
          JOIN idp.subject s ON s.sector = c.sector AND s.sub = given.sub
          JOIN idp.citizen z ON z.citizen_id = s.citizen_id AND z.state NOT IN ('deceased', 'erased')""",
        [client_id for client_id, _ in pairs],
        [sub for _, sub in pairs],
    )
    return {(row["client_id"], row["sub"]): (UUID(str(row["citizen_id"])), row["dormant"]) for row in rows}
