"""How often something may be asked, counted in memory and shared through PostgreSQL, so that no request waits for it.

A process tells the shared row only when it has counted a twentieth of the limit, and learns there what the others
counted. So N processes let through at most N twentieths more than the limit; a restart forgets less than one. Who asks
seldom never touches the database.
"""

import asyncio
import logging
import time
from collections.abc import Sequence

import msgspec

from kit.db import Database
from kit.errors import Unavailable
from kit.throttle import Throttle

KEYS_MAX = 50_000
SHARE_EVERY_S = 0.1
_SHARES = 20
_AT_ONCE_MAX = 500

log = logging.getLogger("khizana.pace")


class Rate(msgspec.Struct, frozen=True):
    """``requests`` in ``per_s`` seconds; 0 counts and refuses nothing."""

    name: str
    requests: int
    per_s: int = 60

    @property
    def batch(self) -> int:
        return max(1, self.requests // _SHARES)


class Left(msgspec.Struct, frozen=True):
    """After this request; ``remaining`` below zero refuses it."""

    rate: Rate
    remaining: int
    reset_s: int


class _Counted:
    __slots__ = ("shared", "sharing", "unshared", "window")

    def __init__(self, window: int) -> None:
        self.window = window
        self.shared = 0
        self.sharing = 0
        self.unshared = 0

    @property
    def total(self) -> int:
        return self.shared + self.sharing + self.unshared


class Pace:
    def __init__(self, throttle: Throttle, *, keys_max: int = KEYS_MAX) -> None:
        self._throttle = throttle
        self._keys_max = keys_max
        self._counted: dict[tuple[str, str], _Counted] = {}
        self._due: dict[tuple[str, str], Rate] = {}
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def count(self, rate: Rate, key: str) -> Left | None:
        """Count one request. None where there is no limit."""
        if not rate.requests:
            return None
        now = time.time()
        window = int(now // rate.per_s) * rate.per_s
        at = (rate.name, key)
        counted = self._counted.get(at)
        if counted is None or counted.window != window:
            if counted is None and len(self._counted) >= self._keys_max:
                self._make_room(now)
            counted = self._counted[at] = _Counted(window)
        remaining = rate.requests - counted.total - 1
        if remaining >= 0:
            counted.unshared += 1
            if counted.unshared >= rate.batch:
                self._due[at] = rate
                self._wake.set()
        return Left(rate, remaining, max(1, int(window + rate.per_s - now)))

    def start(self, db: Database) -> None:
        self._task = asyncio.create_task(self._keep_sharing(db))

    async def stop(self, db: Database) -> None:
        """What is due is shared before this process ends."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        try:
            async with asyncio.timeout(1):
                await self.share(db)
        except (Unavailable, TimeoutError):
            log.warning("rates: what was counted last is not shared")

    async def share(self, db: Database) -> None:
        """Tell what is due and learn what the others counted; in one statement."""
        due = [(at, rate, self._counted[at]) for at, rate in list(self._due.items())[:_AT_ONCE_MAX]]
        for at, _, counted in due:
            del self._due[at]
            counted.sharing, counted.unshared = counted.unshared, 0
        if not due:
            return
        try:
            totals = await self._throttle.add(
                db, [(":".join(at), counted.window, counted.sharing) for at, _, counted in due]
            )
        except BaseException:
            for at, rate, counted in due:
                counted.unshared += counted.sharing
                counted.sharing = 0
                if at in self._counted:
                    self._due.setdefault(at, rate)
            raise
        for at, _, counted in due:
            counted.shared = max(counted.shared + counted.sharing, totals.get((":".join(at), counted.window), 0))
            counted.sharing = 0

    async def _keep_sharing(self, db: Database) -> None:
        while True:
            await self._wake.wait()
            await asyncio.sleep(SHARE_EVERY_S)
            self._wake.clear()
            try:
                await self.share(db)
            except Unavailable:
                # Each process goes on by its own count.
                log.warning("rates: the database is away")
                await asyncio.sleep(1)
            except Exception:
                log.exception("rates cannot be shared")
                await asyncio.sleep(1)
            if self._due:
                self._wake.set()

    def _make_room(self, now: float) -> None:
        """Windows that are over go first; then the oldest, so that a flood of keys cannot grow without end."""
        over = [at for at, counted in self._counted.items() if counted.window + 60 < now]
        # A tenth at least, so that a flood does not make each request look through all of them.
        oldest = list(self._counted)[: self._keys_max // 10] if len(over) < self._keys_max // 10 else []
        for at in {*over, *oldest}:
            del self._counted[at]
            self._due.pop(at, None)


def fields(left: Left) -> Sequence[tuple[bytes, bytes]]:
    """``RateLimit-Policy`` and ``RateLimit`` (draft-ietf-httpapi-ratelimit-headers-10 §3, §4)."""
    name = left.rate.name.encode()
    return (
        (b"ratelimit-policy", b'"%s";q=%d;w=%d' % (name, left.rate.requests, left.rate.per_s)),
        (b"ratelimit", b'"%s";r=%d;t=%d' % (name, max(0, left.remaining), left.reset_s)),
    )
