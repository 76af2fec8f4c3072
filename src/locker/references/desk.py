import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from kit.errors import Unavailable
from kit.outbound.fetch import Fetcher
from locker.deposits.desk import DepositDesk
from locker.signing.ring import SigningKeys

_WAITING_OF_ONE_MAX = 64
_WAITING_MAX = 256


@dataclass(frozen=True, kw_only=True)
class ReferenceDesk:
    """What fetching from an issuer needs. A document is judged here as it is at deposit."""

    deposits: DepositDesk
    fetcher: Fetcher
    signing: SigningKeys
    freshness_s: int
    fetch_max_s: float
    room: "Room"
    fetching: dict[tuple[str, str], asyncio.Task[None]] = field(default_factory=dict)
    """By owner and document: who wants what is being fetched waits for it."""

    @property
    def lease_s(self) -> float:
        """Longer than waiting for a place, a fetch and a judgement together may take."""
        return 2 * self.fetch_max_s + 20.0


class Room:
    """How many documents one process fetches at once: each is in memory until it is verified.

    One administration has half of the places at most, however many hosts it names, so that one whose servers are slow
    keeps no other's readers waiting.
    """

    def __init__(self, at_once_max: int, *, wait_max_s: float) -> None:
        self._places = asyncio.Semaphore(at_once_max)
        self._of_one_max = max(1, at_once_max // 2)
        self._wait_max_s = wait_max_s
        self._own: dict[str, asyncio.Semaphore] = {}
        self._wanted: Counter[str] = Counter()

    @asynccontextmanager
    async def place(self, administration: str) -> AsyncIterator[None]:
        """Raises Unavailable where too many wait, or none became free in time."""
        if self._wanted[administration] >= _WAITING_OF_ONE_MAX or self._wanted.total() >= _WAITING_MAX:
            raise Unavailable("fetches")
        self._wanted[administration] += 1
        try:
            async with AsyncExitStack() as taken:
                try:
                    async with asyncio.timeout(self._wait_max_s):
                        own = self._own.setdefault(administration, asyncio.Semaphore(self._of_one_max))
                        await taken.enter_async_context(own)
                        await taken.enter_async_context(self._places)
                except TimeoutError:
                    raise Unavailable("fetches") from None
                yield
        finally:
            self._wanted[administration] -= 1
            if not self._wanted[administration]:
                del self._wanted[administration]
                self._own.pop(administration, None)
