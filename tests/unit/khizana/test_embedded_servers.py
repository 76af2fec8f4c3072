"""What the rest of the suite stands on."""

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
from minio import Minio

from khizana.embedded import postgres as embedded_postgres
from khizana.embedded import s3 as embedded_s3
from khizana.embedded.child import NotStarted, command_of
from khizana.embedded.postgres import EmbeddedPostgres
from khizana.embedded.s3 import EmbeddedS3
from kit.db import Database
from tests.conftest import ROOT, Dsns

RUN_BOTH = """
import sys, time
from pathlib import Path
from khizana.embedded.postgres import EmbeddedPostgres
from khizana.embedded.s3 import EmbeddedS3
home = Path(sys.argv[1])
postgres, s3 = EmbeddedPostgres.start(home), EmbeddedS3.start(home)
print(postgres.process.pid, s3.process.pid, flush=True)
time.sleep(60)
"""


@pytest.fixture
def own_home() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="khizana-test-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def client(s3: EmbeddedS3, *, secret_key: str | None = None) -> Minio:
    return Minio(
        s3.endpoint.removeprefix("http://"),
        s3.access_key,
        secret_key or s3.secret_key,
        secure=False,
        region="us-east-1",
    )


async def test_each_role_signs_in_and_sees_its_own_schema_only(dsns: Dsns) -> None:
    for role, other in (("idp", "locker"), ("locker", "idp")):
        connection = await asyncpg.connect(getattr(dsns, role))
        try:
            assert await connection.fetchval("SELECT current_user") == role
            assert await connection.fetchval(f"SELECT count(*) FROM {role}.audit") == 0
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.fetch(f"SELECT 1 FROM {other}.audit")
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(f"CREATE TABLE {role}.another (x int)")
        finally:
            await connection.close()


async def test_the_fixtures_hand_out_databases_of_the_apps_roles(idp_db: Database, locker_db: Database) -> None:
    assert await idp_db.fetchval("SELECT current_user") == "idp"
    assert await locker_db.fetchval("SELECT current_user") == "locker"


async def test_a_wrong_password_is_refused(postgres: EmbeddedPostgres) -> None:
    right = postgres.dsn("idp")
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(right.replace(postgres.address.passwords["idp"], "x"))


def test_objects_go_in_and_out_and_a_wrong_key_is_refused(s3: EmbeddedS3) -> None:
    import io

    body = secrets.token_bytes(100_000)
    client(s3).put_object(s3.bucket, "ab/object", io.BytesIO(body), len(body))
    assert client(s3).get_object(s3.bucket, "ab/object").read() == body
    assert (s3.bucket_folder / "ab" / "object").read_bytes() == body
    client(s3).remove_object(s3.bucket, "ab/object")
    with pytest.raises(Exception, match=r"InvalidAccessKey|SignatureDoesNotMatch|status code 403|denied|invalid"):
        client(s3, secret_key="wrong").put_object(s3.bucket, "ab/object", io.BytesIO(body), len(body))


async def test_a_second_start_keeps_data_passwords_and_address(own_home: Path) -> None:
    first, first_s3 = EmbeddedPostgres.start(own_home), EmbeddedS3.start(own_home)
    try:
        connection = await asyncpg.connect(first.dsn("owner"))
        await connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
        await connection.close()
    finally:
        first.stop()
        first_s3.stop()
    assert embedded_postgres.running(own_home) is None
    second, second_s3 = EmbeddedPostgres.start(own_home), EmbeddedS3.start(own_home)
    try:
        assert second.address.passwords == first.address.passwords
        assert (second_s3.endpoint, second_s3.secret_key) == (first_s3.endpoint, first_s3.secret_key)
        connection = await asyncpg.connect(second.dsn("owner"))
        assert await connection.fetchval("SELECT answer FROM kept") == 42
        await connection.close()
    finally:
        second.stop()
        second_s3.stop()


def test_secrets_of_the_home_are_readable_by_their_owner_alone(own_home: Path) -> None:
    postgres, s3 = EmbeddedPostgres.start(own_home), EmbeddedS3.start(own_home)
    postgres.stop()
    s3.stop()
    for name in ("postgres-passwords.json", "s3.json"):
        assert (own_home / name).stat().st_mode & 0o077 == 0


def test_two_at_once_for_one_home_is_refused_and_the_first_is_found(own_home: Path) -> None:
    first = EmbeddedPostgres.start(own_home)
    try:
        with pytest.raises(NotStarted, match="already"):
            EmbeddedPostgres.start(own_home)
        assert embedded_postgres.running(own_home) == first.address
    finally:
        first.stop()


@pytest.mark.skipif(sys.platform != "linux", reason="SKIPPED: the kernel's death signal is Linux's")
async def test_killed_with_everything_it_starts_again_without_a_hand(own_home: Path) -> None:
    """kill -9 of us, of the postmaster and of the S3 server; then a number in a stale file that now is somebody's."""
    parent = subprocess.Popen(
        [sys.executable, "-c", RUN_BOTH, str(own_home)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
    )
    assert parent.stdout is not None
    pids = [int(word) for word in parent.stdout.readline().split()]
    address = embedded_postgres.running(own_home)
    assert address is not None
    connection = await asyncpg.connect(address.dsn("owner"))
    await connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    for pid in (parent.pid, *pids):
        os.kill(pid, signal.SIGKILL)
    parent.wait()
    stale = own_home / "postgres" / "postmaster.pid"
    if stale.exists():
        stale.write_text(stale.read_text().replace(str(pids[0]), str(os.getpid()), 1))
    (own_home / "s3.pid").write_text(str(os.getpid()))

    postgres, s3 = EmbeddedPostgres.start(own_home), EmbeddedS3.start(own_home)
    try:
        connection = await asyncpg.connect(postgres.dsn("owner"))
        assert await connection.fetchval("SELECT answer FROM kept") == 42
        await connection.close()
        assert embedded_s3.running(own_home) is not None
    finally:
        postgres.stop()
        s3.stop()


@pytest.mark.skipif(sys.platform != "linux", reason="SKIPPED: the kernel's death signal is Linux's")
def test_the_servers_do_not_outlive_us(own_home: Path) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", RUN_BOTH, str(own_home)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
    )
    assert parent.stdout is not None
    pids = [int(word) for word in parent.stdout.readline().split()]
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 10
    while any(command_of(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert [command_of(pid) for pid in pids] == ["", ""]


async def test_lost_passwords_are_made_anew_and_the_data_stays(own_home: Path) -> None:
    first = EmbeddedPostgres.start(own_home)
    first.stop()
    (own_home / "postgres-passwords.json").write_text(json.dumps({}))
    second = EmbeddedPostgres.start(own_home)
    try:
        connection = await asyncpg.connect(second.dsn("locker"))
        assert await connection.fetchval("SELECT current_database()") == "khizana"
        await connection.close()
        assert second.address.passwords != first.address.passwords
    finally:
        second.stop()
