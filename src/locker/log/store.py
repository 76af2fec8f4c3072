"""All writes of the log, and its reads of the audit that it is made of."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from uuid import UUID

import msgspec

from kit.counting import count_up_to
from kit.db import Row, Tx
from locker.log.schema import Accounts, AuditRow, Entry, Forgotten, Head, HeldLeaf, NewLeaf

_ROW = "a.audit_id, a.at, a.action, a.actor_kind, a.actor, a.owner, a.object_id, a.purpose, a.result, a.detail"
_HEAD = "size, published, checkpoint, verifier_key, backfill_at, backfill_id, backfill_until"


async def lead(tx: Tx, *, leader: UUID, lease_s: float) -> Head | None:
    """Take or keep the lead; None: another one has it."""
    row = await tx.fetchrow(
        f"""
        UPDATE locker.log_head SET leader = $1, leader_until = now() + make_interval(secs => $2)
         WHERE one AND (leader = $1 OR leader IS NULL OR leader_until < now())
        RETURNING {_HEAD}""",
        leader,
        lease_s,
    )
    return _head(row) if row else None


async def step_down(tx: Tx, *, leader: UUID) -> None:
    await tx.execute("UPDATE locker.log_head SET leader = NULL WHERE one AND leader = $1", leader)


async def head(tx: Tx) -> Head:
    row = await tx.fetchrow(f"SELECT {_HEAD} FROM locker.log_head WHERE one")
    assert row is not None
    return _head(row)


async def hold_size(tx: Tx, *, leader: UUID) -> int | None:
    """The size, which stays until ``tx`` ends; None: the lead went to another."""
    found: int | None = await tx.fetchval(
        "SELECT size FROM locker.log_head WHERE one AND leader = $1 FOR UPDATE", leader
    )
    return found


async def queue_older(tx: Tx, *, head: Head, limit: int) -> int:
    """The next rows that were written before there was a log; how many, 0 when all are queued."""
    last = await tx.fetchrow(
        """
        WITH portion AS (
            SELECT a.at, a.audit_id FROM locker.audit AS a
             WHERE (a.at, a.audit_id) > ($1, $2) AND a.at <= $3 ORDER BY a.at, a.audit_id LIMIT $4),
        queued AS (
            INSERT INTO locker.log_waiting (at, audit_id)
            SELECT p.at, p.audit_id FROM portion AS p
             WHERE NOT EXISTS (SELECT FROM locker.log_leaf AS l WHERE l.audit_id = p.audit_id)
            ON CONFLICT DO NOTHING)
        SELECT at, audit_id, count(*) OVER () AS rows FROM portion ORDER BY at DESC, audit_id DESC LIMIT 1""",
        head.backfill_at,
        head.backfill_id,
        head.backfill_until,
        limit,
    )
    if last is None:
        await tx.execute("UPDATE locker.log_head SET backfill_until = NULL WHERE one")
        return 0
    await tx.execute(
        "UPDATE locker.log_head SET backfill_at = $1, backfill_id = $2 WHERE one", last["at"], last["audit_id"]
    )
    return int(last["rows"])


async def waiting(tx: Tx, *, limit: int) -> list[AuditRow]:
    """Committed rows without an index, the oldest first. Which are seen depends on no clock."""
    # OFFSET 0 keeps the planner from reading the whole audit for a few keys, whatever it believes of the queue.
    rows = await tx.fetch(
        f"""
        SELECT {_ROW}
          FROM locker.log_waiting AS w
         CROSS JOIN LATERAL (SELECT * FROM locker.audit AS b
                              WHERE b.at = w.at AND b.audit_id = w.audit_id OFFSET 0) AS a
         ORDER BY w.at, w.audit_id LIMIT $1""",
        limit,
    )
    return [msgspec.convert(dict(row), AuditRow) for row in rows]


async def count_waiting(tx: Tx) -> int:
    return await count_up_to(tx, "locker.log_waiting")


async def last_numbers(tx: Tx, owners: Iterable[str]) -> dict[str, int]:
    rows = await tx.fetch(
        """
        SELECT o.owner, coalesce((SELECT e.number FROM locker.log_entry AS e WHERE e.owner = o.owner
                                   ORDER BY e.number DESC LIMIT 1), 0) AS number
          FROM unnest($1::text[]) AS o (owner)""",
        sorted(set(owners)),
    )
    return {row["owner"]: row["number"] for row in rows}


async def add_leaves(tx: Tx, leaves: Sequence[NewLeaf]) -> None:
    await tx.execute(
        """
        WITH fresh AS (SELECT * FROM unnest($1::bigint[], $2::timestamptz[], $3::uuid[], $4::bytea[], $5::text[],
                                            $6::bigint[], $7::bytea[])
                              AS f (leaf_index, at, audit_id, commitment, owner, number, nonce)),
        leaves AS (INSERT INTO locker.log_leaf (leaf_index, at, audit_id, commitment)
                   SELECT leaf_index, at, audit_id, commitment FROM fresh ORDER BY leaf_index),
        entries AS (INSERT INTO locker.log_entry (owner, number, leaf_index, audit_id, nonce)
                    SELECT owner, number, leaf_index, audit_id, nonce FROM fresh)
        DELETE FROM locker.log_waiting AS w USING fresh AS f WHERE w.at = f.at AND w.audit_id = f.audit_id""",
        [leaf.leaf_index for leaf in leaves],
        [leaf.at for leaf in leaves],
        [leaf.audit_id for leaf in leaves],
        [leaf.commitment for leaf in leaves],
        [leaf.owner for leaf in leaves],
        [leaf.number for leaf in leaves],
        [leaf.nonce for leaf in leaves],
    )


async def add_lost_leaves(tx: Tx, *, start: int, commitments: Sequence[bytes]) -> None:
    await tx.execute(
        """
        INSERT INTO locker.log_leaf (leaf_index, commitment)
        SELECT $1 + c.n - 1, c.commitment FROM unnest($2::bytea[]) WITH ORDINALITY AS c (commitment, n)""",
        start,
        commitments,
    )


async def keep_tiles(tx: Tx, tiles: Mapping[tuple[int, int], Sequence[bytes]]) -> None:
    await tx.execute(
        """
        INSERT INTO locker.log_tile AS t (level, tile, hashes)
        SELECT * FROM unnest($1::smallint[], $2::bigint[], $3::bytea[])
        ON CONFLICT (level, tile) DO UPDATE SET hashes = EXCLUDED.hashes""",
        [level for level, _ in tiles],
        [tile for _, tile in tiles],
        [b"".join(hashes) for hashes in tiles.values()],
    )


async def grow(tx: Tx, *, old: int, new: int) -> bool:
    """Compare and swap: False where the tree was not of ``old`` leaves."""
    return bool(
        await tx.fetchval("UPDATE locker.log_head SET size = $2 WHERE one AND size = $1 RETURNING true", old, new)
    )


async def commitments(tx: Tx, *, start: int, end: int) -> list[bytes]:
    rows = await tx.fetch(
        "SELECT commitment FROM locker.log_leaf WHERE leaf_index >= $1 AND leaf_index < $2 ORDER BY leaf_index",
        start,
        end,
    )
    return [row["commitment"] for row in rows]


async def tile_hashes(tx: Tx, *, level: int, tile: int) -> bytes:
    """Empty where there is none."""
    found: bytes | None = await tx.fetchval(
        "SELECT hashes FROM locker.log_tile WHERE level = $1 AND tile = $2", level, tile
    )
    return found or b""


async def publish(tx: Tx, *, size: int, checkpoint: str, verifier_keys: Sequence[str]) -> bool:
    """False where a checkpoint of as many leaves or more is there already, or one under another key than
    ``verifier_keys``, of which the first is the one that signed now."""
    return bool(
        await tx.fetchval(
            """
            WITH newest AS (
                UPDATE locker.log_head SET published = $1, checkpoint = $2, verifier_key = ($3::text[])[1]
                 WHERE one AND published < $1 AND (verifier_key IS NULL OR verifier_key = ANY ($3))
                RETURNING published),
            kept AS (
                INSERT INTO locker.log_checkpoint (hour, size, note)
                SELECT date_trunc('hour', now(), 'UTC'), $1, $2 FROM newest ON CONFLICT DO NOTHING)
            SELECT true FROM newest""",
            size,
            checkpoint,
            list(verifier_keys),
        )
    )


async def entries(tx: Tx, *, owner: str, audit_ids: Sequence[UUID]) -> list[Entry]:
    """Of those rows of ``owner`` that have their place."""
    rows = await tx.fetch(
        f"""
        SELECT {_ROW}, e.number, e.nonce, e.leaf_index
          FROM locker.log_entry AS e
          JOIN locker.log_leaf AS l ON l.leaf_index = e.leaf_index
          JOIN locker.audit AS a ON a.at = l.at AND a.audit_id = l.audit_id
         WHERE e.owner = $1 AND e.audit_id = ANY ($2::uuid[]) AND a.owner = $1""",
        owner,
        audit_ids,
    )
    return [_entry(row) for row in rows]


async def is_waiting(tx: Tx, *, owner: str, audit_id: UUID) -> bool:
    return bool(
        await tx.fetchval(
            """
            SELECT EXISTS (SELECT FROM locker.log_waiting AS w JOIN locker.audit AS a USING (at, audit_id)
                            WHERE w.audit_id = $2 AND a.owner = $1)""",
            owner,
            audit_id,
        )
    )


async def held_leaves(tx: Tx, *, start: int, end: int) -> list[HeldLeaf]:
    rows = await tx.fetch(
        f"""
        SELECT l.leaf_index, l.commitment, l.at AS leaf_at, l.audit_id AS leaf_audit_id,
               e.number, e.nonce, e.leaf_index AS entry_index, {_ROW}
          FROM locker.log_leaf AS l
          LEFT JOIN LATERAL (SELECT * FROM locker.audit AS b
                              WHERE b.at = l.at AND b.audit_id = l.audit_id OFFSET 0) AS a ON true
          LEFT JOIN locker.log_entry AS e ON e.owner = coalesce(a.owner, '') AND e.audit_id = l.audit_id
         WHERE l.leaf_index >= $1 AND l.leaf_index < $2 ORDER BY l.leaf_index""",
        start,
        end,
    )
    return [_held(row) for row in rows]


async def unlogged(
    tx: Tx, *, after: tuple[datetime, UUID] | None, limit: int
) -> tuple[list[tuple[datetime, UUID]], tuple[datetime, UUID] | None]:
    """Of the next ``limit`` rows of the audit (None: the first ones) those that are neither in the tree nor in the
    queue, and the last one looked at; None: there are no further rows. A row is always in one of the two, at any one
    moment."""
    rows = await tx.fetch(
        """
        SELECT p.at, p.audit_id,
               NOT EXISTS (SELECT FROM locker.log_leaf AS l WHERE l.audit_id = p.audit_id)
               AND NOT EXISTS (SELECT FROM locker.log_waiting AS w WHERE w.at = p.at AND w.audit_id = p.audit_id)
               AND NOT EXISTS (SELECT FROM locker.log_head AS h
                                WHERE p.at <= h.backfill_until AND (p.at, p.audit_id) > (h.backfill_at, h.backfill_id))
               AS unlogged
          FROM (SELECT a.at, a.audit_id FROM locker.audit AS a
                 WHERE (a.at, a.audit_id) > (coalesce($1::timestamptz, '-infinity'), $2::uuid)
                 ORDER BY a.at, a.audit_id LIMIT $3) AS p
         ORDER BY p.at, p.audit_id""",
        after[0] if after else None,
        after[1] if after else UUID(int=0),
        limit,
    )
    last = (rows[-1]["at"], rows[-1]["audit_id"]) if rows else None
    return [(row["at"], row["audit_id"]) for row in rows if row["unlogged"]], last


async def accounts(tx: Tx) -> Accounts:
    row = await tx.fetchrow(
        """
        SELECT (SELECT count(*) FROM locker.log_leaf WHERE audit_id IS NOT NULL)
               - (SELECT count(*) FROM locker.log_entry) AS erased,
               (SELECT coalesce(sum((detail ->> 'leaves')::bigint), 0)::bigint FROM locker.audit
                 WHERE action = 'log.forgotten') AS forgotten,
               (SELECT count(*) FROM locker.log_leaf WHERE audit_id IS NULL) AS lost,
               (SELECT coalesce(sum((detail ->> 'leaves')::bigint), 0)::bigint FROM locker.audit
                 WHERE action = 'log.adopted') AS adopted"""
    )
    assert row is not None
    return msgspec.convert(dict(row), Accounts)


async def strays(tx: Tx) -> int:
    """Leaves behind the end of the tree."""
    found: int = await tx.fetchval(
        "SELECT count(*) FROM locker.log_leaf AS l JOIN locker.log_head AS h ON l.leaf_index >= h.size"
    )
    return found


async def gaps(tx: Tx, *, after: str | None, limit: int) -> tuple[list[tuple[str, int]], str | None]:
    """Of the next ``limit`` owners (None: the first ones) those with how many of their numbers stand nowhere, and the
    last one looked at; None: there are no further ones. Of whom something was erased nothing is said."""
    rows = await tx.fetch(
        """
        SELECT g.owner, g.missing,
               g.missing <> 0
               AND NOT EXISTS (SELECT FROM locker.citizen_key AS k
                                WHERE k.owner = g.owner AND k.destroyed_at IS NOT NULL)
               AND NOT EXISTS (SELECT FROM locker.erasure AS e WHERE e.owner = g.owner AND e.due_at <= now()) AS gap
          FROM (SELECT owner, max(number) - count(*) AS missing FROM locker.log_entry
                 WHERE $1::text IS NULL OR owner > $1 GROUP BY owner ORDER BY owner LIMIT $2) AS g
         ORDER BY g.owner""",
        after,
        limit,
    )
    found = [(row["owner"], row["missing"]) for row in rows if row["gap"]]
    return found, rows[-1]["owner"] if rows else None


async def kept_checkpoints(tx: Tx) -> list[tuple[datetime, str]]:
    """The first of each hour: at most 8,760 a year."""
    rows = await tx.fetch("SELECT hour, note FROM locker.log_checkpoint ORDER BY hour")
    return [(row["hour"], row["note"]) for row in rows]


async def forget(tx: Tx, *, owner: str, rows_max: int) -> Forgotten:
    row = await tx.fetchrow("SELECT blanked, forgotten FROM locker.forget_log_of($1, $2)", owner, rows_max)
    assert row is not None
    return Forgotten(rows=row["blanked"], leaves=row["forgotten"])


async def forget_unheld(tx: Tx, *, owner: str, rows_max: int) -> Forgotten:
    row = await tx.fetchrow("SELECT blanked, forgotten FROM locker.forget_unheld_log_of($1, $2)", owner, rows_max)
    assert row is not None
    return Forgotten(rows=row["blanked"], leaves=row["forgotten"])


async def make_partition(tx: Tx, month: date) -> bool:
    """False: it is there."""
    # Of workers that start together one makes it, and the others see it.
    made: bool = await tx.fetchval(
        "SELECT locker.make_audit_partition($1) FROM pg_advisory_xact_lock(hashtextextended('audit-partitions', 0))",
        month,
    )
    return made


def _entry(row: Row) -> Entry:
    values = dict(row)
    return Entry(
        number=values.pop("number"),
        nonce=values.pop("nonce"),
        leaf_index=values.pop("leaf_index"),
        row=msgspec.convert(values, AuditRow),
    )


def _held(row: Row) -> HeldLeaf:
    values = dict(row)
    names = ("leaf_index", "commitment", "number", "nonce", "entry_index")
    held = {name: values.pop(name) for name in names}
    held["at"], held["audit_id"] = values.pop("leaf_at"), values.pop("leaf_audit_id")
    return HeldLeaf(**held, row=None if values["audit_id"] is None else msgspec.convert(values, AuditRow))


def _head(row: Row) -> Head:
    return msgspec.convert(dict(row), Head)
