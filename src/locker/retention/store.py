"""The one writer of ``locker.legal_hold``; documents past their time go by ``locker.remove_retained``."""

from collections.abc import Sequence

import msgspec

from kit.db import Tx
from locker.retention.schema import Hold, Overdue


async def place(tx: Tx, *, owner: str, document_id: str, reference: str, placed_by: str) -> bool:
    """Placed twice, the first stands. False: the document went since, or goes at this moment."""
    found: bool = await tx.fetchval(
        """
        WITH held AS (
            SELECT owner, document_id FROM locker.document WHERE owner = $1 AND document_id = $2 FOR KEY SHARE
        ), placed AS (
            INSERT INTO locker.legal_hold (owner, document_id, reference, placed_by)
            SELECT owner, document_id, $3, $4 FROM held ON CONFLICT DO NOTHING)
        SELECT EXISTS (SELECT FROM held)""",
        owner,
        document_id,
        reference,
        placed_by,
    )
    return found


async def release(tx: Tx, *, document_id: str, reference: str) -> str | None:
    """Whose document it was."""
    owner: str | None = await tx.fetchval(
        """
        DELETE FROM locker.legal_hold WHERE document_id = $1 AND reference = $2
           AND owner = (SELECT owner FROM locker.document_uri WHERE document_id = $1)
        RETURNING owner""",
        document_id,
        reference,
    )
    return owner


async def holder_of(tx: Tx, *, document_id: str) -> str | None:
    """Whose document it is."""
    owner: str | None = await tx.fetchval("SELECT owner FROM locker.document_uri WHERE document_id = $1", document_id)
    return owner


async def holds(tx: Tx, *, limit: int) -> list[Hold]:
    rows = await tx.fetch(
        "SELECT document_id, reference, placed_by, placed_at FROM locker.legal_hold ORDER BY placed_at LIMIT $1", limit
    )
    return [Hold(**dict(row)) for row in rows]


async def overdue(tx: Tx, *, limit: int) -> Sequence[Overdue]:
    """As ``locker.past_retention`` says, the longest first: each type's own in the order of their index, and not one
    further than ``limit``."""
    rows = await tx.fetch(
        """
        SELECT d.owner, d.document_id, t.type, d.kept_from + type.long AS over_since
          FROM locker.document_type t
         CROSS JOIN LATERAL (SELECT make_interval(hours => 24 * least(t.retention_days, 1000000)) AS long) AS type
         CROSS JOIN LATERAL (
               SELECT d.owner, d.document_id, locker.kept_from(d.deposited_at, d.valid_until) AS kept_from
                 FROM locker.document d
                WHERE d.type = t.type AND locker.kept_from(d.deposited_at, d.valid_until) < now() - type.long
                  AND NOT EXISTS (SELECT 1 FROM locker.legal_hold h
                                   WHERE h.owner = d.owner AND h.document_id = d.document_id)
                ORDER BY locker.kept_from(d.deposited_at, d.valid_until) LIMIT $1) AS d
         WHERE t.retention_days IS NOT NULL
         ORDER BY over_since LIMIT $1""",
        limit,
    )
    return [msgspec.convert(dict(row), Overdue) for row in rows]


async def remove(tx: Tx, *, owner: str, document_id: str) -> bool:
    """False: it is held, or not past its time any more. Its object is an intent of the sweeper from here on."""
    removed: bool = await tx.fetchval("SELECT locker.remove_retained($1, $2)", owner, document_id)
    return removed
