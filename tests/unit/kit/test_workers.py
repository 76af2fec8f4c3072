import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from kit.errors import Unavailable
from kit.lanes import DEPOSITING, LAST, VERIFYING, Lane
from kit.workers import WorkerDied, WorkerFault, WorkerPool, WorkerTimeout

HERE = str(Path(__file__).parent)


@asynccontextmanager
async def pool(**changes: object) -> AsyncIterator[WorkerPool]:
    limits: dict[str, object] = {
        "target": "worker_jobs:do",
        "workers": 1,
        "waiting_max": 8,
        "address_space_bytes": 512 * 1024 * 1024,
        "cpu_s": 5,
        "wall_s": 10.0,
        "jobs_max": 100,
        "python_path": (HERE,),
    }
    made = WorkerPool("test", **(limits | changes))  # type: ignore[arg-type]
    try:
        yield made
    finally:
        await made.close()


async def until(true: Callable[[], bool], *, within_s: float = 10.0) -> bool:
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        if true():
            return True
        await asyncio.sleep(0.02)
    return False


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_a_job_is_answered_and_the_worker_is_kept() -> None:
    async with pool() as workers:
        assert await workers.run(b"echo \x00\xff" + b"x" * 200_000) == b"\x00\xff" + b"x" * 200_000
        assert await workers.run(b"pid") == await workers.run(b"pid")


async def test_a_started_pool_answers_at_once() -> None:
    async with pool(workers=2) as workers:
        await workers.start()
        started = time.monotonic()
        pids = await asyncio.gather(*(workers.run(b"pid") for _ in range(4)))
        assert time.monotonic() - started < 1.0
        assert len(set(pids)) <= 2


async def test_a_job_that_waits_too_long_is_cut_and_its_worker_replaced() -> None:
    async with pool(wall_s=0.5) as workers:
        before = int(await workers.run(b"pid"))
        with pytest.raises(WorkerTimeout) as cut:
            await workers.run(b"sleep 30")
        assert cut.value.reason == "wall"
        assert not alive(before)
        assert int(await workers.run(b"pid")) != before


async def test_a_job_that_computes_too_long_is_cut_by_its_cpu_budget() -> None:
    async with pool(cpu_s=1, wall_s=60.0) as workers:
        await workers.run(b"echo")
        with pytest.raises(WorkerTimeout) as cut:
            await workers.run(b"spin")
        assert cut.value.reason == "cpu"
        assert await workers.run(b"echo again") == b"again"


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_AS holds on Linux")
async def test_a_job_that_takes_too_much_memory_is_refused_and_its_worker_replaced() -> None:
    async with pool() as workers:
        before = await workers.run(b"pid")
        with pytest.raises(WorkerDied) as died:
            await workers.run(b"eat 900000000")
        assert died.value.reason == "memory"
        assert await workers.run(b"pid") != before


async def test_a_worker_that_is_killed_refuses_its_job_and_no_other() -> None:
    async with pool(workers=2) as workers:
        answers = await asyncio.gather(
            workers.run(b"die 11"), *(workers.run(b"echo ok") for _ in range(4)), return_exceptions=True
        )
        assert isinstance(answers[0], WorkerDied)
        assert answers[0].reason == f"signal {int(signal.SIGSEGV)}"
        assert answers[1:] == [b"ok"] * 4


async def test_a_worker_that_is_killed_while_it_waits_costs_no_job() -> None:
    """Before we have heard of it: the job goes into the pipe of a process that is gone."""
    async with pool() as workers:
        pid = int(await workers.run(b"pid"))
        os.kill(pid, signal.SIGKILL)
        await asyncio.sleep(0)
        assert await workers.run(b"echo ok") == b"ok"
        assert int(await workers.run(b"pid")) != pid


async def test_workers_that_are_killed_whenever_they_start_are_away() -> None:
    async with pool(target="worker_killed:do") as workers:
        with pytest.raises(Unavailable):
            await workers.run(b"echo")


async def test_a_fault_names_its_type_and_never_the_input() -> None:
    async with pool() as workers:
        before = await workers.run(b"pid")
        with pytest.raises(WorkerFault) as fault:
            await workers.run(b"raise secret")
        assert "ValueError at worker_jobs.py" in str(fault.value)
        assert "secret" not in str(fault.value)
        assert await workers.run(b"pid") == before


async def test_a_full_queue_answers_unavailable() -> None:
    async with pool(waiting_max=1) as workers:
        answers = await asyncio.gather(*(workers.run(b"sleep 0.2") for _ in range(4)), return_exceptions=True)
        assert [type(answer) for answer in answers] == [bytes, bytes, Unavailable, Unavailable]


async def test_a_job_waits_only_so_long_for_a_worker() -> None:
    async with pool(waiting_s=0.3) as workers:
        await workers.start()
        answers = await asyncio.gather(workers.run(b"sleep 1"), workers.run(b"echo"), return_exceptions=True)
        assert answers[0] == b"done"
        assert isinstance(answers[1], Unavailable)
        assert await workers.run(b"echo still") == b"still"


async def test_a_cancelled_job_ends_its_worker() -> None:
    async with pool() as workers:
        before = int(await workers.run(b"pid"))
        job = asyncio.create_task(workers.run(b"sleep 30"))
        await asyncio.sleep(0.1)
        job.cancel()
        with pytest.raises(asyncio.CancelledError):
            await job
        assert not alive(before)
        assert await workers.run(b"echo on") == b"on"


async def test_a_worker_is_recycled_after_its_jobs() -> None:
    async with pool(jobs_max=2) as workers:
        pids = [await workers.run(b"pid") for _ in range(2)]
        assert len(set(pids)) == 1
        assert await until(lambda: len(workers._alive) == 2)
        assert await until(lambda: not workers._tasks)
        assert await workers.run(b"pid") != pids[0]
        assert await until(lambda: not alive(int(pids[0])))


async def test_nobody_waits_for_the_successor_of_a_worker_that_did_its_jobs() -> None:
    """A start takes a second of a core, and beside other work many; its place is served meanwhile."""
    async with pool(jobs_max=1) as workers:
        old = await workers.run(b"pid")
        # It is starting: nothing has been awaited since.
        assert await workers.run(b"pid") == old


async def test_a_successor_that_died_is_not_asked() -> None:
    async with pool(jobs_max=1) as workers:
        old = int(await workers.run(b"pid"))
        assert await until(lambda: len(workers._alive) == 2)
        assert await until(lambda: not workers._tasks)
        successor = next(one for one in workers._alive if one.process.pid != old)
        os.kill(successor.process.pid, signal.SIGKILL)
        assert await workers.run(b"echo on") == b"on"


async def test_a_worker_that_dies_while_its_successor_starts_leaves_one_worker() -> None:
    async with pool(jobs_max=1) as workers:
        await workers.run(b"pid")
        with pytest.raises(WorkerDied):
            await workers.run(b"die 9")
        assert await workers.run(b"echo on") == b"on"
        assert await until(lambda: not workers._tasks)
        # It did its one job as well: at most its own successor stands beside it.
        assert len(workers._alive) <= 2


async def test_a_worker_has_no_environment_no_network_no_files_and_no_core(tmp_path: Path) -> None:
    os.environ["A_TEST_SECRET"] = "x"
    server = await asyncio.start_server(lambda r, w: w.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        async with pool() as workers:
            assert set((await workers.run(b"environ")).decode().split()) <= {"LANG", "LC_CTYPE", "PATH", "PYTHONPATH"}
            assert await workers.run(b"connect %d" % port) == b"PermissionError"
            assert await workers.run(b"write %s" % bytes(tmp_path / "file")) == b"OSError"
            assert await workers.run(b"core") == b"(0, 0)"
            assert await workers.run(b"bytecode") == b"False"
    finally:
        del os.environ["A_TEST_SECRET"]
        server.close()


async def test_what_a_job_prints_does_not_disturb_the_answers() -> None:
    async with pool() as workers:
        assert await workers.run(b"print") == b"quiet"
        assert await workers.run(b"echo on") == b"on"


async def test_an_answer_larger_than_agreed_is_refused() -> None:
    async with pool(answer_max_bytes=1000) as workers:
        with pytest.raises(WorkerDied) as died:
            await workers.run(b"echo " + b"x" * 1001)
        assert died.value.reason == "answer-too-large"
        assert await workers.run(b"echo on") == b"on"


async def test_a_target_that_cannot_be_imported_says_so() -> None:
    async with pool(target="nowhere_at_all:do") as workers:
        with pytest.raises(WorkerDied) as died:
            await workers.run(b"echo")
        assert died.value.reason.startswith("exit")


async def test_closing_ends_every_worker_and_the_job_under_way() -> None:
    async with pool(workers=2) as workers:
        await workers.start()
        pids = {int(await workers.run(b"pid"))}
        job = asyncio.create_task(workers.run(b"sleep 30"))
        await asyncio.sleep(0.1)
        await workers.close()
        with pytest.raises(WorkerDied):
            await job
        assert await until(lambda: not any(alive(pid) for pid in pids))
        with pytest.raises(Unavailable):
            await workers.run(b"echo")


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is Linux")
async def test_no_worker_outlives_a_killed_parent() -> None:
    program = (
        "import asyncio\n"
        "from kit.workers import WorkerPool\n"
        "async def main():\n"
        f"    pool = WorkerPool('t', target='worker_jobs:do', workers=1, waiting_max=1, address_space_bytes=1 << 29,"
        f" cpu_s=60, wall_s=60, jobs_max=9, python_path=({HERE!r},))\n"
        "    print((await pool.run(b'pid')).decode(), flush=True)\n"
        "    await pool.run(b'spin')\n"
        "asyncio.run(main())\n"
    )
    source = str(Path(sys.modules["kit.workers"].__file__ or "").parent.parent)
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE, env={"PYTHONPATH": source}
    )
    assert parent.stdout is not None
    worker = int(await parent.stdout.readline())
    parent.kill()
    await parent.wait()
    assert await until(lambda: not alive(worker))


async def test_some_places_are_kept_for_work_that_is_shed_last() -> None:
    async with pool(waiting_max=3, kept_for_last=2) as workers:

        async def job(lane: Lane) -> bytes:
            with lane.entered():
                return await workers.run(b"pid")

        # One works, one waits; the others find a full pool at once, but for the places that are not theirs.
        flood = await asyncio.gather(*(job(DEPOSITING) for _ in range(6)), return_exceptions=True)
        assert [type(done) for done in flood] == [bytes] * 2 + [Unavailable] * 4
        flooding = [asyncio.create_task(job(DEPOSITING)) for _ in range(6)]
        await asyncio.sleep(0)
        assert await asyncio.gather(job(VERIFYING), job(LAST))
        await asyncio.gather(*flooding, return_exceptions=True)
