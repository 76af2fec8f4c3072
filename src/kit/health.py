"""Two questions that a supervisor and a load balancer ask: does this process live, and should it get requests?

``livez`` needs nothing, so that nobody restarts a process because its database is away. ``readyz`` says no while the
database is away, when the clocks differ by more than tokens allow, and from the moment at which the server is told to
stop, while it still answers what comes.
"""

import asyncio
import signal
import time
from collections.abc import Callable
from typing import Any

import msgspec
from litestar.types import ASGIApp, Receive, Send

from kit.clock import SKEW_MAX_S, clock_skew_s
from kit.db import Database
from kit.errors import Unavailable

LOOK_EVERY_S = 0.5
"""However often it is asked, the database is asked no more often than this."""
DRAIN = signal.SIGUSR1

_draining = False


class Readiness(msgspec.Struct, frozen=True, kw_only=True):
    ready: bool
    draining: bool
    database: bool
    clock_skew_s: float | None
    """This machine's clock less the database's; None while that is away."""


def drain_on_signal() -> None:
    """In a server's process, before its first request."""
    signal.signal(DRAIN, _drain)


def _drain(*_: object) -> None:
    global _draining
    _draining = True


class Health:
    """ASGI layer that answers ``{prefix}/livez`` and ``{prefix}/readyz`` and passes everything else on."""

    def __init__(
        self,
        app: ASGIApp,
        prefix: str,
        database: Callable[[], Database],
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._app = app
        self._clock = clock
        self._live, self._ready = f"{prefix}/livez", f"{prefix}/readyz"
        self._database = database
        self._looked_at = -LOOK_EVERY_S
        self._skew_s: float | None = None
        self._looking = asyncio.Lock()

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        asked = scope["path"] if scope["type"] == "http" and scope["method"] in ("GET", "HEAD") else None
        if asked not in (self._live, self._ready):
            await self._app(scope, receive, send)
            return
        scope["path_template"] = asked
        if asked == self._live:
            await _say(send, 200, b'{"live":true}')
        else:
            readiness = await self.readiness()
            await _say(send, 200 if readiness.ready else 503, msgspec.json.encode(readiness))

    async def readiness(self) -> Readiness:
        async with self._looking:
            if time.monotonic() - self._looked_at >= LOOK_EVERY_S:
                self._skew_s = await self._skew()
                self._looked_at = time.monotonic()
        skew_s = self._skew_s
        return Readiness(
            ready=not _draining and skew_s is not None and abs(skew_s) <= SKEW_MAX_S,
            draining=_draining,
            database=skew_s is not None,
            clock_skew_s=skew_s,
        )

    async def _skew(self) -> float | None:
        try:
            return await clock_skew_s(self._database(), clock=self._clock)
        except Unavailable:
            return None


async def _say(send: Send, status: int, body: bytes) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if status == 503:
        headers.append((b"retry-after", b"2"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
