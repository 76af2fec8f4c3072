"""The one writer of ``<schema>.job``."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal
from uuid import UUID

import msgspec

from kit.counting import count_up_to
from kit.db import Tx
from kit.ids import new_id
from kit.jobs.schema import Job, JobRow

_JOB = "job_id, kind, lane, body, attempts, fence, enqueued_at"


class Jobs:
    def __init__(self, schema: Literal["idp", "locker"]) -> None:
        self._table = f"{schema}.job"

    async def enqueue(self, tx: Tx, kind: str, jobs: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
        """``(lane, body)`` each. In the caller's transaction: with what it is about, or not at all."""
        if not jobs:
            return
        await tx.execute(
            f"""
            INSERT INTO {self._table} (job_id, kind, lane, body)
            SELECT wanted.job_id, $1, wanted.lane, wanted.body::jsonb
              FROM unnest($2::uuid[], $3::text[], $4::text[]) AS wanted (job_id, lane, body)""",
            kind,
            [new_id() for _ in jobs],
            [lane for lane, _ in jobs],
            [msgspec.json.encode(body).decode() for _, body in jobs],
        )

    async def take(
        self,
        tx: Tx,
        kind: str,
        *,
        count_max: int,
        per_lane_max: int,
        busy: Mapping[str, int],
        lease_s: float,
        by: str,
        narrow: Collection[str] = (),
        narrow_max: int = 0,
    ) -> list[Job]:
        """Jobs that are due, each for one caller until its lease ends, with a fence that no one had before.

        None of a lane gets more than ``per_lane_max`` less what is ``busy`` here; of ``narrow`` lanes each gets one and
        all together ``narrow_max``. Lanes with fewest on their way come first, then those that wait longest: a backlog
        of one lane costs the others nothing, because lanes are found by hops over the index.
        """
        rows = await tx.fetch(
            f"""
            WITH RECURSIVE lanes AS (
                (SELECT lane, due_at FROM {self._table}
                  WHERE kind = $1 AND dead_at IS NULL ORDER BY lane, due_at LIMIT 1)
                UNION ALL
                SELECT next.lane, next.due_at FROM lanes CROSS JOIN LATERAL (
                    SELECT lane, due_at FROM {self._table}
                     WHERE kind = $1 AND dead_at IS NULL AND lane > lanes.lane ORDER BY lane, due_at LIMIT 1) next
            ), open AS (
                SELECT lanes.lane, lanes.due_at, coalesce(busy.many, 0) AS many, narrow.lane IS NOT NULL AS narrow,
                       CASE WHEN narrow.lane IS NULL THEN $3::int ELSE 1 END - coalesce(busy.many, 0) AS room
                  FROM lanes LEFT JOIN unnest($4::text[], $5::int[]) AS busy (lane, many) USING (lane)
                             LEFT JOIN unnest($8::text[]) AS narrow (lane) USING (lane)
                 WHERE lanes.due_at <= now()
            ), fair AS (
                SELECT lane, many, room FROM (
                    SELECT lane, due_at, many, room, narrow,
                           row_number() OVER (PARTITION BY narrow ORDER BY due_at) AS place
                      FROM open WHERE room > 0) AS ranked
                 WHERE NOT narrow OR place <= $9
                 ORDER BY many, due_at LIMIT $2
            ), due AS (
                SELECT own.job_id, own.due_at,
                       fair.many + row_number() OVER (PARTITION BY fair.lane ORDER BY own.due_at) AS place
                  FROM fair CROSS JOIN LATERAL (
                    SELECT job_id, due_at FROM {self._table} j
                     WHERE j.kind = $1 AND j.dead_at IS NULL AND j.lane = fair.lane AND j.due_at <= now()
                     ORDER BY j.due_at LIMIT fair.room FOR UPDATE SKIP LOCKED) own
            )
            UPDATE {self._table} SET
                   attempts = attempts + 1, fence = fence + 1, due_at = now() + make_interval(secs => $6), taken_by = $7
             WHERE job_id IN (SELECT job_id FROM due ORDER BY place, due_at LIMIT $2)
            RETURNING {_JOB}""",
            kind,
            count_max,
            per_lane_max,
            list(busy),
            list(busy.values()),
            lease_s,
            by,
            list(narrow),
            narrow_max,
        )
        return [msgspec.convert(dict(row), Job) for row in rows]

    async def finish(self, tx: Tx, job: Job) -> bool:
        """False: the lease ended and somebody else has the job. Whoever is told so writes nothing."""
        row = await tx.fetchrow(
            f"DELETE FROM {self._table} WHERE job_id = $1 AND fence = $2 RETURNING true", job.job_id, job.fence
        )
        return row is not None

    async def put_off(self, tx: Tx, job: Job, *, after_s: float, reason: str, counted: bool) -> bool:
        row = await tx.fetchrow(
            f"""
            UPDATE {self._table}
               SET due_at = now() + make_interval(secs => $3), last_reason = $4, taken_by = NULL, fence = fence + 1,
                   attempts = attempts - CASE WHEN $5 THEN 0 ELSE 1 END
             WHERE job_id = $1 AND fence = $2 RETURNING true""",
            job.job_id,
            job.fence,
            after_s,
            reason,
            counted,
        )
        return row is not None

    async def bury(self, tx: Tx, job: Job, *, reason: str) -> bool:
        row = await tx.fetchrow(
            f"""
            UPDATE {self._table} SET dead_at = now(), last_reason = $3, taken_by = NULL, fence = fence + 1
             WHERE job_id = $1 AND fence = $2 RETURNING true""",
            job.job_id,
            job.fence,
            reason,
        )
        return row is not None

    async def listed(self, tx: Tx, *, dead_only: bool, kind: str | None, limit: int) -> list[JobRow]:
        """The dead first, then what is due first."""
        rows = await tx.fetch(
            f"""
            SELECT job_id, kind, lane, body, attempts, due_at, last_reason, enqueued_at, dead_at,
                   CASE WHEN dead_at IS NOT NULL THEN 'dead' WHEN taken_by IS NOT NULL THEN 'taken' ELSE 'waiting' END
                   AS state
              FROM {self._table}
             WHERE (NOT $1 OR dead_at IS NOT NULL) AND ($2::text IS NULL OR kind = $2)
             ORDER BY dead_at DESC NULLS LAST, due_at LIMIT $3""",
            dead_only,
            kind,
            limit,
        )
        return [msgspec.convert(dict(row), JobRow) for row in rows]

    async def revive(self, tx: Tx, *, job_id: UUID | None, kind: str | None) -> list[Job]:
        """A dead job, or all dead ones of a kind, as if they had just been enqueued; which ones."""
        rows = await tx.fetch(
            f"""
            UPDATE {self._table} SET dead_at = NULL, attempts = 0, due_at = now(), fence = fence + 1
             WHERE dead_at IS NOT NULL AND ($1::uuid IS NULL OR job_id = $1) AND ($2::text IS NULL OR kind = $2)
            RETURNING {_JOB}""",
            job_id,
            kind,
        )
        return [msgspec.convert(dict(row), Job) for row in rows]

    async def count(self, tx: Tx) -> tuple[int, int]:
        """How many wait or are being done, and how many are dead."""
        return (
            await count_up_to(tx, f"{self._table} WHERE dead_at IS NULL"),
            await count_up_to(tx, f"{self._table} WHERE dead_at IS NOT NULL"),
        )
