"""The queue itself, over a real PostgreSQL and as the app's role, which makes no table."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest

from kit.audit import Audit, AuditEvent
from kit.db import Database, Tx
from kit.jobs.schema import Again, Dead, Done, Job, Kind, Outcome
from kit.jobs.store import Jobs
from kit.jobs.worker import JobWorker

JOBS = Jobs("locker")


@pytest.fixture
async def db(new_database: Any) -> AsyncIterator[Database]:
    database = await Database.connect(new_database().locker)
    yield database
    await database.close()


async def enqueue(db: Database, *bodies: dict[str, Any], lane: str = "a", kind: str = "k") -> None:
    await JOBS.enqueue(db, kind, [(lane, body) for body in bodies])


async def take(db: Database, *, count_max: int = 10, lease_s: float = 60, **busy: int) -> list[Job]:
    return await JOBS.take(db, "k", count_max=count_max, per_lane_max=4, busy=busy, lease_s=lease_s, by="test")


def effect(job: Job) -> Any:
    async def within(tx: Tx) -> None:
        event = AuditEvent(action="job.effect", actor_kind="system", object_id=str(job.job_id))
        await Audit("locker").append(tx, event)

    return within


async def effects(db: Database) -> Counter[str]:
    rows = await db.fetch("SELECT object_id FROM locker.audit WHERE action = 'job.effect'")
    return Counter(row["object_id"] for row in rows)


async def test_a_job_is_wanted_with_its_reason_or_not_at_all(db: Database) -> None:
    class Rolled(Exception):
        pass

    async def wanted(tx: Tx) -> None:
        await JOBS.enqueue(tx, "k", [("a", {"id": "x"})])
        raise Rolled

    with pytest.raises(Rolled):
        await db.transact(wanted)
    assert await take(db) == []


async def test_of_many_workers_each_job_is_one_s(db: Database) -> None:
    await enqueue(db, *({"n": number} for number in range(300)))

    async def handler(job: Job) -> Outcome:
        return Done(effect(job))

    workers = [JobWorker(db, JOBS, [Kind(name="k", handler=handler)]) for _ in range(4)]
    await asyncio.gather(*(worker.work_off() for worker in workers))
    done = await effects(db)
    assert (len(done), set(done.values())) == (300, {1})
    assert await JOBS.count(db) == (0, 0)


async def test_who_was_paused_beyond_the_lease_writes_nothing(db: Database) -> None:
    await enqueue(db, {})
    (paused,) = await take(db, lease_s=0)
    (other,) = await take(db)
    assert (paused.job_id, paused.fence + 1) == (other.job_id, other.fence)
    assert not await JOBS.finish(db, paused)
    assert not await JOBS.put_off(db, paused, after_s=0, reason="late", counted=True)
    assert not await JOBS.bury(db, paused, reason="late")
    assert await JOBS.finish(db, other)


async def test_a_handler_that_outlives_its_lease_is_cut_and_its_result_is_not_written(db: Database) -> None:
    """And the other half: its transaction holds the fence, so the effect goes with it."""
    await enqueue(db, {})
    begun, go = asyncio.Event(), asyncio.Event()

    async def handler(job: Job) -> Outcome:
        begun.set()
        await go.wait()
        return Done(effect(job))

    worker = JobWorker(db, JOBS, [Kind(name="k", handler=handler)])
    await worker.start_due()
    await begun.wait()
    # As if the whole process had stood still: the lease ends, somebody else takes the job and does it.
    await db.execute("UPDATE locker.job SET due_at = now()")
    (taken,) = await take(db)

    async def finish(tx: Tx) -> None:
        assert await JOBS.finish(tx, taken)
        await effect(taken)(tx)

    await db.transact(finish)
    go.set()
    await worker.work_off()
    assert list((await effects(db)).values()) == [1]


async def test_what_fails_is_tried_later_each_time_and_then_kept_for_whoever_looks(db: Database) -> None:
    await enqueue(db, {})
    buried: list[Job] = []

    async def handler(job: Job) -> Outcome:
        raise ValueError("Amina Alaoui")

    async def bury(_: Tx, job: Job) -> None:
        buried.append(job)

    kind = Kind(name="k", handler=handler, attempts_max=3, first_wait_s=100, wait_max_s=150, buried=bury)
    waits = []
    for _ in range(3):
        worker = JobWorker(db, JOBS, [kind])
        await worker.work_off()
        waits.append(await db.fetchval("SELECT extract(epoch FROM due_at - now())::float FROM locker.job"))
        await db.execute("UPDATE locker.job SET due_at = now()")
    assert 30 < waits[0] <= 100 < 150
    assert 55 < waits[1] <= 150
    (dead,) = await JOBS.listed(db, dead_only=True, kind=None, limit=10)
    assert (dead.state, dead.attempts, dead.last_reason) == ("dead", 3, "fault:ValueError")
    assert len(buried) == 1
    assert await take(db) == []
    assert await JOBS.count(db) == (0, 1)
    (revived,) = await JOBS.revive(db, job_id=dead.job_id, kind=None)
    (again,) = await take(db)
    assert (again.job_id, again.attempts) == (revived.job_id, 1)


async def test_what_kills_its_workers_is_buried_in_the_end(db: Database) -> None:
    await enqueue(db, {})
    for _ in range(2):
        assert len(await take(db, lease_s=0)) == 1
    called = []

    async def handler(job: Job) -> Outcome:
        called.append(job)
        return Done()

    await JobWorker(db, JOBS, [Kind(name="k", handler=handler, attempts_max=2, lapses_max=0)]).work_off()
    (dead,) = await JOBS.listed(db, dead_only=True, kind="k", limit=10)
    assert (dead.last_reason, called) == ("workers-died", [])


async def test_a_backlog_in_one_lane_keeps_nobody_waiting(db: Database) -> None:
    await enqueue(db, *({"n": number} for number in range(500)), lane="a")
    await enqueue(db, {}, lane="b")
    await enqueue(db, {}, lane="c")
    lanes = Counter(job.lane for job in await take(db))
    assert lanes == {"a": 4, "b": 1, "c": 1}
    assert {job.lane for job in await take(db, a=4)} == set()
    assert Counter(job.lane for job in await take(db, a=3)) == {"a": 1}


async def test_a_narrow_lane_has_one_place(db: Database) -> None:
    await enqueue(db, *({"n": number} for number in range(20)), lane="slow")
    running, most, go = 0, 0, asyncio.Event()

    async def handler(_: Job) -> Outcome:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await go.wait()
        running -= 1
        return Done()

    kind = Kind(name="k", handler=handler, per_lane_max=4, narrow=lambda: {"slow"})
    worker = JobWorker(db, JOBS, [kind])
    assert await worker.start_due() == 1
    go.set()
    await worker.work_off()
    assert (most, await JOBS.count(db)) == (1, (0, 0))


async def test_a_worker_that_stops_gives_back_what_it_has(db: Database) -> None:
    await enqueue(db, {})
    begun = asyncio.Event()

    async def handler(_: Job) -> Outcome:
        begun.set()
        await asyncio.Event().wait()
        return Done()

    worker = JobWorker(db, JOBS, [Kind(name="k", handler=handler)])
    await worker.start_due()
    await begun.wait()
    await worker.close()
    (job,) = await take(db)
    assert job.attempts == 1


async def test_a_handler_says_when_again_and_what_is_not_worth_it(db: Database) -> None:
    await enqueue(db, {"say": "again"}, {"say": "dead"})

    async def handler(job: Job) -> Outcome:
        if job.body["say"] == "again":
            return Again(after_s=1_000, reason="busy", counted=False)
        return Dead(reason="unfit", within=effect(job))

    await JobWorker(db, JOBS, [Kind(name="k", handler=handler)]).work_off()
    dead, waiting = await JOBS.listed(db, dead_only=False, kind=None, limit=10)
    assert (dead.last_reason, waiting.last_reason, waiting.attempts, waiting.state) == ("unfit", "busy", 0, "waiting")
    assert len(await effects(db)) == 1


async def test_slow_lanes_together_leave_half_of_the_places(db: Database) -> None:
    slow = {f"slow{number}" for number in range(9)}
    for lane in sorted(slow):
        await enqueue(db, {}, {}, lane=lane)
    await enqueue(db, {}, lane="well")
    going: Counter[str] = Counter()
    most, go = 0, asyncio.Event()

    async def handler(job: Job) -> Outcome:
        nonlocal most
        going[job.lane] += 1
        most = max(most, sum(going[lane] for lane in slow))
        if job.lane in slow:
            await go.wait()
        going[job.lane] -= 1
        return Done()

    kind = Kind(name="k", handler=handler, at_once_max=8, per_lane_max=4, narrow=lambda: slow)
    worker = JobWorker(db, JOBS, [kind])
    await worker.start_due()
    while await db.fetchval("SELECT EXISTS (SELECT FROM locker.job WHERE lane = 'well')"):
        await asyncio.sleep(0.01)
    assert not go.is_set()
    go.set()
    await worker.work_off()
    assert (most, await JOBS.count(db)) == (4, (0, 0))


async def test_who_has_nothing_on_the_way_comes_before_an_older_backlog(db: Database) -> None:
    await enqueue(db, *({"n": number} for number in range(20)), lane="a")
    await enqueue(db, *({"n": number} for number in range(20)), lane="b")
    assert Counter(job.lane for job in await take(db, count_max=4)) == {"a": 2, "b": 2}
    assert Counter(job.lane for job in await take(db, count_max=2, a=3, b=1)) == {"b": 2}


async def test_a_worker_that_stops_begins_nothing_more(db: Database) -> None:
    await enqueue(db, {"n": 0})
    begun, go = asyncio.Event(), asyncio.Event()
    seen = []

    async def handler(job: Job) -> Outcome:
        seen.append(job.body["n"])
        begun.set()
        with contextlib.suppress(asyncio.CancelledError):
            await go.wait()
        return Done()

    worker = JobWorker(db, JOBS, [Kind(name="k", handler=handler, at_once_max=1)])
    await worker.start_due()
    await begun.wait()
    await enqueue(db, {"n": 1})
    await worker.close()
    (left,) = await take(db)
    assert (seen, left.attempts) == ([0], 1)
