from collections.abc import Sequence
from uuid import UUID

from kit.audit import Audit, AuditEvent
from kit.db import Row, Tx


class ReleaseStore:
    """One statement, which writes nothing where the same names went the same way within a minute."""

    def __init__(self, audit: Audit) -> None:
        self._record = f"""
            WITH kept AS (
                INSERT INTO idp.release AS r (family_id, names, citizen_id, client_id)
                SELECT $1, $2, $3, $4
                 WHERE NOT EXISTS (SELECT 1 FROM idp.release
                                    WHERE family_id = $1 AND names = $2 AND last_at > now() - interval '1 minute')
                ON CONFLICT (family_id, names) DO UPDATE SET last_at = now()
                RETURNING xmax = 0 AS is_new)
            {audit.cte(5, source="kept WHERE is_new")}"""

    async def record(
        self, tx: Tx, *, family_id: UUID, names: Sequence[str], citizen_id: UUID, client_id: str, event: AuditEvent
    ) -> None:
        await tx.execute(self._record, family_id, list(names), citizen_id, client_id, *Audit.arguments(event))


async def last_of_citizen(tx: Tx, citizen_id: UUID) -> Sequence[Row]:
    """When each client last read something."""
    return await tx.fetch(
        """
        SELECT client_id, max(last_at) AS last_at FROM idp.release
         WHERE citizen_id = $1 GROUP BY client_id LIMIT 1000""",
        citizen_id,
    )
