"""How many of the files that people bring are judged at once: a flood of them leaves the judges to deposits."""

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from kit import metrics
from kit.errors import Unavailable

NAME = "verifications"
"""Of the pool in metrics, and in the detail of its 503."""


class Places:
    """``at_once_max`` in one process; so many others wait, each so long.

    A place is taken when the whole file is here: who lets a body trickle holds none.
    """

    def __init__(self, at_once_max: int, *, waiting_max: int, wait_max_s: float) -> None:
        self._places = asyncio.Semaphore(at_once_max)
        self._in_line = 0
        self._in_line_max = at_once_max + waiting_max
        self._wait_max_s = wait_max_s

    def look(self) -> None:
        """Before a body is read. Raises Unavailable where it would be sent for nothing."""
        if self._in_line >= self._in_line_max:
            raise self._refusal()

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Raises Unavailable where too many wait, or none became free in time."""
        self.look()
        self._in_line += 1
        metrics.queued.labels(NAME).inc()
        try:
            try:
                async with asyncio.timeout(self._wait_max_s):
                    await self._places.acquire()
            except TimeoutError:
                raise self._refusal() from None
            try:
                yield
            finally:
                self._places.release()
        finally:
            self._in_line -= 1
            metrics.queued.labels(NAME).dec()

    def _refusal(self) -> Unavailable:
        metrics.refused.labels(NAME).inc()
        # By then all who wait now were served, or gave up.
        return Unavailable(NAME, retry_after_s=math.ceil(self._wait_max_s))
