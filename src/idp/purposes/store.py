"""The one writer of ``idp.document_purpose`` and ``idp.document_figure``."""

from collections.abc import Sequence

import msgspec

from idp.purposes.schema import DocumentPurpose, Figure
from kit.db import Tx


async def register(tx: Tx, new: DocumentPurpose) -> None:
    await tx.execute(
        """
        INSERT INTO idp.document_purpose (client_id, purpose_id, purpose, documents)
        VALUES ($1, $2, $3, $4)
        ON CONFLICT (client_id, purpose_id) DO UPDATE SET
            purpose = excluded.purpose, documents = excluded.documents, changed_at = now(), withdrawn_at = NULL""",
        new.client_id,
        new.purpose_id,
        msgspec.to_builtins(new.purpose),
        msgspec.to_builtins(new.documents),
    )


async def withdraw(tx: Tx, *, client_id: str, purpose_id: str) -> bool:
    done = await tx.execute(
        """
        UPDATE idp.document_purpose SET withdrawn_at = now(), changed_at = now()
         WHERE client_id = $1 AND purpose_id = $2 AND withdrawn_at IS NULL""",
        client_id,
        purpose_id,
    )
    return done.endswith(" 1")


async def purposes(tx: Tx, *, client_id: str, purpose_ids: Sequence[str]) -> dict[str, DocumentPurpose]:
    """Those of them that stand."""
    rows = await tx.fetch(
        """
        SELECT client_id, purpose_id, purpose, documents FROM idp.document_purpose
         WHERE client_id = $1 AND purpose_id = ANY($2::text[]) AND withdrawn_at IS NULL""",
        client_id,
        list(purpose_ids),
    )
    return {row["purpose_id"]: msgspec.convert(dict(row), DocumentPurpose) for row in rows}


async def count_refused(tx: Tx, *, client_id: str) -> None:
    await tx.execute(
        """
        INSERT INTO idp.document_figure AS f (client_id, month, refused)
        VALUES ($1, date_trunc('month', now() AT TIME ZONE 'UTC')::date, 1)
        ON CONFLICT (client_id, month) DO UPDATE SET refused = f.refused + 1""",
        client_id,
    )


async def figures(tx: Tx, *, months: int, limit: int) -> list[Figure]:
    rows = await tx.fetch(
        """
        SELECT client_id, month, refused FROM idp.document_figure
         WHERE month > date_trunc('month', now() AT TIME ZONE 'UTC')::date - make_interval(months => $1)
         ORDER BY month DESC, refused DESC, client_id LIMIT $2""",
        months,
        limit,
    )
    return [msgspec.convert(dict(row), Figure) for row in rows]
