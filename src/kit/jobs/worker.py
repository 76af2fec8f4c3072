"""Does jobs. Any number of processes may: a job is one's until its lease ends, and only its holder's result counts."""

import asyncio
import logging
import os
import random
import socket
from collections import Counter, deque
from collections.abc import Sequence

from kit import metrics
from kit.db import Database, Tx
from kit.errors import Unavailable
from kit.jobs.schema import Again, Dead, Done, Job, Kind, Outcome
from kit.jobs.store import Jobs

log = logging.getLogger("khizana.jobs")


class LeaseLost(Exception):
    """Somebody else has the job: this attempt took longer than its lease."""


class JobWorker:
    def __init__(self, db: Database, jobs: Jobs, kinds: Sequence[Kind]) -> None:
        self._db = db
        self._jobs = jobs
        self._kinds = {kind.name: kind for kind in kinds}
        self._doing: dict[str, dict[asyncio.Task[None], Job]] = {kind.name: {} for kind in kinds}
        # Two that ask at once would both find the same places free.
        self._taking = {kind.name: asyncio.Lock() for kind in kinds}
        self._full: set[str] = set()
        # Of jobs that were done while the database was away: written before anything new is begun.
        self._unwritten: dict[str, deque[tuple[Job, Outcome]]] = {kind.name: deque() for kind in kinds}
        self._more: set[asyncio.Task[None]] = set()
        self._closed = False
        self._by = f"{socket.gethostname()}:{os.getpid()}"

    async def start_due(self) -> int:
        """Begin with what is due, as far as there are places; how many. Raises Unavailable."""
        begun = 0
        for kind in self._kinds.values():
            async with self._taking[kind.name]:
                begun += await self._start(kind)
        return begun

    async def work_off(self) -> None:
        """All that is due now, to the end."""
        busy = True
        while busy:
            # What ends while it is asked held a place until then: it is asked once more.
            busy = bool(self._on_their_way())
            busy = await self.start_due() > 0 or busy
            if tasks := self._on_their_way():
                busy = True
                await asyncio.wait(tasks)

    def _on_their_way(self) -> "list[asyncio.Task[None]]":
        return [*self._more, *(task for doing in self._doing.values() for task in doing)]

    async def close(self) -> None:
        """Give back what is being done, so that the next worker need not wait for its lease to end."""
        self._closed = True
        for more in self._more:
            more.cancel()
        held = [(task, job) for doing in self._doing.values() for task, job in doing.items()]
        for task, _ in held:
            task.cancel()
        await asyncio.gather(*(task for task, _ in held), *self._more, return_exceptions=True)
        for task, job in held:
            if task.cancelled():
                await self._jobs.put_off(self._db, job, after_s=0, reason="worker-stopped", counted=False)
        for kind in self._kinds.values():
            await self._write_ends(kind)

    async def _start(self, kind: Kind) -> int:
        await self._write_ends(kind)
        begun = 0
        doing = self._doing[kind.name]
        while free := max(0, kind.at_once_max - len(doing)):
            busy, narrow = Counter(job.lane for job in doing.values()), frozenset(kind.narrow())
            jobs = await self._jobs.take(
                self._db,
                kind.name,
                count_max=free,
                per_lane_max=kind.per_lane_max,
                busy=busy,
                lease_s=kind.lease_s,
                by=self._by,
                narrow=narrow,
                narrow_max=max(0, max(1, kind.at_once_max // 2) - sum(busy[lane] for lane in narrow & busy.keys())),
            )
            for job in jobs:
                task = asyncio.create_task(self._do(kind, job))
                doing[task] = job
                task.add_done_callback(lambda done: self._left(kind, done))
            begun += len(jobs)
            if len(jobs) < free:
                break
        # There may be more than found a place; who leaves one asks again.
        if begun:
            self._full.add(kind.name)
        return begun

    def _left(self, kind: Kind, task: "asyncio.Task[None]") -> None:
        self._doing[kind.name].pop(task, None)
        if kind.name in self._full and not self._closed:
            self._full.discard(kind.name)
            more = asyncio.create_task(self._ask_again(kind))
            self._more.add(more)
            more.add_done_callback(self._more.discard)

    async def _ask_again(self, kind: Kind) -> None:
        try:
            async with self._taking[kind.name]:
                await self._start(kind)
        # The next round asks anyway.
        except Unavailable as refusal:
            log.warning("jobs could not be taken: %s is away", refusal.detail)
        except Exception:
            log.warning("jobs could not be taken", exc_info=True)

    async def _do(self, kind: Kind, job: Job) -> None:
        outcome: Outcome
        try:
            if job.attempts > kind.attempts_max + kind.lapses_max:
                outcome = self._bury(kind, job, "workers-died")
            else:
                async with asyncio.timeout(kind.lease_s * 0.9):
                    outcome = await kind.handler(job)
        except Unavailable as away:
            log.warning("a job waits: %s is away", away.detail, extra={"job_id": str(job.job_id), "kind": kind.name})
            wait_s = kind.away_wait_s * random.uniform(0.5, 1.0)  # noqa: S311
            outcome = Again(after_s=wait_s, reason=f"away:{away.code}", counted=False)
        except Exception as fault:
            log.exception("a job failed", extra={"job_id": str(job.job_id), "kind": kind.name})
            outcome = self._failed(kind, job, fault)
        try:
            await self._end(kind, job, outcome)
        except Unavailable:
            log.warning("the end of a job could not be written yet", extra={"job_id": str(job.job_id)})
            self._unwritten[kind.name].append((job, outcome))

    async def _write_ends(self, kind: Kind) -> None:
        unwritten = self._unwritten[kind.name]
        while unwritten:
            try:
                await self._end(kind, *unwritten[0])
            except Unavailable:
                # Away still, or only this row is held: whoever takes next hears which.
                unwritten.rotate(-1)
                return
            unwritten.popleft()

    async def _end(self, kind: Kind, job: Job, outcome: Outcome) -> None:
        try:
            await self._settle(job, outcome)
        except Unavailable:
            raise
        except LeaseLost:
            metrics.jobs.labels(kind.name, "lease-lost").inc()
        except Exception:
            # The row stands and is due again when the lease ends.
            log.exception("the end of a job could not be written", extra={"job_id": str(job.job_id)})
        else:
            metrics.jobs.labels(kind.name, type(outcome).__name__.lower()).inc()

    def _failed(self, kind: Kind, job: Job, fault: Exception) -> Outcome:
        # The type alone: what an exception says may hold anything.
        reason = f"fault:{type(fault).__name__}"
        if job.attempts >= kind.attempts_max:
            return self._bury(kind, job, reason)
        longest = min(kind.first_wait_s * 2 ** (job.attempts - 1), kind.wait_max_s)
        return Again(after_s=longest * random.uniform(0.5, 1.0), reason=reason)  # noqa: S311

    def _bury(self, kind: Kind, job: Job, reason: str) -> Dead:
        buried = kind.buried

        async def within(tx: Tx) -> None:
            if buried is not None:
                await buried(tx, job)

        return Dead(reason=reason, within=within)

    async def _settle(self, job: Job, outcome: Outcome) -> None:
        """The fence first, then what the handler has to write: one transaction, so both or neither."""

        async def once(tx: Tx) -> None:
            match outcome:
                case Done():
                    held = await self._jobs.finish(tx, job)
                case Again(after_s=after_s, reason=reason, counted=counted):
                    held = await self._jobs.put_off(tx, job, after_s=after_s, reason=reason, counted=counted)
                case Dead(reason=reason):
                    held = await self._jobs.bury(tx, job, reason=reason)
            if not held:
                raise LeaseLost
            if outcome.within is not None:
                await outcome.within(tx)

        await self._db.transact(once)
