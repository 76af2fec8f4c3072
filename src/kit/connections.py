"""Connections to PostgreSQL, kept open and lent to one borrower at a time.

asyncpg has a pool, which starts two tasks for each loan and guards session state that we never have: it costs 35 µs of
CPU a statement, twice what the statement itself does. This one lends by taking from a list. It keeps a connection only
if it is certain of its state; after a time-out or a cancellation it opens another.
"""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg

Connection = asyncpg.Connection
Connect = Callable[[], Awaitable["Connection[Any]"]]

_CLOSE_S = 2.0


class Connections:
    """At most ``size``; opened when needed, closed when they were not for ``idle_max_s``."""

    def __init__(self, connect: Connect, *, size: int, wait_max_s: float, idle_max_s: float = 300.0) -> None:
        self._connect = connect
        self._size = size
        self._wait_max_s = wait_max_s
        self._idle_max_s = idle_max_s
        self._places = asyncio.Semaphore(size)
        # The last one given back is the first one lent: the others may fall idle.
        self._idle: deque[tuple[Connection[Any], float]] = deque()
        self._open: set[Connection[Any]] = set()
        self._closing = False
        self._tasks: set[asyncio.Task[None]] = set()

    async def lend(self) -> "Connection[Any]":
        """Raises TimeoutError after ``wait_max_s``, and what ``connect`` raises."""
        if not self._places.locked() and self._idle and not self._closing:
            await self._places.acquire()  # at once, since one is free
            connection, _ = self._idle.pop()
            if not connection.is_closed():
                return connection
            self._forget(connection)
            self._places.release()
        async with asyncio.timeout(self._wait_max_s):
            await self._places.acquire()
            try:
                return await self._idle_or_new()
            except BaseException:
                self._places.release()
                raise

    async def _idle_or_new(self) -> "Connection[Any]":
        if self._closing:
            raise asyncpg.InterfaceError("the pool is closed")
        while self._idle:
            connection, _ = self._idle.pop()
            if not connection.is_closed():
                return connection
            self._forget(connection)
        connection = await self._connect()
        self._open.add(connection)
        return connection

    def take_back(self, connection: "Connection[Any]", *, sound: bool) -> None:
        """``sound`` is False where its state is not known: a statement may still be running there."""
        if not sound or connection.is_closed() or connection.is_in_transaction():
            # Its place is free when it is closed: by then the server was told to end what nobody waits for.
            self._close_soon(connection, frees_place=True)
            return
        now = time.monotonic()
        self._idle.append((connection, now))
        if now - self._idle[0][1] > self._idle_max_s:
            self._close_soon(self._idle.popleft()[0], frees_place=False)
        self._places.release()

    async def close(self) -> None:
        """Waits a little for what is lent."""
        self._closing = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_S):
                for _ in range(self._size):
                    await self._places.acquire()
                await asyncio.gather(*self._tasks, return_exceptions=True)
                for connection in tuple(self._open):
                    await connection.close()
                    self._open.discard(connection)
        for connection in tuple(self._open):
            connection.terminate()
        self._open.clear()
        self._idle.clear()

    def _forget(self, connection: "Connection[Any]") -> None:
        self._open.discard(connection)

    def _close_soon(self, connection: "Connection[Any]", *, frees_place: bool) -> None:
        async def close() -> None:
            try:
                await connection.close(timeout=_CLOSE_S)
            except (TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                connection.terminate()
            finally:
                self._forget(connection)
                if frees_place:
                    self._places.release()

        task = asyncio.get_running_loop().create_task(close())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
