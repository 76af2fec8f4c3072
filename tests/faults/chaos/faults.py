"""What goes wrong: each for as long as its block is open."""

import asyncio
import contextlib
import os
import resource
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from pathlib import Path
from random import Random

import asyncpg

from khizana.embedded.postgres import EmbeddedPostgres
from khizana.embedded.s3 import EmbeddedS3
from tests.fault_proxy import Fault, FaultProxy
from tests.faults.chaos.place import Place
from tests.faults.rig import Node

STRIKES_WITHIN_S = 10.0
FEW_BYTES = 2_000
"""Less than any object of a document has."""

Under = Callable[[int], Awaitable[None]]
"""Until so many operations are over."""
Open = Callable[[Place, Random, Under], AbstractAsyncContextManager[None]]


async def _kill(place: Place, nodes: list[Node]) -> None:
    await asyncio.gather(*(node.kill() for node in nodes))
    place.figures.kills += len(nodes)
    if any(node in place.rig.workers for node in nodes):
        # A dead leader of the log keeps its lease for a minute; nobody waits for that here.
        await place.as_owner("UPDATE locker.log_head SET leader_until = now()")
    for node in nodes:
        node.begin()


async def _serving(place: Place, nodes: list[Node]) -> None:
    await asyncio.gather(*(node.up() for node in nodes if node in place.rig.nodes))


@asynccontextmanager
async def _killed(place: Place, rng: Random, under: Under, *, of: str, many: int) -> AsyncIterator[None]:
    nodes: list[Node] = list(getattr(place.rig, of))
    struck = rng.sample(nodes, many)
    await _kill(place, struck)
    yield
    await _serving(place, struck)


@asynccontextmanager
async def _killed_again_and_again(place: Place, rng: Random, under: Under) -> AsyncIterator[None]:
    for _ in range(3):
        struck = [rng.choice([*place.rig.nodes, *place.rig.workers])]
        await _kill(place, struck)
        await _serving(place, struck)
        await under(3)
    yield


@asynccontextmanager
async def _children_killed(place: Place, rng: Random, under: Under) -> AsyncIterator[None]:
    """Those that judge, draw and look at uploads, idle or in the middle of it."""
    for _ in range(8):
        children = sorted(pid for node in (*place.rig.nodes, *place.rig.workers) for pid in node.children())
        if children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(rng.choice(children), signal.SIGKILL)
            place.figures.children_killed += 1
        await under(2)
    yield


@asynccontextmanager
async def _children_stand_still(place: Place, rng: Random, under: Under) -> AsyncIterator[None]:
    children = [pid for node in (*place.rig.nodes, *place.rig.workers) for pid in node.children()]
    _signal(children, signal.SIGSTOP)
    try:
        yield
    finally:
        _signal(children, signal.SIGCONT)


def _signal(pids: list[int], number: int) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


@asynccontextmanager
async def _stands_still(place: Place, rng: Random, under: Under, *, of: str) -> AsyncIterator[None]:
    node: Node = rng.choice(getattr(place.rig, of))
    node.stand_still()
    try:
        yield
    finally:
        node.go_on()


@asynccontextmanager
async def _wire(
    place: Place, rng: Random, under: Under, *, of: str, fault: Fault, each: int = 1, delay_s: float = 0.0
) -> AsyncIterator[None]:
    proxy: FaultProxy | None = getattr(place.rig, of)
    assert proxy is not None
    await asyncio.to_thread(proxy.turn, fault, delay_s=delay_s, each=each + rng.randrange(each))
    try:
        yield
    finally:
        await asyncio.to_thread(proxy.turn, "none")


@asynccontextmanager
async def _database_stopped(place: Place, rng: Random, under: Under) -> AsyncIterator[None]:
    """As by ``pg_ctl -m immediate``."""
    postgres: EmbeddedPostgres = place.stores["postgres"]
    postgres.process.send_signal(signal.SIGQUIT)
    await asyncio.to_thread(postgres.process.wait, 30)
    place.figures.kills += 1
    try:
        yield
    finally:
        await asyncio.to_thread(postgres.stop)
        place.stores["postgres"] = await asyncio.to_thread(EmbeddedPostgres.start, place.rig.home.folder)


@asynccontextmanager
async def _objects_killed(place: Place, rng: Random, under: Under) -> AsyncIterator[None]:
    s3: EmbeddedS3 = place.stores["s3"]
    s3.process.kill()
    await asyncio.to_thread(s3.process.wait, 30)
    place.figures.kills += 1
    try:
        yield
    finally:
        await asyncio.to_thread(s3.stop)
        started = place.stores["s3"] = await asyncio.to_thread(EmbeddedS3.start, place.rig.home.folder)
        assert started.kept.port == s3.kept.port


@asynccontextmanager
async def _objects_without_room(place: Place, rng: Random, under: Under) -> AsyncIterator[None]:
    """No file of it may grow beyond a few bytes: what is there is read, what comes is not kept."""
    pid = place.stores["s3"].process.pid
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (FEW_BYTES, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)


@asynccontextmanager
async def _database_read_only(place: Place, rng: Random, under: Under) -> AsyncIterator[None]:
    """As a primary that was told to step back."""
    await _alter(place, "default_transaction_read_only = on")
    try:
        yield
    finally:
        await _alter(place, "default_transaction_read_only = off")


async def _alter(place: Place, setting: str) -> None:
    """For both applications' roles; the sessions of now end."""
    connection = await asyncpg.connect(place.stores["postgres"].address.dsn("postgres"))
    try:
        for role in ("idp", "locker"):
            await connection.execute(f"ALTER ROLE {role} SET {setting}")
        await connection.execute(_END_ALL)
    finally:
        await connection.close()


_END_ALL = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename IN ('idp', 'locker')"


@asynccontextmanager
async def _sessions_ended(place: Place, rng: Random, under: Under) -> AsyncIterator[None]:
    """Again and again all of them, in whatever they are doing."""
    connection = await asyncpg.connect(place.stores["postgres"].address.dsn("postgres"))
    try:
        for _ in range(6):
            await connection.execute(_END_ALL)
            await under(2)
        yield
    finally:
        await connection.close()


@asynccontextmanager
async def _backend_killed(place: Place, rng: Random, under: Under) -> AsyncIterator[None]:
    """As the kernel does where memory is short: PostgreSQL ends everybody's session and recovers."""
    connection = await asyncpg.connect(place.stores["postgres"].address.dsn("postgres"))
    try:
        rows = await connection.fetch(_BACKENDS)
    finally:
        await connection.close()
    if rows:
        with contextlib.suppress(ProcessLookupError):
            os.kill(rng.choice(rows)["pid"], signal.SIGKILL)
        place.figures.kills += 1
    yield


@asynccontextmanager
async def _database_without_room(place: Place, rng: Random, under: Under) -> AsyncIterator[None]:
    """None of its files may grow beyond a few bytes: it cannot write its log, and ends."""
    postgres: EmbeddedPostgres = place.stores["postgres"]
    pid = postgres.process.pid
    for one in [pid, *map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]:
        with contextlib.suppress(ProcessLookupError):
            resource.prlimit(one, resource.RLIMIT_FSIZE, (FEW_BYTES, resource.RLIM_INFINITY))
    place.figures.kills += 1
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        await asyncio.to_thread(postgres.stop)
        place.stores["postgres"] = await asyncio.to_thread(EmbeddedPostgres.start, place.rig.home.folder)


_BACKENDS = "SELECT pid FROM pg_stat_activity WHERE usename IN ('idp', 'locker') ORDER BY pid"


@asynccontextmanager
async def _outside(place: Place, rng: Random, under: Under, *, of: str, how: str) -> AsyncIterator[None]:
    other = getattr(place, of)
    other.how, before = how, other.struck
    try:
        yield
        # On a busy machine somebody may come late to it.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STRIKES_WITHIN_S):
                while other.struck == before:
                    await asyncio.sleep(0.1)
    finally:
        other.how = "well"


FAULTS: dict[str, Open] = {
    "server killed": partial(_killed, of="nodes", many=1),
    "both servers killed": partial(_killed, of="nodes", many=2),
    "worker killed": partial(_killed, of="workers", many=1),
    "both workers killed": partial(_killed, of="workers", many=2),
    "killed again and again": _killed_again_and_again,
    "children killed": _children_killed,
    "children stand still": _children_stand_still,
    "server stands still": partial(_stands_still, of="nodes"),
    "worker stands still": partial(_stands_still, of="workers"),
    "database refuses": partial(_wire, of="database", fault="refused"),
    "database silent": partial(_wire, of="database", fault="silent"),
    "database slow": partial(_wire, of="database", fault="slow", delay_s=0.7),
    "database cut": partial(_wire, of="database", fault="cut", each=12),
    "database stopped": _database_stopped,
    "database read-only": _database_read_only,
    "database sessions ended": _sessions_ended,
    "database backend killed": _backend_killed,
    "database without room": _database_without_room,
    "objects refuse": partial(_wire, of="objects", fault="refused"),
    "objects silent": partial(_wire, of="objects", fault="silent"),
    "objects slow": partial(_wire, of="objects", fault="slow", delay_s=1.5),
    "objects drip": partial(_wire, of="objects", fault="dripping"),
    "objects cut": partial(_wire, of="objects", fault="cut", each=4),
    "objects spoilt": partial(_wire, of="objects", fault="spoilt", each=3),
    "objects spoilt on their way": partial(_wire, of="objects", fault="spoilt-sent", each=2),
    "objects without room": _objects_without_room,
    "objects killed": _objects_killed,
    "provider refuses": partial(_wire, of="wire", fault="refused"),
    "provider silent": partial(_wire, of="wire", fault="silent"),
    "provider slow": partial(_wire, of="wire", fault="slow", delay_s=1.5),
    "provider cut": partial(_wire, of="wire", fault="cut", each=4),
    "scanner away": partial(_outside, of="scanner", how="away"),
    "scanner silent": partial(_outside, of="scanner", how="silent"),
    "receivers refuse": partial(_outside, of="receivers", how="badly"),
    "issuer away": partial(_outside, of="issuer", how="away"),
    "issuer slow": partial(_outside, of="issuer", how="slow"),
    "issuer gives other bytes": partial(_outside, of="issuer", how="other bytes"),
    "time stamps away": partial(_outside, of="stamping", how="away"),
}


def can_be_together(one: str, other: str) -> bool:
    return one.split()[0] != other.split()[0]
