"""All writes to what the archive holds, and its reads."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from kit.counting import count_up_to
from kit.db import Tx
from locker.archive.schema import (
    CopyState,
    Due,
    Failing,
    HeldCopy,
    Member,
    NewCopy,
    StoredTimeStamp,
    TakenCopy,
    TakenRecord,
)
from locker.vault import Stored

_COPY = "a.object_key, a.wrapped_key, a.epoch, a.sha256, a.length, a.ciphertext_sha256, a.format"
# $1 now, $2 now and the margin, $3 what is weak by then
_RECORD_DUE = """
    next_attempt_at <= $1 AND (
        state = 'making'
        OR (state = 'held' AND (renew_by <= $2 OR digest_algorithm = ANY($3::text[]) OR algorithms && $3::text[])))"""

_READABLE = """EXISTS (SELECT FROM locker.document AS e
                            WHERE e.owner = a.owner AND e.document_id = a.document_id AND e.wrapped_key IS NOT NULL)"""


def _first_due(*, each: bool) -> str:
    """$1 now, $2 now and the margin, $3 what is weak by then. ``each``: also what an evidence record covers is
    renewed."""
    # The states stand in the text, so that the planner sees which partial index fits.
    kept = "a.state = 'kept'" if each else "a.state = 'kept' AND a.record_id IS NULL"
    of = f"SELECT a.owner, a.document_id FROM locker.archived AS a WHERE a.next_attempt_at <= $1 AND {_READABLE}"
    return f"""WITH RECURSIVE making AS (
            {of} AND a.state = 'waiting' ORDER BY a.next_attempt_at LIMIT 1 FOR UPDATE OF a SKIP LOCKED
        ), ending AS (
            {of} AND {kept} AND a.renew_by <= $2 ORDER BY a.renew_by LIMIT 1 FOR UPDATE OF a SKIP LOCKED
        ), used AS (
            -- Millions of copies rest on a handful of sets of algorithms: found by hops over the index.
            (SELECT a.algorithms FROM locker.archived AS a WHERE {kept} ORDER BY a.algorithms LIMIT 1)
            UNION ALL
            SELECT (SELECT a.algorithms FROM locker.archived AS a
                     WHERE {kept} AND a.algorithms > used.algorithms ORDER BY a.algorithms LIMIT 1)
              FROM used WHERE used.algorithms IS NOT NULL
        ), weak AS (
            SELECT found.owner, found.document_id FROM used CROSS JOIN LATERAL (
                {of} AND {kept} AND a.algorithms = used.algorithms
                 ORDER BY a.next_attempt_at LIMIT 1 FOR UPDATE OF a SKIP LOCKED) AS found
             WHERE used.algorithms && $3::text[] LIMIT 1
        ), first AS (
            SELECT * FROM making UNION ALL SELECT * FROM ending UNION ALL SELECT * FROM weak LIMIT 1)"""


_FIRST_DUE = {each: _first_due(each=each) for each in (False, True)}


async def enlist(tx: Tx, *, owner: str, document_id: str) -> None:
    """In the transaction that makes the document."""
    await tx.execute(
        "INSERT INTO locker.archived (owner, document_id) VALUES ($1, $2) ON CONFLICT DO NOTHING", owner, document_id
    )


async def take_copy(
    tx: Tx, *, now: datetime, by: datetime, weak: Sequence[str], each: bool, attempt: UUID, lease: timedelta
) -> TakenCopy | None:
    """One that is to be made, or else renewed. Who dies over it loses nothing: it is due again when the lease ends.

    Each way of being due has an index, and is looked into only where those before it have nothing.
    """
    row = await tx.fetchrow(
        f"""
        {_FIRST_DUE[each]}
        UPDATE locker.archived AS a SET attempt = $4, attempts = attempts + 1, next_attempt_at = $1 + $5::interval
          FROM first JOIN locker.document AS d USING (owner, document_id)
         WHERE a.owner = first.owner AND a.document_id = first.document_id
        RETURNING a.owner, a.document_id, a.attempt, a.attempts, a.generation, {_COPY}, d.version,
                  d.object_key AS o_object_key, d.wrapped_key AS o_wrapped_key, d.epoch AS o_epoch,
                  d.sha256 AS o_sha256, d.length AS o_length, d.ciphertext_sha256 AS o_ciphertext_sha256,
                  d.format AS o_format""",
        now,
        by,
        list(weak),
        attempt,
        lease,
    )
    if row is None:
        return None
    return TakenCopy(
        owner=row["owner"],
        document_id=row["document_id"],
        attempt=row["attempt"],
        attempts=row["attempts"],
        generation=row["generation"],
        original=_stored(row, "o_"),
        version=row["version"],
        copy=_stored(row) if row["wrapped_key"] is not None else None,
    )


async def keep(tx: Tx, taken: TakenCopy, new: NewCopy) -> bool:
    """The new copy takes the old one's place; its object is the sweeper's. False for an attempt that was overtaken."""
    stored = new.stored
    row = await tx.fetchrow(
        """
        UPDATE locker.archived
           SET state = 'kept', generation = generation + 1, object_key = $5, wrapped_key = $6, epoch = $7, sha256 = $8,
               length = $9, ciphertext_sha256 = $10, format = $11, verdict = $12, time_stamped_at = $13,
               renew_by = $14, algorithms = $15, attempts = 0, attempt = NULL, failure = NULL,
               next_attempt_at = $13
         WHERE owner = $1 AND document_id = $2 AND attempt = $3 AND generation = $4
        RETURNING document_id""",
        taken.owner,
        taken.document_id,
        taken.attempt,
        taken.generation,
        stored.object_key,
        stored.wrapped_key,
        stored.epoch,
        stored.plaintext_sha256,
        stored.length,
        stored.ciphertext_sha256,
        stored.format,
        new.verdict,
        new.time_stamped_at,
        new.renew_by,
        list(new.algorithms),
    )
    return row is not None


async def put_off_copy(tx: Tx, taken: TakenCopy, *, failure: str, until: datetime) -> None:
    await tx.execute(
        """
        UPDATE locker.archived SET failure = $4, next_attempt_at = $5, attempt = NULL
         WHERE owner = $1 AND document_id = $2 AND attempt = $3""",
        taken.owner,
        taken.document_id,
        taken.attempt,
        failure,
        until,
    )


async def let_lapse(tx: Tx, taken: TakenCopy, *, failure: str, verdict: dict[str, Any]) -> bool:
    row = await tx.fetchrow(
        """
        UPDATE locker.archived SET state = 'lapsed', failure = $4, verdict = $5, attempt = NULL
         WHERE owner = $1 AND document_id = $2 AND attempt = $3
        RETURNING document_id""",
        taken.owner,
        taken.document_id,
        taken.attempt,
        failure,
        verdict,
    )
    return row is not None


async def begin_record(
    tx: Tx,
    *,
    record_id: UUID,
    attempt: UUID,
    kept_before: datetime,
    now: datetime,
    documents_max: int,
    lease: timedelta,
) -> int:
    """How many kept copies without a record this one takes; 0: there are none, and no record."""
    documents: int | None = await tx.fetchval(
        """
        WITH chosen AS (
            SELECT owner, document_id FROM locker.archived
             WHERE state = 'kept' AND record_id IS NULL AND time_stamped_at < $3
             ORDER BY time_stamped_at LIMIT $5 FOR UPDATE SKIP LOCKED),
        assigned AS (
            UPDATE locker.archived a SET record_id = $1 FROM chosen c
             WHERE a.owner = c.owner AND a.document_id = c.document_id
            RETURNING 1)
        INSERT INTO locker.evidence_record (record_id, documents, begun_at, attempt, attempts, next_attempt_at)
        SELECT $1, count(*), $4::timestamptz, $2, 1, $4::timestamptz + $6::interval FROM assigned HAVING count(*) > 0
        RETURNING documents""",
        record_id,
        attempt,
        kept_before,
        now,
        documents_max,
        lease,
    )
    return documents or 0


async def take_record(
    tx: Tx, *, now: datetime, by: datetime, weak: Sequence[str], attempt: UUID, lease: timedelta
) -> TakenRecord | None:
    row = await tx.fetchrow(
        f"""
        UPDATE locker.evidence_record SET attempt = $4, attempts = attempts + 1, next_attempt_at = $1 + $5::interval
         WHERE record_id = (SELECT record_id FROM locker.evidence_record WHERE {_RECORD_DUE}
                             ORDER BY next_attempt_at LIMIT 1 FOR UPDATE SKIP LOCKED)
        RETURNING record_id, state, attempt, attempts, renew_by""",
        now,
        by,
        list(weak),
        attempt,
        lease,
    )
    return TakenRecord(**dict(row)) if row else None


async def hold(
    tx: Tx,
    *,
    record_id: UUID,
    attempt: UUID,
    stamp: StoredTimeStamp,
    renew_by: datetime,
    algorithms: Sequence[str],
) -> bool:
    """One more archive time stamp. False for an attempt that was overtaken: nothing was written."""
    row = await tx.fetchrow(
        """
        WITH held AS (
            UPDATE locker.evidence_record
               SET state = 'held', digest_algorithm = $5, renew_by = $8, algorithms = $9, attempt = NULL, attempts = 0,
                   next_attempt_at = $7, failure = NULL
             WHERE record_id = $1 AND attempt = $2
            RETURNING record_id)
        INSERT INTO locker.archive_time_stamp (record_id, chain, position, digest_algorithm, time_stamp, time)
        SELECT record_id, $3, $4, $5, $6, $7 FROM held
        RETURNING record_id""",
        record_id,
        attempt,
        stamp.chain,
        stamp.position,
        stamp.digest_algorithm,
        stamp.token,
        stamp.time,
        renew_by,
        list(algorithms),
    )
    return row is not None


async def add_trees(
    tx: Tx, *, record_id: UUID, chain: int, members: Sequence[Member], reduced_hashtrees: Sequence[bytes]
) -> None:
    await tx.execute(
        """
        INSERT INTO locker.evidence_tree (owner, document_id, record_id, chain, reduced_hashtree, covered_bytes)
        SELECT owner, document_id, $1, $2, reduced_hashtree, covered_bytes
          FROM unnest($3::text[], $4::text[], $5::bytea[], $6::bigint[])
               AS given (owner, document_id, reduced_hashtree, covered_bytes)""",
        record_id,
        chain,
        [member.owner for member in members],
        [member.document_id for member in members],
        list(reduced_hashtrees),
        [member.covered_bytes for member in members],
    )


async def put_off_record(tx: Tx, taken: TakenRecord, *, failure: str, until: datetime) -> None:
    await tx.execute(
        """
        UPDATE locker.evidence_record SET failure = $3, next_attempt_at = $4, attempt = NULL
         WHERE record_id = $1 AND attempt = $2""",
        taken.record_id,
        taken.attempt,
        failure,
        until,
    )


async def let_record_lapse(tx: Tx, taken: TakenRecord, *, failure: str) -> bool:
    """Its documents are without a record again, so that a copy that still holds is covered by the next one."""
    row = await tx.fetchrow(
        """
        WITH lapsed AS (
            UPDATE locker.evidence_record SET state = 'lapsed', failure = $3, attempt = NULL
             WHERE record_id = $1 AND attempt = $2
            RETURNING record_id),
        freed AS (
            UPDATE locker.archived SET record_id = NULL WHERE record_id = (SELECT record_id FROM lapsed))
        SELECT record_id FROM lapsed""",
        taken.record_id,
        taken.attempt,
        failure,
    )
    return row is not None


async def members(tx: Tx, *, record_id: UUID) -> list[Member]:
    """In one order. ``covered_bytes`` is what the first tree covered, or the whole copy before there is one."""
    rows = await tx.fetch(
        f"""
        SELECT a.owner, a.document_id, a.generation, {_COPY}, coalesce(t.covered_bytes, a.length) AS covered_bytes
          FROM locker.archived a
          LEFT JOIN locker.evidence_tree t
            ON t.owner = a.owner AND t.document_id = a.document_id AND t.record_id = a.record_id AND t.chain = 1
         WHERE a.record_id = $1 AND a.wrapped_key IS NOT NULL ORDER BY a.owner, a.document_id""",
        record_id,
    )
    return [
        Member(
            owner=row["owner"],
            document_id=row["document_id"],
            generation=row["generation"],
            copy=_stored(row),
            covered_bytes=row["covered_bytes"],
        )
        for row in rows
    ]


async def time_stamps(tx: Tx, *, record_id: UUID) -> list[StoredTimeStamp]:
    rows = await tx.fetch(
        """
        SELECT chain, position, digest_algorithm, time_stamp AS token, time FROM locker.archive_time_stamp
         WHERE record_id = $1 ORDER BY chain, position""",
        record_id,
    )
    return [StoredTimeStamp(**dict(row)) for row in rows]


async def trees(tx: Tx, *, record_id: UUID, owner: str, document_id: str) -> tuple[dict[int, bytes], int]:
    """Chain → reduced hash tree, and how many bytes of the copy they cover."""
    rows = await tx.fetch(
        """
        SELECT chain, reduced_hashtree, covered_bytes FROM locker.evidence_tree
         WHERE owner = $1 AND document_id = $2 AND record_id = $3 ORDER BY chain""",
        owner,
        document_id,
        record_id,
    )
    return {row["chain"]: row["reduced_hashtree"] for row in rows}, rows[0]["covered_bytes"] if rows else 0


async def trees_of_all(tx: Tx, *, record_id: UUID) -> dict[tuple[str, str], dict[int, bytes]]:
    found: dict[tuple[str, str], dict[int, bytes]] = {}
    for row in await tx.fetch(
        "SELECT owner, document_id, chain, reduced_hashtree FROM locker.evidence_tree WHERE record_id = $1", record_id
    ):
        found.setdefault((row["owner"], row["document_id"]), {})[row["chain"]] = row["reduced_hashtree"]
    return found


async def held(tx: Tx, *, document_id: str) -> HeldCopy | None:
    row = await tx.fetchrow(
        f"""
        SELECT a.owner, a.document_id, a.state, a.generation, {_COPY}, a.time_stamped_at, a.renew_by, a.record_id,
               a.failure
          FROM locker.archived a WHERE a.document_id = $1""",
        document_id,
    )
    if row is None:
        return None
    return HeldCopy(
        owner=row["owner"],
        document_id=row["document_id"],
        state=row["state"],
        generation=row["generation"],
        copy=_stored(row) if row["wrapped_key"] is not None else None,
        time_stamped_at=row["time_stamped_at"],
        renew_by=row["renew_by"],
        record_id=row["record_id"],
        failure=row["failure"],
    )


async def due(tx: Tx, *, now: datetime, by: datetime, weak: Sequence[str], each: bool, kept_before: datetime) -> Due:
    row = await tx.fetchrow(
        """
        SELECT count(*) FILTER (WHERE a.state = 'waiting' AND a.next_attempt_at <= $1) AS copies_to_make,
               count(*) FILTER (WHERE a.state = 'kept' AND a.next_attempt_at <= $1 AND ($4 OR a.record_id IS NULL)
                                  AND (a.renew_by <= $2 OR a.algorithms && $3::text[])) AS copies_to_renew,
               count(*) FILTER (WHERE a.state = 'kept' AND a.record_id IS NULL AND a.time_stamped_at < $5)
                   AS copies_to_cover,
               min(a.renew_by) FILTER (WHERE a.state = 'kept' AND ($4 OR a.record_id IS NULL)) AS next_end
          FROM locker.archived a""",
        now,
        by,
        list(weak),
        each,
        kept_before,
    )
    records = await tx.fetchrow(
        f"""
        SELECT count(*) FILTER (WHERE state = 'making' AND next_attempt_at <= $1) AS records_to_make,
               count(*) FILTER (WHERE state = 'held' AND {_RECORD_DUE}) AS records_to_renew,
               min(renew_by) FILTER (WHERE state = 'held') AS next_end
          FROM locker.evidence_record""",
        now,
        by,
        list(weak),
    )
    assert row is not None
    assert records is not None
    ends = [end for end in (row["next_end"], records["next_end"]) if end is not None]
    return Due(
        copies_to_make=row["copies_to_make"],
        copies_to_renew=row["copies_to_renew"],
        copies_to_cover=row["copies_to_cover"],
        records_to_make=records["records_to_make"],
        records_to_renew=records["records_to_renew"],
        next_end=min(ends, default=None),
    )


async def copies_by_state(tx: Tx) -> dict[str, int]:
    rows = await tx.fetch("SELECT state, count(*) AS many FROM locker.archived GROUP BY state")
    return {row["state"]: row["many"] for row in rows}


async def count_copies(tx: Tx, *, state: CopyState) -> int:
    """Of ``waiting`` and ``lapsed`` from an index of their own."""
    # The state stands in the text, so that the planner sees which partial index fits.
    return await count_up_to(tx, f"locker.archived WHERE state = '{state}'")


async def records_by_state(tx: Tx) -> dict[str, int]:
    rows = await tx.fetch("SELECT state, count(*) AS many FROM locker.evidence_record GROUP BY state")
    return {row["state"]: row["many"] for row in rows}


async def count_time_stamps(tx: Tx) -> int:
    many: int = await tx.fetchval("SELECT count(*) FROM locker.archive_time_stamp")
    return many


async def failing(tx: Tx, *, limit: int) -> list[Failing]:
    rows = await tx.fetch(
        """
        SELECT document_id AS what, failure, attempts, next_attempt_at FROM locker.archived WHERE failure IS NOT NULL
         UNION ALL
        SELECT record_id::text, failure, attempts, next_attempt_at FROM locker.evidence_record
         WHERE failure IS NOT NULL
         ORDER BY next_attempt_at LIMIT $1""",
        limit,
    )
    return [Failing(**dict(row)) for row in rows]


async def with_objects(tx: Tx, *, object_keys: Sequence[str]) -> set[str]:
    """Which of these objects a copy promises."""
    rows = await tx.fetch(
        """
        SELECT object_key FROM locker.archived
         WHERE object_key COLLATE "C" = ANY($1::text[]) AND wrapped_key IS NOT NULL""",
        list(object_keys),
    )
    return {row["object_key"] for row in rows}


async def promised_between(tx: Tx, *, after: str, until: str) -> dict[str, str]:
    rows = await tx.fetch(
        """
        SELECT object_key, document_id FROM locker.archived
         WHERE object_key COLLATE "C" > $1 AND object_key COLLATE "C" <= $2 AND wrapped_key IS NOT NULL""",
        after,
        until,
    )
    return {row["object_key"]: row["document_id"] for row in rows}


def _stored(row: Any, prefix: str = "") -> Stored:
    return Stored(
        object_key=row[prefix + "object_key"],
        wrapped_key=row[prefix + "wrapped_key"],
        epoch=row[prefix + "epoch"],
        plaintext_sha256=row[prefix + "sha256"],
        ciphertext_sha256=row[prefix + "ciphertext_sha256"],
        length=row[prefix + "length"],
        format=row[prefix + "format"],
    )
