"""A provider that synchronous tests can drive: Hypothesis calls functions, the provider lives on an event loop."""

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from contextlib import AsyncExitStack, contextmanager
from typing import Any, TypeVar

from tests.conftest import Dsns
from tests.provider import Provider, running_provider

T = TypeVar("T")


class Running:
    """The provider on a loop and in a thread of its own, so that what it does in the background goes on too."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="provider")
        self._thread.start()
        self._open = AsyncExitStack()
        self.provider: Provider

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(timeout=120)

    def start(self, dsns: Dsns) -> None:
        self.provider = self.run(self._open.enter_async_context(running_provider(dsns.idp, dsns.owner)))

    def stop(self) -> None:
        try:
            self.run(self._open.aclose())
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()


@contextmanager
def running_on(dsns: Dsns) -> Iterator[Running]:
    running = Running()
    try:
        running.start(dsns)
        yield running
    finally:
        running.stop()
