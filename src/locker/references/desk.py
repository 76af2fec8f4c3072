import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from kit.errors import Unavailable
from kit.jose import SigningKey
from kit.outbound.fetch import Fetcher
from locker.deposits.desk import DepositDesk

_WAITING_MAX = 64


@dataclass(frozen=True, kw_only=True)
class ReferenceDesk:
    """What fetching from an issuer needs. A document is judged here as it is at deposit."""

    deposits: DepositDesk
    fetcher: Fetcher
    key: SigningKey
    freshness_s: int
    fetch_max_s: float
    room: "Room"
    fetching: dict[tuple[str, str], asyncio.Task[None]] = field(default_factory=dict)
    """By owner and document: who wants what is being fetched waits for it."""

    @property
    def lease_s(self) -> float:
        """Longer than a fetch and a judgement together may take."""
        return self.fetch_max_s + 15.0


class Room:
    """How many documents one process fetches at once: each is in memory until it is verified."""

    def __init__(self, at_once_max: int) -> None:
        self._places = asyncio.Semaphore(at_once_max)
        self._waiting = 0

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        if self._waiting >= _WAITING_MAX:
            raise Unavailable("fetches")
        self._waiting += 1
        try:
            await self._places.acquire()
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._places.release()
