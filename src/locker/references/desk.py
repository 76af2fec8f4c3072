import asyncio
from collections import Counter
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
    """How many documents one process fetches at once: each is in memory until it is verified.

    One host has half of the places at most, so that an issuer that is slow keeps no other's readers waiting.
    """

    def __init__(self, at_once_max: int) -> None:
        self._places = asyncio.Semaphore(at_once_max)
        self._of_host_max = max(1, at_once_max // 2)
        self._hosts: dict[str, asyncio.Semaphore] = {}
        self._wanted: Counter[str] = Counter()

    @asynccontextmanager
    async def place(self, host: str) -> AsyncIterator[None]:
        """Raises Unavailable where too many wait for this host."""
        if self._wanted[host] >= _WAITING_MAX:
            raise Unavailable("fetches")
        self._wanted[host] += 1
        try:
            async with self._hosts.setdefault(host, asyncio.Semaphore(self._of_host_max)), self._places:
                yield
        finally:
            self._wanted[host] -= 1
            if not self._wanted[host]:
                del self._wanted[host], self._hosts[host]
