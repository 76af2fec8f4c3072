from uuid import UUID

from kit.db import Tx

SETTLED_S = 300.0
"""A request that had begun before an erasure is over by then, and what it still wrote of the citizen is found."""
_AT_ONCE = 20
_BATCHES_MAX = 50


async def erase(tx: Tx, citizen_id: UUID) -> int:
    """Rows that went, of all tables; the citizen's own row stays without a person in it."""
    gone: int = await tx.fetchval("SELECT idp.erase_citizen($1)", citizen_id)
    return gone


async def sweep(tx: Tx, *, settled_s: float = SETTLED_S) -> None:
    """Once more of everybody who was erased ``settled_s`` ago: an erasure waits for no request, and a row that names
    the citizen may come after it."""
    for _ in range(_BATCHES_MAX):
        done = await tx.execute(
            """
            SELECT idp.erase_citizen(due.citizen_id)
              FROM (SELECT citizen_id FROM idp.citizen
                     WHERE state = 'erased' AND updated_at = state_changed_at
                       AND state_changed_at < now() - make_interval(secs => $1)
                     ORDER BY state_changed_at LIMIT $2 FOR UPDATE SKIP LOCKED) AS due""",
            settled_s,
            _AT_ONCE,
        )
        if done != f"SELECT {_AT_ONCE}":
            break
