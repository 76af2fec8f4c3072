"""Writes ``locker.stray_object``."""

from collections.abc import Sequence

from kit.db import Tx
from locker.vault.schema import BlobInfo


async def keep(tx: Tx, strays: Sequence[BlobInfo]) -> None:
    """The first meeting counts."""
    await tx.execute(
        """
        INSERT INTO locker.stray_object (object_key, length, modified_at)
        SELECT * FROM unnest($1::text[], $2::bigint[], $3::timestamptz[])
        ON CONFLICT (object_key) DO NOTHING""",
        [stray.key for stray in strays],
        [stray.length for stray in strays],
        [stray.modified_at for stray in strays],
    )


async def let_go(tx: Tx, *, after: str, until: str, strays: Sequence[str]) -> int:
    """Of the keys greater than ``after`` and up to ``until``, forget those that are strays no more: how many."""
    rows = await tx.fetch(
        """
        DELETE FROM locker.stray_object
         WHERE object_key COLLATE "C" > $1 AND object_key COLLATE "C" <= $2 AND object_key <> ALL($3::text[])
        RETURNING 1""",
        after,
        until,
        list(strays),
    )
    return len(rows)


async def overdue(tx: Tx, *, kept_s: int, strays: Sequence[str]) -> list[str]:
    """Those that were met so long ago; who takes one here removes it."""
    rows = await tx.fetch(
        """
        DELETE FROM locker.stray_object
         WHERE object_key = ANY($2::text[]) AND seen_at <= now() - make_interval(secs => $1)
        RETURNING object_key""",
        float(kept_s),
        list(strays),
    )
    return sorted(row["object_key"] for row in rows)
