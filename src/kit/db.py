"""PostgreSQL through asyncpg: one pool, bounded waits, retries only where PostgreSQL says that nothing happened."""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Protocol, TypeVar, cast

import asyncpg
import msgspec

from kit import tracing
from kit.errors import Malformed, Unavailable
from kit.lanes import LANES, LAST, Lane, current_lane, kept_for_last

log = logging.getLogger("kit.db")

T = TypeVar("T")
Row = asyncpg.Record

# Serialization failure, deadlock, administrator's shutdown: the server guarantees that the transaction left nothing.
RETRIED = (asyncpg.SerializationError, asyncpg.DeadlockDetectedError, asyncpg.AdminShutdownError)
AWAY = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,  # going down, coming up, or it cut a statement that took too long
    asyncpg.InsufficientResourcesError,  # no place for a connection, no memory, no disk
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.LockNotAvailableError,
    asyncpg.ReadOnlySQLTransactionError,  # a standby, or a primary that was told to step back
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # what the server said last has come, that it hung up has not
)


class Tx(Protocol):
    """What a store function is given: a transaction, or the Database itself for a single statement."""

    async def fetchrow(self, sql: str, *args: Any) -> Row | None: ...
    async def fetch(self, sql: str, *args: Any) -> Sequence[Row]: ...
    async def fetchval(self, sql: str, *args: Any) -> Any: ...
    async def execute(self, sql: str, *args: Any) -> str: ...


async def database_time(tx: Tx) -> datetime:
    """As its rows are dated: that of the transaction's beginning."""
    found: datetime = await tx.fetchval("SELECT now()")
    return found


# A NUL in somebody's text: no row holds one, so what they ask for is not there and what they send is not kept.
UNSAYABLE = (asyncpg.CharacterNotInRepertoireError, asyncpg.UntranslatableCharacterError)

# PostgreSQL plans a statement anew each time while that looks cheaper, and leaves the planning itself out of account:
# for a join of six tables it takes six times as long as running it.
_BY_KEYS = {"plan_cache_mode": "force_generic_plan", "enable_hashjoin": "off", "enable_mergejoin": "off"}

RELEASE_S = 1.0
"""For a connection to get rid of a statement that nobody waits for; then it is closed."""
LATER_S = 1.0
"""The server cuts a statement itself; we cut the server this much later, if the network took its answer."""


def _bounds(command_timeout_s: float) -> dict[str, str]:
    """Options of the connection, not of the session: a pooler between us and PostgreSQL may keep them."""
    limit_ms = int(command_timeout_s * 1000)
    return {
        "statement_timeout": str(limit_ms),
        # Whoever waits for a row hears of it before the statement itself is over.
        "lock_timeout": str(limit_ms * 3 // 5),
        # No transaction of ours waits for anything but the database.
        "idle_in_transaction_session_timeout": str(limit_ms * 5 // 2),
    }


async def _keep(_: Any) -> None:
    """The pool's reset costs a round trip; no session state is ever set, so there is nothing to reset."""


async def _json(connection: "asyncpg.Connection[Any]") -> None:
    await connection.set_type_codec(
        "jsonb",
        schema="pg_catalog",
        format="binary",
        encoder=lambda value: b"\x01" + msgspec.json.encode(value),
        decoder=lambda data: msgspec.json.decode(data[1:]),
    )


class Database:
    """A pool. Its four statement methods run one statement of their own, committed when they return."""

    def __init__(
        self, pool: "asyncpg.Pool[Any]", *, connections_max: int, acquire_timeout_s: float, tries: int = 5
    ) -> None:
        self._pool = pool
        self._acquire_timeout_s = acquire_timeout_s
        self._tries = tries
        of_others = asyncio.Semaphore(connections_max - kept_for_last(connections_max))
        self._places: dict[Lane, tuple[asyncio.Semaphore, ...]] = {
            # Its own first: who waits for a place of a lane holds none that another lane could have.
            lane: (asyncio.Semaphore(lane.of(connections_max)), of_others) if lane.share < 1 else (of_others,)
            for lane in LANES
            if lane is not LAST
        }

    @classmethod
    async def connect(
        cls,
        dsn: str,
        *,
        connections_max: int = 10,
        acquire_timeout_s: float = 0.8,
        command_timeout_s: float = 2.0,
        by_keys: bool = False,
    ) -> "Database":
        """Lazy: the first statement connects, so that a process starts while the database is away.

        ``by_keys`` says that every statement finds its rows by keys, however many there are: each is planned once a
        connection, and by index.
        """
        pool = asyncpg.create_pool(
            dsn,
            min_size=0,
            max_size=connections_max,
            command_timeout=command_timeout_s + LATER_S,
            timeout=acquire_timeout_s,
            max_inactive_connection_lifetime=300,
            init=_json,
            server_settings=_bounds(command_timeout_s) | (_BY_KEYS if by_keys else {}),
            reset=_keep,
        )
        await pool
        return cls(
            cast("asyncpg.Pool[Any]", pool), connections_max=connections_max, acquire_timeout_s=acquire_timeout_s
        )

    def connections(self) -> tuple[int, int]:
        """Those that work and those that wait."""
        idle = self._pool.get_idle_size()
        return self._pool.get_size() - idle, idle

    async def close(self) -> None:
        try:
            await asyncio.wait_for(self._pool.close(), 5)
        except TimeoutError:
            self._pool.terminate()

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Any]:
        held: list[asyncio.Semaphore] = []
        try:
            try:
                # The pool's own timeout starts a task each time.
                async with asyncio.timeout(self._acquire_timeout_s):
                    for place in self._places.get(current_lane(), ()):
                        await place.acquire()
                        held.append(place)
                    connection = await self._pool.acquire()
            except (TimeoutError, *AWAY) as fault:
                raise Unavailable("database") from fault
            try:
                yield connection
            except asyncpg.InternalClientError:
                # It begins nothing any more, and looks idle: the next one would get it.
                connection.terminate()
                raise
            finally:
                try:
                    # Without a bound it would wait for a network that is gone to take the cancellation.
                    await self._pool.release(connection, timeout=RELEASE_S)
                except (TimeoutError, *AWAY):
                    log.info("a connection that did not answer was closed")
        finally:
            for place in held:
                place.release()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Tx]:
        """One transaction, not retried. Never hold it across a network call."""
        async with self._connection() as connection:
            try:
                async with connection.transaction():
                    yield cast("Tx", tracing.traced(connection))
            except UNSAYABLE as fault:
                raise Malformed from fault
            except (TimeoutError, *RETRIED, *AWAY) as fault:
                raise Unavailable("database") from fault

    async def transact(self, action: Callable[[Tx], Awaitable[T]]) -> T:
        """Run ``action`` in one transaction, again where PostgreSQL rolled it back for reasons of its own.

        ``action`` must have no effect outside the transaction.
        """

        async def once(connection: Any) -> T:
            async with connection.transaction():
                return await action(cast("Tx", tracing.traced(connection)))

        return await self._retried(once)

    async def _retried(self, once: Callable[[Any], Awaitable[T]]) -> T:
        for attempt in range(1, self._tries + 1):
            async with self._connection() as connection:
                try:
                    return await once(connection)
                except UNSAYABLE as fault:
                    raise Malformed from fault
                except RETRIED as fault:
                    if attempt == self._tries:
                        raise Unavailable("database") from fault
                except (TimeoutError, *AWAY) as fault:
                    # The outcome may be unknown here (a lost COMMIT answer), so it is never repeated by us.
                    raise Unavailable("database") from fault
            await asyncio.sleep(random.uniform(0.005, 0.02) * 2**attempt)  # noqa: S311 - jitter, not a secret
        raise AssertionError("unreachable")

    async def fetchrow(self, sql: str, *args: Any) -> Row | None:
        with tracing.of_statement(sql):
            return cast("Row | None", await self._retried(lambda c: c.fetchrow(sql, *args)))

    async def fetch(self, sql: str, *args: Any) -> Sequence[Row]:
        with tracing.of_statement(sql):
            return cast("Sequence[Row]", await self._retried(lambda c: c.fetch(sql, *args)))

    async def fetchval(self, sql: str, *args: Any) -> Any:
        with tracing.of_statement(sql):
            return await self._retried(lambda c: c.fetchval(sql, *args))

    async def execute(self, sql: str, *args: Any) -> str:
        with tracing.of_statement(sql):
            return cast("str", await self._retried(lambda c: c.execute(sql, *args)))
