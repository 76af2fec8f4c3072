"""The log of accesses: how many events a worker sequences and publishes, and what others feel of it."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from statistics import median
from typing import Any

from bench.product import Product, cpu_s, tree
from khizana.databases import connected, opened_vault
from khizana.rounds import opened_sequencer
from khizana.supervise import Program
from kit.audit import Audit, AuditEvent
from kit.db import Database
from locker.log import store
from locker.log.sequence import sequence
from locker.log.verify import verify

TARGET_PER_S = 2_000
EVENTS, EVENTS_QUICK = 40_000, 4_000
SLOWED = "document_list"
"""Taken while events are written, without and with somebody who sequences them, in turn."""
ROUNDS_FOR_ONE = 3
"""Short ones, because the machine changes from one second to the next."""
_AT_ONCE = 100


async def lines(started: Product, *, quick: bool) -> AsyncIterator[dict[str, Any]]:
    """A backlog is sequenced as the worker does it, then all is verified: database and object store as they are in the
    product."""
    settings = started.deployment.locker_settings()
    events = EVENTS_QUICK if quick else EVENTS
    async with (
        connected(settings.database_url) as db,
        opened_vault(db, settings) as vault,
        opened_sequencer(db, vault, settings) as sequencer,
    ):
        await sequence(sequencer)
        for _ in range(events // _AT_ONCE):
            await write(db)
        before, spent, began = time.perf_counter(), started.spent(), time.process_time()
        done = await sequence(sequencer)
        took, grown = time.perf_counter() - before, started.spent().since(spent)
        own = time.process_time() - began
        before = time.perf_counter()
        verified = await verify(db, sequencer.objects, verifier_keys=sequencer.key.verifier_keys)
        verifying = time.perf_counter() - before
    yield {
        "measure": "log_sequencing",
        "rate_per_s": round(done.leaves / took, 1),
        "cpu_ms_per_op": round(own / done.leaves * 1000, 3),
        "database_cpu_ms_per_op": round(grown.database_s / done.leaves * 1000, 3),
        "object_store_cpu_ms_per_op": round(grown.object_store_s / done.leaves * 1000, 3),
        "target_per_s": TARGET_PER_S,
        "ratio": round(done.leaves / took / TARGET_PER_S, 3),
        "n": done.leaves,
        "note": "a backlog in portions of 2,000: leaves, entries, tiles and checkpoints; one worker",
    }
    yield {
        "measure": "log_verifying",
        "rate_per_s": round(verified.leaves / verifying, 1),
        "findings": len(verified.findings),
        "n": verified.leaves,
        "note": "khizana audit verify: rows, leaves, tiles, bundles and checkpoints",
    }


@contextlib.asynccontextmanager
async def writing(started: Product) -> AsyncIterator[None]:
    """Two thousand events a second come in, whatever else happens."""
    async with connected(started.deployment.locker_settings().database_url) as db:

        async def steadily() -> None:
            due = time.perf_counter()
            while True:
                await write(db)
                due += _AT_ONCE / TARGET_PER_S
                await asyncio.sleep(max(0.0, due - time.perf_counter()))

        task = asyncio.create_task(steadily())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def write(db: Database) -> None:
    owners = [f"bench-{number}" for number in range(_AT_ONCE)]
    events = [AuditEvent(action="document.viewed", actor_kind="client", actor="bench", owner=owner) for owner in owners]
    await db.execute(Audit("locker").cte_of_several(Audit.unnested(1)), *Audit.arguments_of_several(events))


class Worker:
    """``khizana worker --for locker``, as its user would start it; what it cost and what it left waiting."""

    def __init__(self, program: Program, db: Database) -> None:
        self._program = program
        self._db = db
        self.cpu_s = 0.0
        self.leaves = 0
        self.waiting = 0
        self.lasted_s = 0.0

    @classmethod
    @contextlib.asynccontextmanager
    async def of(cls, started: Product) -> "AsyncIterator[Worker]":
        async with connected(started.deployment.locker_settings().database_url) as db:
            words = ("worker", "--for", "locker")
            program = Program(words, log=started.home.folder / "worker.log", environ=started.environ)
            try:
                size = (await store.head(db)).size
                async with asyncio.timeout(60):
                    # It has begun, and what it does once at its start is done.
                    while (await store.head(db)).size < size + 3 * TARGET_PER_S:
                        await asyncio.sleep(0.2)
                yield cls(program, db)
            finally:
                await asyncio.to_thread(program.stop)

    @contextlib.contextmanager
    def stopped(self) -> Iterator[None]:
        os.kill(self._program.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self._program.pid, signal.SIGCONT)

    @contextlib.asynccontextmanager
    async def following(self) -> AsyncIterator[None]:
        """It has taken what came while it was stopped, and keeps up."""
        async with asyncio.timeout(60):
            while await store.count_waiting(self._db) > TARGET_PER_S * 1.5:
                await asyncio.sleep(0.1)
        before, began, cpu = (await store.head(self._db)).size, time.perf_counter(), cpu_s(tree(self._program.pid))
        yield
        self.cpu_s += cpu_s(tree(self._program.pid)) - cpu
        self.lasted_s += time.perf_counter() - began
        self.leaves += (await store.head(self._db)).size - before
        self.waiting = await store.count_waiting(self._db)


def slowed_line(alone: Sequence[float], beside: Sequence[float], worker: Worker) -> dict[str, Any]:
    """The medians of the rounds, in milliseconds."""
    return {
        "measure": f"log_beside_{SLOWED}",
        "median_ms": round(median(alone), 2),
        "sequenced_median_ms": round(median(beside), 2),
        "times_alone": round(median(beside) / median(alone), 3),
        "target_times": 1.1,
        "sequenced_per_s": round(worker.leaves / worker.lasted_s, 1),
        "waiting": worker.waiting,
        "worker_cpu_share": round(worker.cpu_s / worker.lasted_s, 3),
        "rounds": len(alone),
        "note": f"{TARGET_PER_S} events a second are written in both; two clients; the middle of short rounds in turn",
    }
