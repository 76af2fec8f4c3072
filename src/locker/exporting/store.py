"""The one writer of ``locker.export`` and of ``locker.export_part``."""

from collections.abc import Sequence
from uuid import UUID, uuid4

import msgspec

from kit.db import Tx
from locker.exporting.schema import Checkpoint, Export, Part, Ready, Taken, part_name, whole_name
from locker.vault import Stored

_EXPORT = "export_id, state, asked_at, length, sha256, expires_at"


async def to_make_room(tx: Tx, *, owner: str) -> str | None:
    """The id of one that failed or whose day is over, held until ``tx`` ends."""
    found: str | None = await tx.fetchval(
        """
        SELECT export_id FROM locker.export
         WHERE owner = $1 AND (state = 'failed' OR (state = 'ready' AND expires_at <= now())) FOR UPDATE""",
        owner,
    )
    return found


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
    """Whole, or not: whoever removes it holds its row, and waits for ``tx``."""
    row = await tx.fetchrow(
        """
        SELECT export_id, parts, object_key, wrapped_key, epoch, sha256, length, ciphertext_sha256, format
          FROM locker.export WHERE owner = $1 AND state = 'ready' AND expires_at > now() FOR KEY SHARE""",
        owner,
    )
    if row is None:
        return None
    export_id, length = row["export_id"], row["length"]
    if row["parts"] is None:
        whole = Part(
            number=0, name=whole_name(export_id), stored=Stored.of(row), zip_length=length, checkpoint=Checkpoint()
        )
        found = [whole]
    else:
        found = await parts(tx, owner=owner, export_id=export_id, many=row["parts"])
    return Ready(export_id=export_id, length=length, sha256=row["sha256"], parts=found)


async def parts(tx: Tx, *, owner: str, export_id: str, many: int | None = None) -> list[Part]:
    """Of ``many`` the last one is named as the last; None: the last one is not made yet."""
    rows = await tx.fetch(
        """
        SELECT number, object_key, wrapped_key, epoch, sha256, length, zip_length, ciphertext_sha256, format, checkpoint
          FROM locker.export_part WHERE owner = $1 AND export_id = $2 ORDER BY number""",
        owner,
        export_id,
    )
    return [
        Part(
            number=row["number"],
            # By their place and not by what the row says, so that a row that is away or elsewhere opens nothing.
            name=part_name(export_id, place, last=place + 1 == many),
            stored=Stored.of(row),
            zip_length=row["zip_length"],
            checkpoint=msgspec.json.decode(row["checkpoint"], type=Checkpoint),
        )
        for place, row in enumerate(rows)
    ]


async def add_part(tx: Tx, part: Part, *, owner: str, export_id: str) -> None:
    await tx.execute(
        """
        INSERT INTO locker.export_part (owner, export_id, number, object_key, wrapped_key, epoch, sha256, length,
                                        zip_length, ciphertext_sha256, format, checkpoint)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)""",
        owner,
        export_id,
        part.number,
        part.stored.object_key,
        part.stored.wrapped_key,
        part.stored.epoch,
        part.stored.plaintext_sha256,
        part.stored.length,
        part.zip_length,
        part.stored.ciphertext_sha256,
        part.stored.format,
        msgspec.json.encode(part.checkpoint).decode(),
    )


async def drop_parts(tx: Tx, *, owner: str, export_id: str, first: int) -> list[str]:
    """Those from ``first`` on: their objects."""
    rows = await tx.fetch(
        """
        DELETE FROM locker.export_part WHERE owner = $1 AND export_id = $2 AND number >= $3 RETURNING object_key""",
        owner,
        export_id,
        first,
    )
    return [row["object_key"] for row in rows]


async def go_on(tx: Tx, taken: Taken, *, reached: int, lease_s: int) -> bool:
    """A lease from now on, and a count of attempts from the start where it came further than ever. False: it was
    removed, or another worker has it."""
    row = await tx.fetchrow(
        """
        UPDATE locker.export
           SET next_attempt_at = now() + make_interval(secs => $5), reached = greatest(reached, $4),
               attempts = CASE WHEN reached < $4 THEN 1 ELSE attempts END
         WHERE owner = $1 AND export_id = $2 AND attempt = $3 AND state = 'waiting'
        RETURNING export_id""",
        taken.owner,
        taken.export_id,
        taken.attempt,
        reached,
        float(lease_s),
    )
    return row is not None


async def fail_overtaken(tx: Tx, *, attempts_max: int) -> list[tuple[str, str]]:
    """Those whose every attempt ended with its worker: owner and id."""
    rows = await tx.fetch(
        """
        UPDATE locker.export SET state = 'failed'
         WHERE state = 'waiting' AND next_attempt_at <= now() AND attempts >= $1 RETURNING owner, export_id""",
        attempts_max,
    )
    return [(row["owner"], row["export_id"]) for row in rows]


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


async def finish(tx: Tx, taken: Taken, *, parts: int, sha256: bytes, length: int, lifetime_s: int) -> bool:
    """False: it was removed, or another worker has it."""
    row = await tx.fetchrow(
        """
        UPDATE locker.export
           SET state = 'ready', parts = $4, sha256 = $5, length = $6, expires_at = now() + make_interval(secs => $7)
         WHERE owner = $1 AND export_id = $2 AND attempt = $3 AND state = 'waiting'
        RETURNING export_id""",
        taken.owner,
        taken.export_id,
        taken.attempt,
        parts,
        sha256,
        length,
        float(lifetime_s),
    )
    return row is not None


async def attempts(tx: Tx, taken: Taken) -> int:
    """Since it came further than ever, this one among them."""
    found: int | None = await tx.fetchval(
        "SELECT attempts FROM locker.export WHERE owner = $1 AND attempt = $2", taken.owner, taken.attempt
    )
    return found or taken.attempts


async def put_off(tx: Tx, *, owner: str, attempt: UUID, wait_s: float, failed: bool) -> bool:
    """False: another worker has it, or it was removed."""
    row = await tx.fetchrow(
        """
        UPDATE locker.export SET next_attempt_at = now() + make_interval(secs => $3),
               state = CASE WHEN $4 THEN 'failed' ELSE state END
         WHERE owner = $1 AND attempt = $2 AND state = 'waiting' RETURNING export_id""",
        owner,
        attempt,
        wait_s,
        failed,
    )
    return row is not None


async def give_back(tx: Tx, taken: Taken, *, wait_s: float) -> None:
    """As if this attempt had not been; nothing where another worker has it, or it was removed."""
    await tx.execute(
        """
        UPDATE locker.export SET next_attempt_at = now() + make_interval(secs => $3), attempts = attempts - 1
         WHERE owner = $1 AND attempt = $2 AND state = 'waiting'""",
        taken.owner,
        taken.attempt,
        wait_s,
    )


async def to_remove(tx: Tx, *, owner: str) -> str | None:
    """The id of the one there is, held until ``tx`` ends."""
    found: str | None = await tx.fetchval("SELECT export_id FROM locker.export WHERE owner = $1 FOR UPDATE", owner)
    return found


async def expired(tx: Tx, *, batch_max: int) -> list[tuple[str, str]]:
    """Owner and id of those whose day is over, held until ``tx`` ends."""
    rows = await tx.fetch(
        """
        SELECT owner, export_id FROM locker.export WHERE state = 'ready' AND expires_at <= now()
         LIMIT $1 FOR UPDATE SKIP LOCKED""",
        batch_max,
    )
    return [(row["owner"], row["export_id"]) for row in rows]


async def remove(tx: Tx, *, owner: str, export_id: str) -> str | None:
    """Its parts are gone before. The object of one that was made when an export was one."""
    row = await tx.fetchrow(
        "DELETE FROM locker.export WHERE owner = $1 AND export_id = $2 RETURNING object_key", owner, export_id
    )
    return row["object_key"] if row else None


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
        """
        SELECT object_key FROM locker.export_part WHERE object_key COLLATE "C" = ANY($1::text[])
         UNION ALL
        SELECT object_key FROM locker.export WHERE object_key COLLATE "C" = ANY($1::text[])""",
        list(object_keys),
    )
    return {row["object_key"] for row in rows}


async def promised_between(tx: Tx, *, after: str, until: str) -> dict[str, str]:
    rows = await tx.fetch(
        """
        SELECT object_key, export_id FROM locker.export_part
         WHERE object_key COLLATE "C" > $1 AND object_key COLLATE "C" <= $2
         UNION ALL
        SELECT object_key, export_id FROM locker.export
         WHERE object_key COLLATE "C" > $1 AND object_key COLLATE "C" <= $2""",
        after,
        until,
    )
    return {row["object_key"]: row["export_id"] for row in rows}
