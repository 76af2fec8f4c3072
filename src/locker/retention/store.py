"""The one writer of ``locker.legal_hold``; documents past their time go by ``locker.remove_retained``."""

from collections.abc import Sequence

import msgspec

from kit.db import Tx
from locker.retention.schema import Hold, Overdue


async def place(tx: Tx, *, owner: str, document_id: str, reference: str, placed_by: str) -> None:
    """Placed twice, the first stands."""
    await tx.execute(
        """
        INSERT INTO locker.legal_hold (owner, document_id, reference, placed_by) VALUES ($1, $2, $3, $4)
        ON CONFLICT DO NOTHING""",
        owner,
        document_id,
        reference,
        placed_by,
    )


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
    rows = await tx.fetch(
        "SELECT owner, document_id, type, over_since FROM locker.past_retention ORDER BY over_since LIMIT $1", limit
    )
    return [msgspec.convert(dict(row), Overdue) for row in rows]


async def remove(tx: Tx, *, owner: str, document_id: str) -> bool:
    """False: it is held, or not past its time any more. Its object is an intent of the sweeper from here on."""
    removed: bool = await tx.fetchval("SELECT locker.remove_retained($1, $2)", owner, document_id)
    return removed
