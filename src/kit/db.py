"""PostgreSQL through asyncpg: one pool, bounded waits, retries only where PostgreSQL says that nothing happened."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Protocol, TypeVar, cast

import asyncpg
import msgspec

from kit.connections import Connections
from kit.errors import Unavailable

T = TypeVar("T")
Row = asyncpg.Record

# Serialization failure, deadlock, administrator's shutdown: the server guarantees that the transaction left nothing.
RETRIED = (asyncpg.SerializationError, asyncpg.DeadlockDetectedError, asyncpg.AdminShutdownError)
AWAY = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.InterfaceError,
)


class Tx(Protocol):
    """What a store function is given: a transaction, or the Database itself for a single statement."""

    async def fetchrow(self, sql: str, *args: Any) -> Row | None: ...
    async def fetch(self, sql: str, *args: Any) -> Sequence[Row]: ...
    async def fetchval(self, sql: str, *args: Any) -> Any: ...
    async def execute(self, sql: str, *args: Any) -> str: ...


async def _json(connection: "asyncpg.Connection[Any]") -> None:
    await connection.set_type_codec(
        "jsonb",
        schema="pg_catalog",
        format="binary",
        encoder=lambda value: b"\x01" + msgspec.json.encode(value),
        decoder=lambda data: msgspec.json.decode(data[1:]),
    )


class _Transaction:
    """What an action gets. It is of no use when the transaction is over: the connection is another's then."""

    __slots__ = ("_connection",)

    def __init__(self, connection: "asyncpg.Connection[Any]") -> None:
        self._connection: asyncpg.Connection[Any] | None = connection

    def end(self) -> None:
        self._connection = None

    def _live(self) -> "asyncpg.Connection[Any]":
        if self._connection is None:
            raise RuntimeError("this transaction is over")
        return self._connection

    async def fetchrow(self, sql: str, *args: Any) -> Row | None:
        return await self._live().fetchrow(sql, *args)

    async def fetch(self, sql: str, *args: Any) -> Sequence[Row]:
        return await self._live().fetch(sql, *args)

    async def fetchval(self, sql: str, *args: Any) -> Any:
        return await self._live().fetchval(sql, *args)

    async def execute(self, sql: str, *args: Any) -> str:
        return await self._live().execute(sql, *args)


class Database:
    """A pool. Its four statement methods run one statement of their own, committed when they return."""

    def __init__(self, connections: Connections, *, tries: int = 5) -> None:
        self._connections = connections
        self._tries = tries

    @classmethod
    async def connect(
        cls,
        dsn: str,
        *,
        connections_max: int = 10,
        acquire_timeout_s: float = 2.0,
        command_timeout_s: float = 5.0,
    ) -> "Database":
        """Lazy: the first statement connects, so that a process starts while the database is away."""

        async def connect() -> "asyncpg.Connection[Any]":
            connection = await asyncpg.connect(dsn, command_timeout=command_timeout_s, timeout=acquire_timeout_s)
            try:
                await _json(connection)
            except BaseException:
                connection.terminate()
                raise
            return connection

        return cls(Connections(connect, size=connections_max, wait_max_s=acquire_timeout_s))

    async def close(self) -> None:
        await self._connections.close()

    async def _lent(self) -> "asyncpg.Connection[Any]":
        try:
            return await self._connections.lend()
        except (TimeoutError, *AWAY) as fault:
            raise Unavailable("database") from fault

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Tx]:
        """One transaction, not retried. Never hold it across a network call."""
        connection = await self._lent()
        sound = True
        try:
            tx = _Transaction(connection)
            try:
                async with connection.transaction():
                    yield tx
            finally:
                tx.end()
        except BaseException as fault:
            sound = _is_sound(fault)
            if isinstance(fault, (TimeoutError, *AWAY)):
                raise Unavailable("database") from fault
            raise
        finally:
            self._connections.take_back(connection, sound=sound)

    async def transact(self, action: Callable[[Tx], Awaitable[T]]) -> T:
        """Run ``action`` in one transaction, again where PostgreSQL rolled it back for reasons of its own.

        ``action`` must have no effect outside the transaction.
        """

        async def once(connection: Any) -> T:
            async with connection.transaction():
                tx = _Transaction(connection)
                try:
                    return await action(tx)
                finally:
                    tx.end()

        return await self._retried(once)

    async def _retried(self, once: Callable[[Any], Awaitable[T]]) -> T:
        for attempt in range(1, self._tries + 1):
            connection = await self._lent()
            sound = True
            try:
                return await once(connection)
            except BaseException as fault:
                sound = _is_sound(fault)
                if isinstance(fault, RETRIED):
                    if attempt == self._tries:
                        raise Unavailable("database") from fault
                elif isinstance(fault, (TimeoutError, *AWAY)):
                    # The outcome may be unknown here (a lost COMMIT answer), so it is never repeated by us.
                    raise Unavailable("database") from fault
                else:
                    raise
            finally:
                self._connections.take_back(connection, sound=sound)
            await asyncio.sleep(random.uniform(0.005, 0.02) * 2**attempt)  # noqa: S311 - jitter, not a secret
        raise AssertionError("unreachable")

    async def fetchrow(self, sql: str, *args: Any) -> Row | None:
        return cast("Row | None", await self._retried(lambda c: c.fetchrow(sql, *args)))

    async def fetch(self, sql: str, *args: Any) -> Sequence[Row]:
        return cast("Sequence[Row]", await self._retried(lambda c: c.fetch(sql, *args)))

    async def fetchval(self, sql: str, *args: Any) -> Any:
        return await self._retried(lambda c: c.fetchval(sql, *args))

    async def execute(self, sql: str, *args: Any) -> str:
        return cast("str", await self._retried(lambda c: c.execute(sql, *args)))


def _is_sound(fault: BaseException) -> bool:
    """Whether nothing can be under way on the connection that ``fault`` came through."""
    return isinstance(fault, Exception) and not isinstance(fault, (TimeoutError, *AWAY))
