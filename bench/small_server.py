"""A program of this folder that serves on a port of its own while something is measured."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from bench.product import free_port
from khizana.embedded import child

READY_MAX_S = 10.0


@dataclass(frozen=True)
class SmallServer:
    port: int
    pid: int


@contextlib.asynccontextmanager
async def small_server(
    program: str, *words: str, log: Path, ready: Callable[[int], Awaitable[bool]]
) -> AsyncIterator[SmallServer]:
    """``program`` is called with the port and ``words``; ``ready`` is asked with the port, and may raise OSError."""
    port = free_port()
    command = [*child.dying_with_us("KILL"), sys.executable, str(Path(__file__).parent / program), str(port), *words]
    process = child.spawn(command, log=log, environ=dict(os.environ))
    try:
        try:
            async with asyncio.timeout(READY_MAX_S):
                while not await _is(ready, port):
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise RuntimeError(child.last_lines(log)) from None
        yield SmallServer(port, process.pid)
    finally:
        await asyncio.to_thread(child.end, process, (signal.SIGTERM,), each_s=5)


async def _is(ready: Callable[[int], Awaitable[bool]], port: int) -> bool:
    try:
        return await ready(port)
    except OSError:
        return False
