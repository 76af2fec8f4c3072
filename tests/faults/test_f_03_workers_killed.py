"""F-03: workers are killed in the middle of jobs, again and again. Every job is done, and its effect happens once.

Two processes work on one queue; every kill is a SIGKILL to one that was seen to hold jobs. The figures are printed.
"""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web

from kit.db import Database
from kit.jobs.store import Jobs
from tests.product import ROOT
from tests.sites import Request
from tests.unit.locker.webhooks.told import open_told

JOBS_MANY = 400
KILLS = 6
LEASE_S = 1.0
LIMIT_S = 90

WORKER = """
import asyncio, sys
from kit.audit import Audit, AuditEvent
from kit.db import Database
from kit.jobs.schema import Done, Kind
from kit.jobs.store import Jobs
from kit.jobs.worker import JobWorker

async def handler(job):
    await asyncio.sleep(0.05)

    async def within(tx):
        event = AuditEvent(action="job.effect", actor_kind="system", object_id=str(job.job_id))
        await Audit("locker").append(tx, event)

    return Done(within)

async def main():
    db = await Database.connect(sys.argv[1])
    worker = JobWorker(db, Jobs("locker"), [Kind(name="k", handler=handler, lease_s=float(sys.argv[2]), at_once_max=8)])
    while True:
        await worker.start_due()
        await asyncio.sleep(0.05)

asyncio.run(main())
"""


class Worker:
    def __init__(self, dsn: str, file: Path) -> None:
        environ = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
        command = [sys.executable, str(file), dsn, str(LEASE_S)]
        self.process = subprocess.Popen(command, env=environ, start_new_session=True)

    def signal(self, number: int) -> None:
        os.killpg(self.process.pid, number)

    def end(self) -> None:
        self.signal(signal.SIGKILL)
        self.process.wait()


async def until(db: Database, sql: str, *args: Any) -> None:
    async with asyncio.timeout(LIMIT_S):
        while not await db.fetchval(sql, *args):
            await asyncio.sleep(0.02)


HOLDS = "SELECT count(*) > 0 FROM locker.job WHERE taken_by LIKE '%:' || $1::text AND due_at > now()"


async def test_f_03_workers_are_killed_in_their_jobs_and_each_effect_happens_once(
    dsns: Any, locker_db: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    jobs, file = Jobs("locker"), tmp_path / "worker.py"
    file.write_text(WORKER)
    await jobs.enqueue(locker_db, "k", [("a", {"n": number}) for number in range(JOBS_MANY)])
    began, kills, again = time.monotonic(), 0, 0
    workers = [Worker(dsns.locker, file) for _ in range(2)]
    try:
        while kills < KILLS:
            victim = workers[kills % 2]
            await until(locker_db, HOLDS, str(victim.process.pid))
            victim.end()
            kills += 1
            again += await locker_db.fetchval(
                "SELECT count(*) FROM locker.job WHERE taken_by LIKE '%:' || $1::text", str(victim.process.pid)
            )
            workers[(kills - 1) % 2] = Worker(dsns.locker, file)
        await until(locker_db, "SELECT NOT EXISTS (SELECT FROM locker.job)")
    finally:
        for worker in workers:
            worker.end()
    rows = await locker_db.fetch(
        "SELECT object_id, count(*) AS many FROM locker.audit WHERE action = 'job.effect' GROUP BY 1"
    )
    assert len(rows) == JOBS_MANY
    assert {row["many"] for row in rows} == {1}
    assert again > 0
    figures = {"jobs": JOBS_MANY, "kills": kills, "left_in_hand": again, "lost": 0, "twice": 0}
    with capsys.disabled():
        print(f"\nF-03 {msgspec.json.encode({**figures, 'seconds': round(time.monotonic() - began, 1)}).decode()}")


async def test_f_03_a_worker_that_stood_still_beyond_its_lease_writes_nothing(
    dsns: Any, locker_db: Database, owner_db: Database, tmp_path: Path
) -> None:
    await owner_db.execute("TRUNCATE locker.audit")
    jobs, file = Jobs("locker"), tmp_path / "worker.py"
    file.write_text(WORKER.replace("asyncio.sleep(0.05)\n\n", "asyncio.sleep(0.5)\n\n", 1))
    await jobs.enqueue(locker_db, "k", [("a", {"n": 1})])
    paused = Worker(dsns.locker, file)
    other = None
    try:
        await until(locker_db, HOLDS, str(paused.process.pid))
        paused.signal(signal.SIGSTOP)
        other = Worker(dsns.locker, file)
        await until(locker_db, "SELECT count(*) > 0 FROM locker.audit WHERE action = 'job.effect'")
        paused.signal(signal.SIGCONT)
        # It works on: the next job is its, now that the other one is gone.
        other.end()
        other = None
        await jobs.enqueue(locker_db, "k", [("a", {"n": 2})])
        await until(locker_db, "SELECT NOT EXISTS (SELECT FROM locker.job)")
    finally:
        for worker in (paused, other):
            if worker is not None:
                worker.end()
    rows = await locker_db.fetch("SELECT object_id FROM locker.audit WHERE action = 'job.effect'")
    assert len({row["object_id"] for row in rows}) == len(rows) == 2


class Delivering:
    """``khizana worker --for locker``, as its operator starts it."""

    def __init__(self, environ: dict[str, str], log: Path) -> None:
        with log.open("ab") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "khizana", "worker", "--for", "locker"],
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                start_new_session=True,
            )

    def end(self, number: int = signal.SIGKILL) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, number)
        self.process.wait(20)


async def test_f_03_a_worker_is_killed_while_it_tells_and_the_next_one_tells_the_same(
    dsns: Any, s3: Any, tmp_path: Path
) -> None:
    held = asyncio.Event()

    async def answer(_: Request) -> web.StreamResponse:
        await held.wait()
        return web.Response(status=204)

    async with open_told(dsns, s3, tmp_path / "locker") as told:
        environ = told.environ()
        told.site.answers["/hook"] = answer
        by = told.administration()
        made = await told.register(by, told.site.url("/hook"), "document.deposited")
        webhook_id, log = made["webhook"]["webhook_id"], tmp_path / "worker.log"
        worker = Delivering(environ, log)
        try:
            # Deposited and spread by the worker itself; three on their way, none answered.
            for _ in range(3):
                await told.deposited()
            first = [(await told.site.next(within_s=60)).headers["webhook-id"] for _ in range(3)]
            worker.end()
            # Its leases end; nobody waits for them here.
            await told.world.owner_db.execute("UPDATE locker.job SET due_at = now()")
            assert {one["state"] for one in await told.messages(by, webhook_id)} == {"waiting"}
            held.set()
            worker = Delivering(environ, log)
            again = [(await told.site.next(within_s=60)).headers["webhook-id"] for _ in range(3)]
            await until(told.world.owner_db, "SELECT NOT EXISTS (SELECT FROM locker.job)")
            worker.end(signal.SIGTERM)
        finally:
            worker.end()
        assert worker.process.returncode == 0, log.read_text(errors="replace")[-2_000:]
        assert sorted(first) == sorted(again)
        assert len(set(first)) == 3
        messages = await told.messages(by, webhook_id)
        assert [(one["state"], one["attempts"]) for one in messages] == [("delivered", 1)] * 3
        assert told.received() == []
