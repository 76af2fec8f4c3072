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

    def enter(self) -> "contextvars.Token[Lane]":
        """Raises Unavailable. Whoever entered leaves."""
        if self._free == 0:
            # Not above: counters must not be there before a server said where they are kept.
            from kit import metrics

            metrics.refused.labels(self.name).inc()
            raise Unavailable(self.name)
        self._free -= 1
        return _current.set(self)

    def leave(self, token: "contextvars.Token[Lane]") -> None:
        _current.reset(token)
        self._free += 1

    @contextmanager
    def entered(self) -> Iterator[None]:
        token = self.enter()
        try:
            yield
        finally:
            self.leave(token)


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
        self._lanes = {f"lane{number}": lane for number, (lane, _) in enumerate(rules)}
        # One pattern of them all: it is asked for each request.
        self._pattern = re.compile(
            "|".join(f"(?P<lane{number}>{pattern})" for number, (_, pattern) in enumerate(rules)) or "(?!)"
        )

    def lane(self, method: str, path: str) -> Lane:
        found = self._pattern.match(f"{method} {path}")
        return READING if found is None else self._lanes[found.lastgroup or ""]


class Budget:
    """Our own time for one request. It stands still while we wait for the sender, and ends with the first byte of the
    answer: from then on what sends the answer has bounds of its own.

    ``asyncio.timeout`` with one timer, however often the sender is waited for.
    """

    __slots__ = ("_cancelling", "_deadline", "_left_s", "_loop", "_paused_at", "_task", "_timer", "spent")

    def __init__(self, limit_s: float | None) -> None:
        self._left_s = limit_s
        self._timer: asyncio.TimerHandle | None = None
        self._paused_at: float | None = None
        self.spent = False

    def __enter__(self) -> "Budget":
        if self._left_s is not None:
            self._loop = asyncio.get_running_loop()
            task = asyncio.current_task()
            assert task is not None
            self._task, self._cancelling = task, task.cancelling()
            self._deadline = self._loop.time() + self._left_s
            self._timer = self._loop.call_at(self._deadline, self._look)
        return self

    def __exit__(self, kind: type[BaseException] | None, raised: BaseException | None, _: Any) -> None:
        """Raises TimeoutError where the budget is spent."""
        self.end()
        if self.spent and self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise TimeoutError from raised

    def pause(self) -> None:
        if self._timer is not None:
            self._paused_at = self._loop.time()

    def go_on(self) -> None:
        if self._timer is not None and self._paused_at is not None:
            self._deadline += self._loop.time() - self._paused_at
            self._paused_at = None

    def end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        now = self._loop.time()
        # What is left stays the same for as long as it is paused.
        left_s = self._deadline - (now if self._paused_at is None else self._paused_at)
        if left_s > 0:
            self._timer = self._loop.call_at(now + left_s, self._look)
        else:
            self._timer = None
            self.spent = True
            self._task.cancel()
