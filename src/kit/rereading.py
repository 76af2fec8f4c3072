"""What a process holds in memory of a thing that others change."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable


class Rereading:
    """``reread`` is called once at the start, whose failure is the start's, and again each ``every_s``. There a failure
    changes nothing: what was read last is still true."""

    def __init__(
        self, what: str, reread: Callable[[], Awaitable[None]], *, every_s: float, log: logging.Logger
    ) -> None:
        self._what = what
        self._reread = reread
        self._every_s = every_s
        self._log = log
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        await self._reread()
        self._task = asyncio.create_task(self._watch())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(self._every_s)
            try:
                await self._reread()
            except Exception as fault:
                self._log.warning("%s cannot be read again: %s", self._what, type(fault).__name__)
