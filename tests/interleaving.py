"""Two pieces of work at once, in every order that matters: the first is stopped before its n-th step, the second runs
whole, the first goes on; for n = 1, 2, 3, until the first has no n-th step.

A step is a statement to the database (BEGIN and COMMIT among them) or a request to the object store: between two of
them a process changes nothing that another one sees.
"""

import asyncio
import contextvars
import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol
from unittest import mock

import asyncpg

from kit.tracing import statement_name
from locker.vault.blobs import S3BlobStore

Act = Callable[[], Awaitable[Any]]

_STATEMENTS = ("execute", "fetch", "fetchrow", "fetchval")
_REQUESTS = ("put", "get", "length", "delete", "list")
STEPS_MAX = 200
TRIES = 3
_LOOKS_S = 0.005
_HELD_IN_PROCESS_S = 2.0
"""A second that neither ends nor waits for a row by then waits for something that the first has in this process. Less
than a transaction may do nothing."""


class Rows(Protocol):
    async def fetchval(self, sql: str, *args: Any) -> Any: ...


@dataclass
class Steps:
    """What one piece of work does, and where it is to wait."""

    stop_at: int | None
    names: list[str] = field(default_factory=list)
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)

    async def step(self, name: str) -> None:
        self.names.append(name)
        if len(self.names) == self.stop_at:
            self.reached.set()
            await self.go_on.wait()


_steps: contextvars.ContextVar[Steps | None] = contextvars.ContextVar("steps", default=None)


@dataclass(frozen=True)
class Order:
    """How it went: the first's steps are those before the stop and those after it."""

    at: int
    first: Any
    second: Any
    steps: list[str]
    whole: bool
    """The second had ended before the first went on; else it waited for a row that the first held."""

    def __str__(self) -> str:
        how = "" if self.whole else ", which waited for it"
        return f"second before step {self.at} of the first ({self.steps[self.at - 1]}){how}"

    def after(self, *names: str) -> bool:
        """Did the first do one of these only after the second had ended?"""
        return self.whole and any(name in names for name in self.steps[self.at - 1 :])


@contextmanager
def steps_stop() -> Iterator[None]:
    """Inside, every statement and every request to the object store of this process asks whether it is to wait."""
    with (
        mock.patch.multiple(
            asyncpg.Connection,
            **{name: _stopping(getattr(asyncpg.Connection, name), _statement) for name in _STATEMENTS},
        ),
        mock.patch.multiple(
            S3BlobStore,
            **{
                name: _stopping(getattr(S3BlobStore, name), lambda *_, name=name: f"{name} object")
                for name in _REQUESTS
            },
        ),
    ):
        yield


def _stopping(real: Any, named: Callable[..., str]) -> Any:
    @functools.wraps(real)
    async def stopping(self: Any, *args: Any, **more: Any) -> Any:
        if (steps := _steps.get()) is not None:
            await steps.step(named(*args))
        return await real(self, *args, **more)

    return stopping


def _statement(sql: str, *_args: Any) -> str:
    return statement_name(sql).rstrip(";")


async def _stopped(act: Act, steps: Steps) -> Any:
    _steps.set(steps)
    return await _said(act)


async def _steps_of(act: Act) -> list[str]:
    steps = Steps(None)
    await asyncio.create_task(_stopped(act, steps))
    return steps.names


async def _said(act: Act) -> Any:
    """What it raises is what it says: whoever looks decides whether that was expected."""
    try:
        return await act()
    except Exception as raised:
        return raised


async def in_order(first: Act, second: Act, *, at: int, rows: Rows) -> Order | None:
    """None: the first has no so many steps, and the second did not run. ``rows`` looks at the same database."""
    steps = Steps(at)
    running = asyncio.create_task(_stopped(first, steps))
    reaching = asyncio.create_task(steps.reached.wait())
    await asyncio.wait({running, reaching}, return_when=asyncio.FIRST_COMPLETED)
    if not steps.reached.is_set():
        reaching.cancel()
        running.result()
        return None
    other = asyncio.create_task(_said(second))
    whole = await _ended_or_held(other, rows)
    steps.go_on.set()
    return Order(at, await running, await other, steps.names, whole)


async def _ended_or_held(task: asyncio.Task[Any], rows: Rows) -> bool:
    loop = asyncio.get_running_loop()
    end = loop.time() + _HELD_IN_PROCESS_S
    while not task.done():
        await asyncio.wait({task}, timeout=_LOOKS_S)
        if task.done() or loop.time() > end:
            break
        if await rows.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
            break
    return task.done()


async def orders_of(
    make: Callable[[], Awaitable[tuple[Act, Act]]],
    *,
    rows: Rows,
    cut: Callable[[Order], bool],
    before: Collection[str] = (),
) -> AsyncIterator[Order]:
    """Each with a first and a second of its own, which ``make`` prepares. One that was ``cut`` because the machine had
    no time for it is tried again, some times: then it is no chance any more. ``before``: only before steps of these
    names, as the first has them alone."""
    names = await _steps_of((await make())[0]) if before else []
    for at in range(1, STEPS_MAX):
        if at <= len(names) and names[at - 1] not in before:
            continue
        for tried in range(1, TRIES + 1):
            first, second = await make()
            order = await in_order(first, second, at=at, rows=rows)
            if order is None:
                return
            if tried == TRIES or not cut(order):
                yield order
                break
    raise AssertionError(f"more than {STEPS_MAX} steps")
