"""Bulkheads: each kind of work has a part of the process to itself, so that a flood of one leaves the others dry.

A lane bounds how many of its requests are worked on at once, how many of the database's connections they hold, and for
how long one may keep us. What does not fit is answered 503 at once; it never waits in line behind another lane.
"""

import asyncio
import contextvars
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from kit.errors import Unavailable


class Lane:
    """``share`` is of the database's connections; ``at_once_max`` of requests in one process; ``limit_s`` is our time
    for one, without what its sender takes to send it."""

    def __init__(self, name: str, *, share: float, at_once_max: int, limit_s: float | None) -> None:
        self.name = name
        self.share = share
        self.limit_s = limit_s
        self._free = at_once_max

    def of(self, connections_max: int) -> int:
        return max(1, int(connections_max * self.share))

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Raises Unavailable."""
        if self._free == 0:
            # Not above: counters must not be there before a server said where they are kept.
            from kit import metrics

            metrics.refused.labels(self.name).inc()
            raise Unavailable(self.name)
        self._free -= 1
        token = _current.set(self)
        try:
            yield
        finally:
            _current.reset(token)
            self._free += 1


LAST = Lane("last", share=1.0, at_once_max=1_024, limit_s=10.0)
"""What is shed last: to revoke, to freeze, to verify, and to say whether a token still counts. Also what no request
asked for."""
VERIFYING = Lane("verifying", share=1.0, at_once_max=128, limit_s=30.0)
"""As the last, with the time that a document takes to be judged."""
READING = Lane("reading", share=0.7, at_once_max=512, limit_s=10.0)
"""Everything without a lane of its own."""
SIGNING_IN = Lane("signing-in", share=0.5, at_once_max=256, limit_s=10.0)
DEPOSITING = Lane("depositing", share=0.5, at_once_max=128, limit_s=30.0)
PAPER = Lane("paper", share=0.3, at_once_max=64, limit_s=14.0)
"""PDFs that are drawn, sealed or printed."""
IN_BULK = Lane("in-bulk", share=0.5, at_once_max=8, limit_s=None)
"""Long by their nature, and with bounds of their own."""
AUDITING = Lane("auditing", share=0.2, at_once_max=64, limit_s=10.0)
"""What is public and fetched in masses: a log's tiles."""
LANES = (LAST, VERIFYING, READING, SIGNING_IN, DEPOSITING, PAPER, IN_BULK, AUDITING)

_current: contextvars.ContextVar[Lane] = contextvars.ContextVar("lane", default=LAST)


def current_lane() -> Lane:
    return _current.get()


class Routing:
    """Which lane a request takes: the first whose ``METHOD path`` pattern matches from the beginning."""

    def __init__(self, rules: Sequence[tuple[Lane, str]] = ()) -> None:
        self._rules = [(lane, re.compile(pattern)) for lane, pattern in rules]

    def lane(self, method: str, path: str) -> Lane:
        asked = f"{method} {path}"
        for lane, pattern in self._rules:
            if pattern.match(asked):
                return lane
        return READING


class Budget:
    """Our own time for one request. It stands still while we wait for the sender, and ends with the first byte of the
    answer: from then on what sends the answer has bounds of its own."""

    def __init__(self, limit_s: float | None) -> None:
        self._left_s = limit_s or 0.0
        self._running = limit_s is not None
        self._timeout = asyncio.timeout(limit_s)

    async def __aenter__(self) -> "Budget":
        await self._timeout.__aenter__()
        return self

    async def __aexit__(self, *raised: Any) -> None:
        """Raises TimeoutError where the budget is spent."""
        await self._timeout.__aexit__(*raised)

    @property
    def spent(self) -> bool:
        return self._timeout.expired()

    def pause(self) -> None:
        when = self._timeout.when()
        if self._running and when is not None and not self._timeout.expired():
            self._left_s = when - asyncio.get_running_loop().time()
            self._timeout.reschedule(None)

    def go_on(self) -> None:
        if self._running and self._timeout.when() is None and not self._timeout.expired():
            self._timeout.reschedule(asyncio.get_running_loop().time() + self._left_s)

    def end(self) -> None:
        self.pause()
        self._running = False
