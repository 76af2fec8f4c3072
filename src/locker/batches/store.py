from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from kit.db import Tx
from locker.batches.schema import Batch, Counts, Item, ItemMissing, ItemRow, ItemShown

_BATCH = "batch_id, administration, registered_by, dry_run, salt, created_at, expires_at"

_ITEM = """line, item, type, state, file, sha256, data_file, data_sha256, data_signature_file, data_signature_sha256,
           sealed"""


class NewItem(msgspec.Struct, frozen=True, kw_only=True):
    """Of a line that can be used, or with a refusal of one that cannot."""

    line: int
    item: str | None
    file: str | None = None
    type: str | None = None
    sha256: bytes | None = None
    data_file: str | None = None
    data_sha256: bytes | None = None
    data_signature_file: str | None = None
    data_signature_sha256: bytes | None = None
    sealed: bytes | None = None
    refusal: dict[str, Any] | None = None


async def begin(
    tx: Tx,
    *,
    batch_id: str,
    administration: str,
    registered_by: str,
    dry_run: bool,
    salt: bytes,
    lifetime_s: int,
    per_administration_max: int,
) -> Batch | None:
    """Its manifest is arriving. None: this administration has as many as one may."""
    row = await tx.fetchrow(
        f"""
        INSERT INTO locker.deposit_batch (batch_id, administration, registered_by, dry_run, salt, expires_at)
        SELECT $1, $2, $3, $4, $5, now() + make_interval(secs => $6)
         WHERE (SELECT count(*) FROM (SELECT FROM locker.deposit_batch
                                       WHERE administration = $2 AND expires_at > now() LIMIT $7) AS had) < $7
        RETURNING {_BATCH}""",
        batch_id,
        administration,
        registered_by,
        dry_run,
        salt,
        lifetime_s,
        per_administration_max,
    )
    return Batch(**dict(row)) if row else None


async def add_items(tx: Tx, *, batch_id: str, items: Sequence[NewItem]) -> None:
    await tx.execute(
        """
        INSERT INTO locker.deposit_batch_item
               (batch_id, line, item, file, type, sha256, sealed, state, refusal, data_file, data_sha256,
                data_signature_file, data_signature_sha256)
        SELECT $1, line, item, file, type, sha256, sealed,
               CASE WHEN refusal IS NULL THEN 'awaiting' ELSE 'refused' END, refusal::jsonb, data_file, data_sha256,
               data_signature_file, data_signature_sha256
          FROM unnest($2::int[], $3::text[], $4::text[], $5::text[], $6::bytea[], $7::bytea[], $8::text[], $9::text[],
                      $10::bytea[], $11::text[], $12::bytea[])
               AS given (line, item, file, type, sha256, sealed, refusal, data_file, data_sha256, data_signature_file,
                         data_signature_sha256)""",
        batch_id,
        [one.line for one in items],
        [one.item for one in items],
        [one.file for one in items],
        [one.type for one in items],
        [one.sha256 for one in items],
        [one.sealed for one in items],
        [msgspec.json.encode(one.refusal).decode() if one.refusal else None for one in items],
        [one.data_file for one in items],
        [one.data_sha256 for one in items],
        [one.data_signature_file for one in items],
        [one.data_signature_sha256 for one in items],
    )


async def open_batch(tx: Tx, *, batch_id: str) -> bool:
    """The whole manifest is there. False: the sweeper was faster."""
    row = await tx.fetchrow(
        """
        UPDATE locker.deposit_batch SET state = 'open'
         WHERE batch_id = $1 AND state = 'receiving' AND expires_at > now()
        RETURNING batch_id""",
        batch_id,
    )
    return row is not None


async def batch(tx: Tx, *, batch_id: str, administration: str) -> Batch | None:
    row = await tx.fetchrow(
        f"""
        SELECT {_BATCH} FROM locker.deposit_batch
         WHERE batch_id = $1 AND administration = $2 AND state = 'open' AND expires_at > now()""",
        batch_id,
        administration,
    )
    return Batch(**dict(row)) if row else None


async def item_of_file(tx: Tx, *, batch_id: str, file: str) -> Item | None:
    """Whichever of its files it is: a name stands in one line of the manifest only."""
    row = await tx.fetchrow(
        f"""
        SELECT {_ITEM} FROM locker.deposit_batch_item WHERE batch_id = $1 AND file = $2
         UNION ALL
        SELECT {_ITEM} FROM locker.deposit_batch_item WHERE batch_id = $1 AND data_file = $2
         UNION ALL
        SELECT {_ITEM} FROM locker.deposit_batch_item WHERE batch_id = $1 AND data_signature_file = $2""",
        batch_id,
        file,
    )
    return Item(**dict(row)) if row else None


async def settle(
    tx: Tx,
    *,
    batch_id: str,
    line: int,
    state: str,
    document_id: str | None = None,
    version: int | None = None,
    deposited_at: datetime | None = None,
    documents: list[str] | None = None,
    refusal: dict[str, Any] | None = None,
) -> bool:
    """Once: False where it was decided before, or its batch is gone; then this transaction must not commit."""
    row = await tx.fetchrow(
        """
        UPDATE locker.deposit_batch_item
           SET state = $3, document_id = $4, version = $5, deposited_at = $6, refusal = $7, documents = $8,
               sealed = NULL
         WHERE batch_id = $1 AND line = $2 AND state = 'awaiting'
        RETURNING line""",
        batch_id,
        line,
        state,
        document_id,
        version,
        deposited_at,
        refusal,
        documents,
    )
    return row is not None


# What was quarantined at deposit has become a document since, or was refused, or waits. Of several owners any says so:
# another may be erased.
_STANDING = """
          FROM locker.deposit_batch_item i
          LEFT JOIN LATERAL (SELECT state, refusal FROM locker.quarantine
                              WHERE i.state = 'quarantined'
                                AND document_id = ANY(coalesce(i.documents, ARRAY[i.document_id])) LIMIT 1) q ON true
          LEFT JOIN LATERAL (SELECT d.document_id, d.deposited_at
                               FROM locker.document_uri u JOIN locker.document d USING (owner, document_id)
                              WHERE i.state = 'quarantined'
                                AND u.document_id = ANY(coalesce(i.documents, ARRAY[i.document_id]))
                              LIMIT 1) d ON true"""
_STATE = """
               CASE WHEN d.document_id IS NOT NULL THEN 'deposited' WHEN q.state = 'refused' THEN 'refused'
                    ELSE i.state END"""


async def counts(tx: Tx, *, batch_id: str) -> Counts:
    # Only what was quarantined is looked up: of a hundred thousand lines that is seldom many.
    rows = await tx.fetch(
        f"""
        SELECT state, sum(many)::bigint AS many FROM (
               SELECT state, count(*) AS many FROM locker.deposit_batch_item
                WHERE batch_id = $1 AND state <> 'quarantined' GROUP BY 1
                UNION ALL
               SELECT {_STATE}, count(*) {_STANDING}
                WHERE i.batch_id = $1 AND i.state = 'quarantined' GROUP BY 1) AS counted
         GROUP BY state""",
        batch_id,
    )
    return Counts(**{row["state"]: row["many"] for row in rows})


async def standing_of(tx: Tx, *, batch_id: str, item: str) -> tuple[str, str | None] | None:
    """The state of a line that could be used, and its document."""
    row = await tx.fetchrow(
        f"""
        SELECT {_STATE} AS state, i.document_id {_STANDING}
         WHERE i.batch_id = $1 AND i.item = $2 AND i.file IS NOT NULL""",
        batch_id,
        item,
    )
    return (row["state"], row["document_id"]) if row else None


async def results(tx: Tx, *, batch_id: str, after: int, limit: int) -> list[ItemRow]:
    """Without receipts, in the order of the manifest."""
    rows = await tx.fetch(
        f"""
        SELECT i.line, i.item, i.file, i.type, i.sha256, i.refusal, i.document_id, i.version, i.documents,
               encode(i.data_sha256, 'hex') AS data_sha256,
               encode(i.data_signature_sha256, 'hex') AS data_signature_sha256,
               coalesce(i.deposited_at, d.deposited_at) AS deposited_at, q.refusal AS refused_later, {_STATE} AS state
               {_STANDING}
         WHERE i.batch_id = $1 AND i.line > $2 ORDER BY i.line LIMIT $3""",
        batch_id,
        after,
        limit,
    )
    return [_shown(row) for row in rows]


def _shown(row: Any) -> ItemRow:
    refusal = row["refusal"] or {}
    shown = ItemShown(
        line=row["line"],
        item=row["item"],
        state=row["state"],
        file=row["file"],
        type=row["type"],
        sha256=row["sha256"].hex() if row["sha256"] else None,
        code=row["refused_later"] or refusal.get("code"),
        detail=refusal.get("detail"),
        members=refusal.get("members", {}),
        document_id=row["document_id"],
        version=row["version"],
        deposited_at=row["deposited_at"],
        data_sha256=row["data_sha256"],
        data_signature_sha256=row["data_signature_sha256"],
    )
    return ItemRow(shown=shown, documents=row["documents"] or [])


async def missing(tx: Tx, *, batch_id: str, after: int, limit: int) -> list[ItemMissing]:
    rows = await tx.fetch(
        """
        SELECT line, item, file, data_file, data_signature_file FROM locker.deposit_batch_item
         WHERE batch_id = $1 AND state = 'awaiting' AND line > $2 ORDER BY line LIMIT $3""",
        batch_id,
        after,
        limit,
    )
    return [ItemMissing(**dict(row)) for row in rows]


async def overdue(tx: Tx, *, receiving_max_s: int) -> str | None:
    """One that has expired, or whose manifest never came to its end."""
    batch_id: str | None = await tx.fetchval(
        """
        SELECT batch_id FROM locker.deposit_batch
         WHERE expires_at < now()
            OR state = 'dropped'
            OR (state = 'receiving' AND created_at < now() - make_interval(secs => $1))
         ORDER BY expires_at LIMIT 1""",
        receiving_max_s,
    )
    return batch_id


async def close(tx: Tx, *, batch_id: str) -> bool:
    """Its manifest was not taken: it cannot be opened any more. False where it is open, whoever did not hear of it."""
    row = await tx.fetchrow(
        """
        UPDATE locker.deposit_batch SET state = 'dropped'
         WHERE batch_id = $1 AND state IN ('receiving', 'dropped')
        RETURNING batch_id""",
        batch_id,
    )
    return row is not None


async def forget_items(tx: Tx, *, batch_id: str, batch_max: int) -> int:
    rows = await tx.fetch(
        """
        DELETE FROM locker.deposit_batch_item
         WHERE (batch_id, line) IN (SELECT batch_id, line FROM locker.deposit_batch_item
                                     WHERE batch_id = $1 ORDER BY line LIMIT $2)
        RETURNING 1""",
        batch_id,
        batch_max,
    )
    return len(rows)


async def forget(tx: Tx, *, batch_id: str) -> None:
    await tx.execute(
        """
        DELETE FROM locker.deposit_batch b
         WHERE b.batch_id = $1
           AND NOT EXISTS (SELECT FROM locker.deposit_batch_item i WHERE i.batch_id = b.batch_id)""",
        batch_id,
    )
