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
        self.free = at_once_max

    def of(self, connections_max: int) -> int:
        return max(1, int(connections_max * self.share))

    def enter(self) -> "contextvars.Token[Lane]":
        """Raises Unavailable. Whoever entered leaves."""
        if self.free == 0:
            # Not above: counters must not be there before a server said where they are kept.
            from kit import metrics

            metrics.refused.labels(self.name).inc()
            raise Unavailable(self.name)
        self.free -= 1
        return _current.set(self)

    def leave(self, token: "contextvars.Token[Lane]") -> None:
        _current.reset(token)
        self.free += 1

    @contextmanager
    def entered(self) -> Iterator[None]:
        token = self.enter()
        try:
            yield
        finally:
            self.leave(token)


LAST = Lane("last", share=1.0, at_once_max=1_024, limit_s=10.0)
"""What is shed last: to revoke, to narrow, to freeze, and to say whether a token still counts. Also what no request
asked for."""
VERIFYING = Lane("verifying", share=1.0, at_once_max=128, limit_s=30.0)
"""As the last, with the time that a document takes to be judged, and without what is kept for the last."""
LOOKING_UP = Lane("looking-up", share=1.0, at_once_max=256, limit_s=10.0)
"""What anybody asks of a printed address: as verifying, but nothing is judged."""
READING = Lane("reading", share=0.6, at_once_max=512, limit_s=10.0)
"""Everything without a lane of its own."""
SIGNING_IN = Lane("signing-in", share=0.5, at_once_max=256, limit_s=10.0)
DEPOSITING = Lane("depositing", share=0.5, at_once_max=128, limit_s=30.0)
PAPER = Lane("paper", share=0.3, at_once_max=64, limit_s=14.0)
"""PDFs that are drawn, sealed or printed."""
IN_BULK = Lane("in-bulk", share=0.5, at_once_max=8, limit_s=None)
"""Long by their nature, and with bounds of their own."""
AUDITING = Lane("auditing", share=0.2, at_once_max=64, limit_s=10.0)
"""What is public and fetched in masses: a log's tiles."""
LANES = (LAST, VERIFYING, LOOKING_UP, READING, SIGNING_IN, DEPOSITING, PAPER, IN_BULK, AUDITING)

_current: contextvars.ContextVar[Lane] = contextvars.ContextVar("lane", default=LAST)


KEPT = 5
"""One connection of so many is for the last lane alone, because the shares of the others are more than a whole."""


def kept_for_last(connections_max: int) -> int:
    return 0 if connections_max == 1 else max(1, connections_max // KEPT)


def current_lane() -> Lane:
    return _current.get()


def work_for_all() -> None:
    """A task that serves requests of several lanes belongs to none, whoever it was that started it."""
    _current.set(LAST)


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


SENDER_S = 10.0
SENDER_BYTES_S = 16_384
"""Whoever sends a request has ``SENDER_S`` and a second more for each ``SENDER_BYTES_S`` that came, as at the edge: a
body that drips holds a place for nothing."""
READER_S = 30.0
"""Whoever reads an answer has so long for a piece of it, as at the edge."""


class Budget:
    """Our own time for one request. It stands still while we wait for the sender, and ends with the first byte of the
    answer: from then on what sends the answer has bounds of its own.

    ``asyncio.timeout`` with one timer, however often the sender is waited for. It looks at the sender when our time
    would be over, so who is too slow is cut by then, or a little later.
    """

    __slots__ = (
        "_cancelling",
        "_deadline",
        "_left_s",
        "_loop",
        "_paused_at",
        "_sender_left_s",
        "_task",
        "_timer",
        "of_sender",
        "spent",
    )

    def __init__(self, limit_s: float | None, *, sender_s: float = SENDER_S) -> None:
        self._left_s = limit_s
        self._sender_left_s = sender_s
        self._timer: asyncio.TimerHandle | None = None
        self._paused_at: float | None = None
        self.spent = False
        self.of_sender = False
        """It was the sender's time that was spent."""

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

    def go_on(self, length: int = 0) -> None:
        """``length`` bytes came."""
        if self._timer is not None and self._paused_at is not None:
            waited_s = self._loop.time() - self._paused_at
            self._deadline += waited_s
            self._sender_left_s += length / SENDER_BYTES_S - waited_s
            self._paused_at = None
            if self._timer.when() > self._deadline:
                self._timer.cancel()
                self._timer = self._loop.call_at(self._deadline, self._look)

    def end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        now = self._loop.time()
        paused = self._paused_at is not None
        until = self._deadline if self._paused_at is None else self._paused_at + self._sender_left_s
        if until > now:
            self._timer = self._loop.call_at(until, self._look)
        else:
            self._timer = None
            self.spent, self.of_sender = True, paused
            self._task.cancel()
