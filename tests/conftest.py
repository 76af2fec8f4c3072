"""Real servers for the tests: one PostgreSQL and one S3 server in each test process, one database in each module."""

import asyncio
import itertools
import os
import random
import signal
import subprocess
import tempfile
from collections.abc import AsyncIterator, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
import pytest
from hypothesis import HealthCheck, settings

from khizana.embedded.postgres import EmbeddedPostgres
from khizana.embedded.s3 import EmbeddedS3
from kit.db import Database
from kit.migrate import migrate
from tests.ceph import Ceph, running_ceph
from tests.product import product

__all__ = ["product"]

T = TypeVar("T")

# The same examples on every machine, however slow it is; KHIZANA_TEST_RANDOM=1 looks for others.
settings.register_profile(
    "khizana",
    deadline=None,
    derandomize=not os.environ.get("KHIZANA_TEST_RANDOM"),
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("khizana")

ROOT = Path(__file__).parent.parent
TEMPLATE = "khizana_template"

# Set in some environments, it makes each child process compile pyHanko again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest begins first, so that no process works alone at the end. KHIZANA_TEST_ORDER=1 (or another
    number) mixes the files instead: what one leaves in its process is not what another needs."""
    if order := os.environ.get("KHIZANA_TEST_ORDER"):
        places = list(dict.fromkeys(item.path for item in items))
        random.Random(order).shuffle(places)
        items.sort(key=lambda item: places.index(item.path))
        return
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    browser = {item.path for item in items if item.get_closest_marker("browser")}
    items.sort(key=lambda item: (item.path not in slow, item.path not in browser))


@dataclass(frozen=True)
class Dsns:
    """One migrated database, as each role reaches it."""

    owner: str = field(repr=False)
    idp: str = field(repr=False)
    locker: str = field(repr=False)


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """In a loop and a thread of its own, so that a synchronous fixture may be used inside any test."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, coroutine).result()


async def _as_admin(postgres: EmbeddedPostgres, *statements: str) -> None:
    connection = await asyncpg.connect(postgres.dsn("postgres", "postgres"))
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def migrate_both(owner_dsn: str) -> None:
    for schema in ("idp", "locker"):
        await migrate(owner_dsn, ROOT / "migrations" / schema, schema)


@pytest.fixture(scope="session")
def home() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="khizana-test-"))
    yield folder
    # A hundred databases are a hundred thousand files: nobody waits for the minute that it takes to remove them.
    subprocess.Popen(["rm", "-rf", str(folder)], start_new_session=True)


@pytest.fixture(scope="session")
def postgres(home: Path) -> Iterator[EmbeddedPostgres]:
    server = EmbeddedPostgres.start(home, durable=False)
    yield server
    # Nothing of it is kept, so it need not write anything first.
    server.process.send_signal(signal.SIGQUIT)
    server.stop()


@pytest.fixture(scope="session")
def template_database(postgres: EmbeddedPostgres) -> str:
    """Migrated once in each test process; every module gets a copy."""
    run(_as_admin(postgres, f"CREATE DATABASE {TEMPLATE} OWNER owner"))
    run(migrate_both(postgres.dsn("owner", TEMPLATE)))
    return TEMPLATE


_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def new_database(postgres: EmbeddedPostgres, template_database: str) -> Any:
    """Call it for one more migrated database, where a test must not meet the rows of its neighbours. It goes with the
    server: to drop a hundred, one by one, takes minutes."""

    def make() -> Dsns:
        name = f"khizana_{next(_numbers)}"
        run(_as_admin(postgres, f"CREATE DATABASE {name} TEMPLATE {template_database} OWNER owner"))
        return Dsns(postgres.dsn("owner", name), postgres.dsn("idp", name), postgres.dsn("locker", name))

    return make


@pytest.fixture(scope="module")
def dsns(new_database: Any) -> Dsns:
    made = new_database()
    assert isinstance(made, Dsns)
    return made


@pytest.fixture
async def idp_db(dsns: Dsns) -> AsyncIterator[Database]:
    database = await Database.connect(dsns.idp)
    yield database
    await database.close()


@pytest.fixture
async def locker_db(dsns: Dsns) -> AsyncIterator[Database]:
    database = await Database.connect(dsns.locker)
    yield database
    await database.close()


@pytest.fixture
async def owner_db(dsns: Dsns) -> AsyncIterator[Database]:
    """Looks at, or breaks, what the apps' roles may not."""
    database = await Database.connect(dsns.owner)
    yield database
    await database.close()


@pytest.fixture(scope="session")
def s3(home: Path) -> Iterator[EmbeddedS3]:
    server = EmbeddedS3.start(home)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def ceph(home: Path) -> Iterator[Ceph]:
    folder = home / "ceph"
    folder.mkdir()
    with running_ceph(folder) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def fixtures_dir() -> Path:
    """Signed PDFs that other software made; other people's data, so they are not part of the project."""
    named = os.environ.get("KHIZANA_FIXTURES")
    folder = Path(named) if named else ROOT.parent / "shared" / "fixtures"
    if not folder.is_dir():
        pytest.skip("SKIPPED: no folder of real signed PDFs here; name one in KHIZANA_FIXTURES to run this test")
    return folder
