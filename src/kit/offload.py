"""Blocking work runs elsewhere, bounded: a full queue answers 503 instead of growing."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from kit import metrics
from kit.errors import Unavailable

P = ParamSpec("P")
T = TypeVar("T")


class Offload:
    """A pool of ``threads`` with at most ``waiting_max`` calls waiting for one."""

    def __init__(self, name: str, *, threads: int, waiting_max: int) -> None:
        self._name = name
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._places = threads + waiting_max
        self._taken = 0
        self._queued = metrics.queued.labels(name)
        self._refused = metrics.refused.labels(name)

    async def run(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        if self._taken >= self._places:
            self._refused.inc()
            raise Unavailable(self._name)
        self._taken += 1
        self._queued.inc()
        future = self._pool.submit(call, *args, **kwargs)
        # The place is free when the thread is, also where the waiting request went away.
        loop = asyncio.get_running_loop()
        future.add_done_callback(lambda _: loop.call_soon_threadsafe(self._leave))
        return await asyncio.wrap_future(future)

    def _leave(self) -> None:
        self._taken -= 1
        self._queued.dec()

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
