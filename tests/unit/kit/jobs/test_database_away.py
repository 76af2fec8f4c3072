"""The database goes away behind a job that was taken: what is ours to blame is no attempt of the job's."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from khizana.embedded.postgres import PORT, EmbeddedPostgres
from kit.db import Database
from kit.errors import Unavailable
from kit.jobs.schema import Again, Done, Job, Kind, Outcome
from kit.jobs.store import Jobs
from kit.jobs.worker import JobWorker
from tests.fault_proxy import FaultProxy, before_socket

JOBS = Jobs("locker")


@pytest.fixture(scope="module")
def proxy(postgres: EmbeddedPostgres) -> Iterator[FaultProxy]:
    made = before_socket(f"{postgres.address.socket_folder}/.s.PGSQL.{PORT}")
    yield made
    made.close()


@pytest.fixture
def dsn(new_database: Any) -> str:
    return str(new_database().locker)


@pytest.fixture
async def db(dsn: str) -> AsyncIterator[Database]:
    """Past the proxy."""
    database = await Database.connect(dsn)
    yield database
    await database.close()


@pytest.fixture
async def worker_s(dsn: str, proxy: FaultProxy) -> AsyncIterator[Database]:
    """What the worker has: through the proxy."""
    named = urlsplit(dsn)
    database = await Database.connect(
        f"postgresql://{named.username}:{named.password}@127.0.0.1:{proxy.port}{named.path}?sslmode=disable"
    )
    yield database
    await database.close()


async def on_its_last_attempt(db: Database, attempts_max: int) -> None:
    await JOBS.enqueue(db, "k", [("a", {})])
    await db.execute("UPDATE locker.job SET attempts = $1", attempts_max - 1)


async def test_what_is_away_on_the_last_attempt_buries_nothing(db: Database, worker_s: Database) -> None:
    await on_its_last_attempt(db, 3)

    async def handler(job: Job) -> Outcome:
        raise Unavailable("get")

    kind = Kind(name="k", handler=handler, attempts_max=3, away_wait_s=100)
    await JobWorker(worker_s, JOBS, [kind]).work_off()
    (job,) = await JOBS.listed(db, dead_only=False, kind=None, limit=10)
    assert (job.state, job.attempts, job.last_reason) == ("waiting", 2, "away:unavailable")
    assert 40 < await db.fetchval("SELECT extract(epoch FROM due_at - now())::float FROM locker.job") <= 100


async def test_the_end_of_a_last_attempt_is_written_when_the_database_is_back(
    db: Database, worker_s: Database, proxy: FaultProxy
) -> None:
    """Also after its lease, and before this worker takes anything: it would take the same job again."""
    await on_its_last_attempt(db, 3)
    asked = 0

    async def handler(job: Job) -> Outcome:
        nonlocal asked
        asked += 1
        proxy.turn("refused")
        return Done()

    worker = JobWorker(worker_s, JOBS, [Kind(name="k", handler=handler, attempts_max=3)])
    try:
        with pytest.raises(Unavailable):
            await worker.work_off()
        with pytest.raises(Unavailable):
            await worker.start_due()
        await db.execute("UPDATE locker.job SET due_at = now()")
    finally:
        proxy.turn("none")
    await worker.work_off()
    assert (asked, await JOBS.count(db)) == (1, (0, 0))


async def test_the_database_goes_in_the_middle_of_a_last_attempt(
    db: Database, worker_s: Database, proxy: FaultProxy
) -> None:
    await on_its_last_attempt(db, 3)

    async def handler(job: Job) -> Outcome:
        proxy.turn("refused")
        await worker_s.fetchval("SELECT 1")
        return Done()

    worker = JobWorker(worker_s, JOBS, [Kind(name="k", handler=handler, attempts_max=3)])
    try:
        with pytest.raises(Unavailable):
            await worker.work_off()
    finally:
        proxy.turn("none")
    await worker.start_due()
    (job,) = await JOBS.listed(db, dead_only=False, kind=None, limit=10)
    assert (job.state, job.attempts) == ("waiting", 2)


async def test_another_worker_that_comes_first_does_not_bury_it(
    db: Database, worker_s: Database, proxy: FaultProxy
) -> None:
    """Its lease ended while the database was away from all: who comes first asks again, and the late end is void."""
    await on_its_last_attempt(db, 3)
    asked: list[int] = []

    async def handler(job: Job) -> Outcome:
        asked.append(job.attempts)
        if job.attempts == 3:
            proxy.turn("refused")
            return Again(after_s=1_000, reason="late", counted=False)
        return Done()

    kind = Kind(name="k", handler=handler, attempts_max=3)
    cut_off = JobWorker(worker_s, JOBS, [kind])
    try:
        with pytest.raises(Unavailable):
            await cut_off.work_off()
        await db.execute("UPDATE locker.job SET due_at = now()")
        await JobWorker(db, JOBS, [kind]).work_off()
    finally:
        proxy.turn("none")
    await cut_off.work_off()
    assert (asked, await JOBS.count(db)) == ([3, 4], (0, 0))


async def test_one_end_that_is_held_up_keeps_no_other_job_waiting(db: Database, worker_s: Database) -> None:
    await JOBS.enqueue(db, "k", [("a", {"held": True})])
    held, done = asyncio.Event(), []

    async def within(_: Any) -> None:
        raise Unavailable("database")

    async def handler(job: Job) -> Outcome:
        if job.body.get("held"):
            held.set()
            return Done(within)
        done.append(job)
        return Done()

    worker = JobWorker(worker_s, JOBS, [Kind(name="k", handler=handler)])
    await worker.work_off()
    assert held.is_set()
    await JOBS.enqueue(db, "k", [("b", {})])
    await worker.work_off()
    assert (len(done), await JOBS.count(db)) == (1, (1, 0))
