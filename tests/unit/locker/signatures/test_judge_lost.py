"""A judge that somebody kills or stops says nothing of the document that it had in hand."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from kit.errors import Unavailable
from kit.workers import WorkerPool
from locker.signatures.judge import SignatureJudge, signature_workers
from locker.signatures.policies import VERIFY
from locker.signatures.schema import Verdict
from tests.unit.locker.signatures.data_signatures import DATA, cades
from tests.unit.locker.signatures.signature_pki import NOW, trust
from tests.worker_children import worker_children

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are found in /proc")

WALL_S = 1.0
TOO_LONG_S = 60


class InHand:
    """Data with a signature in a pipe: a judge that has begun waits there for as long as it is let."""

    def __init__(self, pool: WorkerPool, folder: Path) -> None:
        self._pool = pool
        self._pipe = folder / "signature.p7s"
        self._data = folder / "data.json"
        self._data.write_bytes(DATA)
        os.mkfifo(self._pipe)

    def judging(self) -> "asyncio.Task[Verdict]":
        judge = SignatureJudge(self._pool)
        return asyncio.create_task(judge.validate_any(self._data, self._pipe, trust=trust(), policy=VERIFY, at=NOW))

    async def taken(self) -> int:
        """A judge has it: the end that it waits for."""
        async with asyncio.timeout(TOO_LONG_S):
            return await asyncio.to_thread(os.open, self._pipe, os.O_WRONLY)

    async def kill(self) -> None:
        writing = await self.taken()
        [at_work] = [worker.process for worker in self._pool._alive if worker.jobs]
        at_work.kill()
        await at_work.wait()
        os.close(writing)

    async def let_go(self) -> None:
        with open(await self.taken(), "wb") as pipe:
            pipe.write(cades())

    def release(self) -> None:
        """Whoever waits for a judge that never came."""
        os.close(os.open(self._pipe, os.O_RDONLY | os.O_NONBLOCK))


@pytest_asyncio.fixture
async def pool() -> AsyncIterator[WorkerPool]:
    made = signature_workers(workers=1, wall_s=TOO_LONG_S)
    yield made
    await made.close()


@pytest_asyncio.fixture
async def in_hand(pool: WorkerPool, tmp_path: Path) -> AsyncIterator[InHand]:
    await pool.start()
    made = InHand(pool, tmp_path)
    yield made
    made.release()


async def test_a_document_whose_judge_was_killed_is_judged_by_the_next_one(in_hand: InHand) -> None:
    judging = in_hand.judging()
    await in_hand.kill()
    await in_hand.let_go()
    assert (await judging).passed


async def test_a_document_with_which_two_judges_are_killed_costs_too_much(in_hand: InHand) -> None:
    judging = in_hand.judging()
    await in_hand.kill()
    await in_hand.kill()
    verdict = await judging
    assert (verdict.indication, verdict.reasons) == ("INDETERMINATE", ("too-costly",))


async def test_a_judge_that_stood_still_says_nothing_of_the_document(tmp_path: Path) -> None:
    pool = signature_workers(workers=1, wall_s=WALL_S)
    try:
        before = worker_children(os.getpid())
        await pool.start()
        [pid] = worker_children(os.getpid()) - before
        os.kill(pid, signal.SIGSTOP)
        with pytest.raises(Unavailable):
            await InHand(pool, tmp_path).judging()
    finally:
        await pool.close()
