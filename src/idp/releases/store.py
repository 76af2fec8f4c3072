import time
from collections import OrderedDict
from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from kit.audit import Audit, AuditEvent
from kit.db import Database, Row, Tx
from kit.gather import Gather

_KNOWN_S = 50.0
_KNOWN_MAX = 20_000


class Release(NamedTuple):
    family_id: UUID
    names: tuple[str, ...]
    citizen_id: UUID
    client_id: str


class ReleaseStore:
    """One statement for all that were given out at once, which writes nothing where the same names went the same way
    within a minute; what this process wrote itself within that minute it does not ask again."""

    def __init__(self, audit: Audit, db: Database) -> None:
        self._db = db
        self._written: OrderedDict[Release, float] = OrderedDict()
        self._gather = Gather(self._record, name="releases")
        self._sql = f"""
            WITH given AS MATERIALIZED (
                SELECT q.family_id, string_to_array(q.names, chr(10)) AS names, q.citizen_id, q.client_id, q.n
                  FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::text[]) WITH ORDINALITY
                       AS q (family_id, names, citizen_id, client_id, n)),
            kept AS (
                INSERT INTO idp.release AS r (family_id, names, citizen_id, client_id)
                SELECT family_id, names, citizen_id, client_id FROM given
                 WHERE NOT EXISTS (SELECT 1 FROM idp.release w
                                    WHERE w.family_id = given.family_id AND w.names = given.names
                                      AND w.last_at > now() - interval '1 minute')
                ON CONFLICT (family_id, names) DO UPDATE SET last_at = now()
                RETURNING family_id, names, xmax = 0 AS is_new),
            fresh AS (
                SELECT event.* FROM {audit.unnested(5)} JOIN given USING (n) JOIN kept USING (family_id, names)
                 WHERE kept.is_new)
            {audit.cte_of_several("fresh")}"""

    async def record(self, release: Release, event: AuditEvent) -> None:
        """Returns when it is on the disk."""
        written_at = self._written.get(release)
        if written_at is not None and time.monotonic() - written_at < _KNOWN_S:
            return
        started = time.monotonic()
        await self._gather((release, event))
        self._written[release] = started
        self._written.move_to_end(release)
        if len(self._written) > _KNOWN_MAX:
            self._written.popitem(last=False)

    async def _record(self, asked: Sequence[tuple[Release, AuditEvent]]) -> Sequence[None]:
        # Each once, and in one order always, so that two statements never wait for each other.
        events = dict(asked)
        ordered = sorted(events)
        await self._db.execute(
            self._sql,
            [one.family_id for one in ordered],
            ["\n".join(one.names) for one in ordered],
            [one.citizen_id for one in ordered],
            [one.client_id for one in ordered],
            *Audit.arguments_of_several([events[one] for one in ordered]),
        )
        return [None] * len(asked)


async def last_of_citizen(tx: Tx, citizen_id: UUID) -> Sequence[Row]:
    """When each client last read something."""
    return await tx.fetch(
        """
        SELECT client_id, max(last_at) AS last_at FROM idp.release
         WHERE citizen_id = $1 GROUP BY client_id LIMIT 1000""",
        citizen_id,
    )
