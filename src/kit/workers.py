"""A pool of limited worker processes for work that hostile input can make slow, large or deadly.

Each worker is ``python -m kit.worker_child module:function`` and speaks length-prefixed frames over its stdin and
stdout. It has no secrets (its environment is emptied), no network, a small address space, and it dies with us. A job
that costs too much kills its worker: the job is refused with a typed exception, and another worker takes the place.
A worker that is killed before it began the job is no answer to it: another one is asked.
"""

import asyncio
import contextlib
import logging
import os
import signal
import struct
import sys
import time
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any, TypeVar

from kit.errors import Unavailable
from kit.lanes import current_lane

log = logging.getLogger(__name__)

T = TypeVar("T")

_FRAME = struct.Struct(">cI")
_START_S = 60.0
_TRIES = 3
"""Workers that are asked for one job, where somebody kills those that have not begun it."""
_SOURCES = str(Path(__file__).resolve().parent.parent)


class WorkerFailed(Exception):
    """Not done. ``reason`` is stable: ``wall``, ``cpu``, ``memory``, ``fault``, ``signal N``, ``exit N``."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason


class WorkerDied(WorkerFailed):
    """The worker ended in the middle of the job: out of memory, killed, crashed in native code."""


class _NeverBegun(WorkerDied):
    """Killed while it waited for a job, or while it started."""


class WorkerTimeout(WorkerFailed):
    """The job took more CPU seconds (``cpu``) or wall-clock seconds (``wall``) than it may."""


class WorkerFault(WorkerFailed):
    """The function raised: a fault of ours. The message names the exception's type and place, never the input."""


class _Worker:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.jobs = 0
        self.begun = False
        self.successor: asyncio.Task[_Worker | None] | None = None

    async def send(self, argument: bytes) -> None:
        self.begun = False
        assert self.process.stdin is not None
        self.process.stdin.write(_FRAME.pack(b"?", len(argument)) + argument)
        await self.process.stdin.drain()

    async def receive(self, answer_max_bytes: int) -> tuple[bytes, bytes]:
        assert self.process.stdout is not None
        kind, length = _FRAME.unpack(await self.process.stdout.readexactly(_FRAME.size))
        if length > answer_max_bytes:
            raise WorkerDied("answer-too-large")
        return kind, await self.process.stdout.readexactly(length)

    async def answer(self, answer_max_bytes: int) -> tuple[bytes, bytes]:
        kind, body = await self.receive(answer_max_bytes)
        if kind != b"b":
            return kind, body
        self.begun = True
        return await self.receive(answer_max_bytes)

    async def end(self) -> int:
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        return await self.process.wait()


class WorkerPool:
    """``workers`` processes, each doing one job at a time, and at most ``waiting_max`` jobs waiting for one.

    ``target`` is ``"module:function"`` with ``function(argument: bytes) -> bytes``; the module is imported before a
    worker counts as ready, so importing is the place to warm up. Documents go by path, not through the pipe.
    ``address_space_bytes`` holds on Linux only (RLIMIT_AS); ``file_max_bytes`` is the largest file a worker may write,
    by default none. ``kept_for_last`` places are for work that is shed last. A worker that has done ``jobs_max`` jobs
    goes on until another is ready in its place. Workers start with the first job, or with ``await start()``. One pool
    serves one event loop.
    """

    def __init__(
        self,
        name: str,
        *,
        target: str,
        workers: int,
        waiting_max: int,
        address_space_bytes: int,
        cpu_s: int,
        wall_s: float,
        jobs_max: int,
        waiting_s: float = 30.0,
        answer_max_bytes: int = 16 * 1024 * 1024,
        file_max_bytes: int = 0,
        python_path: Sequence[str] = (),
        kept_for_last: int = 0,
    ) -> None:
        self._name = name
        self._target = target
        self._workers = workers
        self._places = workers + waiting_max
        self._kept_for_last = min(kept_for_last, waiting_max)
        self._address_space_bytes = address_space_bytes
        self._cpu_s = cpu_s
        self._wall_s = wall_s
        self._jobs_max = jobs_max
        self._waiting_s = waiting_s
        self._answer_max_bytes = answer_max_bytes
        self._file_max_bytes = file_max_bytes
        self._python_path = os.pathsep.join([_SOURCES, *python_path])
        self._taken = 0
        self._closed = False
        # Last in, first out: a busy worker stays warm, an idle one may be swapped out.
        self._free: asyncio.LifoQueue[_Worker | None] = asyncio.LifoQueue()
        for _ in range(workers):
            self._free.put_nowait(None)
        self._alive: set[_Worker] = set()
        self._tasks: set[asyncio.Task[Any]] = set()

    async def start(self) -> None:
        """Start every worker now, so that the first jobs do not wait for imports."""
        places = [self._free.get_nowait() for _ in range(self._free.qsize())]
        for place in places:
            if place is not None:
                self._free.put_nowait(place)
        await asyncio.gather(*(self._refill() for place in places if place is None))

    async def run(self, argument: bytes, *, wall_s: float | None = None) -> bytes:
        """The function's answer. Raises Unavailable, WorkerTimeout, WorkerDied or WorkerFault; cancelling kills."""
        places = self._places if current_lane().share == 1 else self._places - self._kept_for_last
        if self._closed or self._taken >= places:
            raise Unavailable(self._name)
        self._taken += 1
        try:
            for _ in range(_TRIES):
                try:
                    worker = await self._take()
                    return await self._ask(worker, argument, self._wall_s if wall_s is None else wall_s)
                except _NeverBegun as killed:
                    log.warning("a worker was killed before it began its job: %s", killed)
            raise Unavailable(self._name)
        finally:
            self._taken -= 1

    async def _take(self) -> _Worker:
        try:
            place = await asyncio.wait_for(self._free.get(), self._waiting_s)
        except TimeoutError:
            raise Unavailable(self._name) from None
        if place is not None:
            place = self._succeeded(place)
            if place.process.returncode is None:
                return place
            self._alive.discard(place)
        try:
            # One that is on its way already is not left without a place.
            successor = place and place.successor and await place.successor
            return successor or await self._spawn()
        except OSError as fault:
            self._free.put_nowait(None)
            raise Unavailable(self._name) from fault
        except BaseException:
            self._free.put_nowait(None)
            raise

    async def _ask(self, worker: _Worker, argument: bytes, wall_s: float) -> bytes:
        worker.jobs += 1
        try:
            async with asyncio.timeout(wall_s):
                await worker.send(argument)
                kind, answer = await worker.answer(self._answer_max_bytes)
        except TimeoutError:
            await self._replace(worker)
            raise WorkerTimeout("wall", f"{self._name}: more than {wall_s} s") from None
        except (asyncio.IncompleteReadError, ConnectionError):
            code = await self._reap(worker)
            self._background_refill(worker)
            if code == -signal.SIGXCPU:
                raise WorkerTimeout("cpu", f"{self._name}: more than {self._cpu_s} s") from None
            died = WorkerDied if worker.begun else _NeverBegun
            raise died(f"signal {-code}" if code < 0 else f"exit {code}", self._name) from None
        except WorkerDied:
            await self._replace(worker)
            raise
        except BaseException:
            # Cancelled: nobody waits for the answer, and the worker is still busy with it.
            await asyncio.shield(self._replace(worker))
            raise
        if kind == b"m":
            await self._replace(worker)
            raise WorkerDied("memory", self._name)
        if worker.jobs >= self._jobs_max and worker.successor is None:
            worker.successor = self._in_background(self._started())
        self._free.put_nowait(worker)
        if kind == b"!":
            raise WorkerFault("fault", answer.decode(errors="replace"))
        return answer

    def _succeeded(self, worker: _Worker) -> _Worker:
        """Its successor where that is ready. Until then it goes on: a start takes half a second of a core, and beside
        other work ten seconds, in which nobody would be served."""
        if worker.successor is None or not worker.successor.done():
            return worker
        successor = None if worker.successor.cancelled() else worker.successor.result()
        worker.successor = None
        if successor is None:
            return worker
        self._in_background(self._reap(worker, kill=True))
        return successor

    async def _started(self) -> _Worker | None:
        try:
            return await self._spawn()
        except (OSError, WorkerFailed):
            # After its next job the old one asks for another.
            log.exception("worker of %s did not start", self._name)
            return None

    async def _replace(self, worker: _Worker) -> None:
        await self._reap(worker, kill=True)
        self._background_refill(worker)

    async def _reap(self, worker: _Worker, *, kill: bool = False) -> int:
        self._alive.discard(worker)
        if not kill:
            # It closed its pipe, so it is ending; its own exit code says why.
            with contextlib.suppress(TimeoutError):
                return await asyncio.wait_for(worker.process.wait(), 2.0)
        return await worker.end()

    def _background_refill(self, ended: _Worker) -> None:
        if self._closed:
            self._free.put_nowait(None)
            return
        self._in_background(self._refill(ended.successor))

    def _in_background(self, what: Coroutine[Any, Any, T]) -> "asyncio.Task[T]":
        task = asyncio.get_running_loop().create_task(what)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _refill(self, successor: "asyncio.Task[_Worker | None] | None" = None) -> None:
        place: _Worker | None = None
        try:
            # If it does not start, the next job tries again, and gets the reason.
            place = await (successor or self._started())
        finally:
            self._free.put_nowait(place)

    async def _spawn(self) -> _Worker:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",  # no folder of the caller on the import path
            "-s",
            "-m",
            "kit.worker_child",
            self._target,
            str(os.getpid()),
            str(self._address_space_bytes),
            str(self._cpu_s),
            str(self._jobs_max),
            str(self._file_max_bytes),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=None,
            # Nothing of our environment: it may hold secrets, and PYTHONDONTWRITEBYTECODE makes each start slow.
            env={"PATH": os.defpath, "LANG": "C.UTF-8", "PYTHONPATH": self._python_path},
            start_new_session=True,  # a Ctrl-C at the terminal is for us to answer
        )
        worker = _Worker(process)
        self._alive.add(worker)
        started = time.monotonic()
        try:
            async with asyncio.timeout(_START_S):
                kind, _ = await worker.receive(1024)
        except (TimeoutError, asyncio.IncompleteReadError, ConnectionError):
            code = await self._reap(worker)
            died = _NeverBegun if code == -signal.SIGKILL else WorkerDied
            raise died(f"exit {code}", f"{self._name} did not start") from None
        except BaseException:
            self._alive.discard(worker)
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            raise
        if kind != b"r" or self._closed:
            await self._reap(worker, kill=True)
            raise WorkerDied("start", f"{self._name} did not start")
        log.debug("worker of %s ready in %.2f s", self._name, time.monotonic() - started)
        return worker

    async def close(self) -> None:
        """Kill every worker. Jobs under way get WorkerDied."""
        self._closed = True
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*(worker.end() for worker in list(self._alive)))
        self._alive.clear()
