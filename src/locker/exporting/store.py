"""The one writer of ``locker.export``."""

from collections.abc import Sequence
from uuid import UUID, uuid4

import msgspec

from kit.db import Row, Tx
from locker.exporting.schema import Export, Ready, Taken
from locker.vault import Stored

_EXPORT = "export_id, state, asked_at, length, sha256, expires_at"


async def make_room(tx: Tx, *, owner: str) -> list[str]:
    """For another, where the last one failed or its day is over: the object that goes with it."""
    rows = await tx.fetch(
        """
        DELETE FROM locker.export
         WHERE owner = $1 AND (state = 'failed' OR (state = 'ready' AND expires_at <= now()))
        RETURNING object_key""",
        owner,
    )
    return [row["object_key"] for row in rows if row["object_key"] is not None]


async def ask(tx: Tx, *, owner: str, export_id: str) -> bool:
    """False: there is one."""
    done = await tx.execute(
        "INSERT INTO locker.export (owner, export_id) VALUES ($1, $2) ON CONFLICT DO NOTHING", owner, export_id
    )
    return done.endswith(" 1")


async def find(tx: Tx, *, owner: str) -> Export | None:
    row = await tx.fetchrow(
        f"SELECT {_EXPORT} FROM locker.export WHERE owner = $1 AND (state <> 'ready' OR expires_at > now())", owner
    )
    return msgspec.convert(dict(row), Export) if row else None


async def ready(tx: Tx, *, owner: str) -> Ready | None:
    row = await tx.fetchrow(
        """
        SELECT export_id, object_key, wrapped_key, epoch, sha256, length, ciphertext_sha256, format
          FROM locker.export WHERE owner = $1 AND state = 'ready' AND expires_at > now()""",
        owner,
    )
    return Ready(export_id=row["export_id"], stored=_stored(row)) if row else None


async def fail_overtaken(tx: Tx, *, attempts_max: int) -> int:
    """Those whose every attempt ended with its worker: how many."""
    rows = await tx.fetch(
        """
        UPDATE locker.export SET state = 'failed'
         WHERE state = 'waiting' AND next_attempt_at <= now() AND attempts >= $1 RETURNING 1""",
        attempts_max,
    )
    return len(rows)


async def take_due(tx: Tx, *, lease_s: int) -> Taken | None:
    row = await tx.fetchrow(
        """
        UPDATE locker.export
           SET attempt = $1, attempts = attempts + 1, next_attempt_at = now() + make_interval(secs => $2)
         WHERE (owner, export_id) = (SELECT owner, export_id FROM locker.export
                                      WHERE state = 'waiting' AND next_attempt_at <= now()
                                      ORDER BY next_attempt_at LIMIT 1 FOR UPDATE SKIP LOCKED)
        RETURNING owner, export_id, asked_at, attempt, attempts""",
        uuid4(),
        float(lease_s),
    )
    return msgspec.convert(dict(row), Taken) if row else None


async def finish(tx: Tx, taken: Taken, stored: Stored, *, lifetime_s: int) -> bool:
    """False: it was removed, or another worker has it."""
    row = await tx.fetchrow(
        """
        UPDATE locker.export
           SET state = 'ready', object_key = $4, wrapped_key = $5, epoch = $6, sha256 = $7, length = $8,
               ciphertext_sha256 = $9, format = $10, expires_at = now() + make_interval(secs => $11)
         WHERE owner = $1 AND export_id = $2 AND attempt = $3 AND state = 'waiting'
        RETURNING export_id""",
        taken.owner,
        taken.export_id,
        taken.attempt,
        stored.object_key,
        stored.wrapped_key,
        stored.epoch,
        stored.plaintext_sha256,
        stored.length,
        stored.ciphertext_sha256,
        stored.format,
        float(lifetime_s),
    )
    return row is not None


async def put_off(tx: Tx, *, owner: str, attempt: UUID, wait_s: float, failed: bool) -> None:
    await tx.execute(
        """
        UPDATE locker.export SET next_attempt_at = now() + make_interval(secs => $3),
               state = CASE WHEN $4 THEN 'failed' ELSE state END
         WHERE owner = $1 AND attempt = $2 AND state = 'waiting'""",
        owner,
        attempt,
        wait_s,
        failed,
    )


async def remove(tx: Tx, *, owner: str) -> tuple[str, str | None] | None:
    """Its id and its object, which is noise from here on."""
    row = await tx.fetchrow("DELETE FROM locker.export WHERE owner = $1 RETURNING export_id, object_key", owner)
    return (row["export_id"], row["object_key"]) if row else None


async def remove_expired(tx: Tx, *, batch_max: int) -> list[tuple[str, str, str]]:
    """Owner, id and object of those whose day is over."""
    rows = await tx.fetch(
        """
        DELETE FROM locker.export
         WHERE (owner, export_id) IN (SELECT owner, export_id FROM locker.export
                                       WHERE state = 'ready' AND expires_at <= now()
                                       LIMIT $1 FOR UPDATE SKIP LOCKED)
        RETURNING owner, export_id, object_key""",
        batch_max,
    )
    return [(row["owner"], row["export_id"], row["object_key"]) for row in rows]


async def document_ids(tx: Tx, *, owner: str, after: str, limit: int) -> list[str]:
    rows = await tx.fetch(
        """
        SELECT document_id FROM locker.document
         WHERE owner = $1 AND document_id > $2 AND wrapped_key IS NOT NULL ORDER BY document_id LIMIT $3""",
        owner,
        after,
        limit,
    )
    return [row["document_id"] for row in rows]


async def upload_ids(tx: Tx, *, owner: str, after: str, limit: int) -> list[str]:
    """Also those in the bin; those that were not scanned or are dangerous are served to nobody."""
    rows = await tx.fetch(
        """
        SELECT upload_id FROM locker.upload
         WHERE owner = $1 AND upload_id > $2 AND gone_at IS NULL AND scan IN ('none', 'clean')
         ORDER BY upload_id LIMIT $3""",
        owner,
        after,
        limit,
    )
    return [row["upload_id"] for row in rows]


async def share_ids(tx: Tx, *, owner: str, after: str, limit: int) -> list[str]:
    rows = await tx.fetch(
        "SELECT share_id FROM locker.share WHERE owner = $1 AND share_id > $2 ORDER BY share_id LIMIT $3",
        owner,
        after,
        limit,
    )
    return [row["share_id"] for row in rows]


async def with_objects(tx: Tx, *, object_keys: Sequence[str]) -> set[str]:
    rows = await tx.fetch(
        """SELECT object_key FROM locker.export WHERE object_key COLLATE "C" = ANY($1::text[])""", list(object_keys)
    )
    return {row["object_key"] for row in rows}


async def promised_between(tx: Tx, *, after: str, until: str) -> dict[str, str]:
    rows = await tx.fetch(
        """
        SELECT object_key, export_id FROM locker.export
         WHERE object_key COLLATE "C" > $1 AND object_key COLLATE "C" <= $2""",
        after,
        until,
    )
    return {row["object_key"]: row["export_id"] for row in rows}


def _stored(row: Row) -> Stored:
    return Stored(
        object_key=row["object_key"],
        wrapped_key=row["wrapped_key"],
        epoch=row["epoch"],
        plaintext_sha256=row["sha256"],
        ciphertext_sha256=row["ciphertext_sha256"],
        length=row["length"],
        format=row["format"],
    )
