"""deploy/backup.sh and deploy/restore.sh, carried out with the binaries of the embedded servers."""

import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest

from khizana.embedded.postgres import EmbeddedPostgres
from tests.conftest import ROOT, Dsns, run


@pytest.fixture
def tools(postgres: EmbeddedPostgres) -> dict[str, str]:
    """pg_dump, psql and pg_restore beside the running server's binary; rclone in our own environment."""
    import khizana.embedded.postgres as embedded

    pg_bin = embedded.binaries() / "bin"
    path = os.pathsep.join([str(pg_bin), str(Path(sys.executable).parent), os.environ["PATH"]])
    return {**os.environ, "PATH": path, "RCLONE_CONFIG": os.devnull}


def script(name: str, environ: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(ROOT / "deploy" / name), *words], env=environ, capture_output=True, text=True, timeout=120
    )


async def _execute(dsn: str, *statements: str) -> Any:
    connection = await asyncpg.connect(dsn)
    try:
        for statement in statements[:-1]:
            await connection.execute(statement)
        return await connection.fetchval(statements[-1])
    finally:
        await connection.close()


def test_what_was_backed_up_is_restored_and_nothing_is_overwritten(
    dsns: Dsns, postgres: EmbeddedPostgres, tools: dict[str, str], tmp_path: Path
) -> None:
    objects, keys, backups, apart = (tmp_path / name for name in ("objects", "keys", "backups", "apart"))
    for folder in (objects / "ab", keys, backups):
        folder.mkdir(parents=True)
    (objects / "ab" / ("a" * 32)).write_bytes(os.urandom(100_000))
    (keys / "master.key").write_bytes(os.urandom(32))
    secret = (keys / "master.key").read_bytes()
    limit = "INSERT INTO idp.throttle VALUES ('probe', now(), 7)"
    run(_execute(dsns.owner, limit, "SELECT 1"))

    environ = {
        **tools,
        "KHIZANA_BACKUP_DATABASE_URL": dsns.owner,
        "KHIZANA_BACKUP_OBJECTS": str(objects),
        "KHIZANA_BACKUP_KEYS": str(keys),
    }
    for beside in ("", str(backups / "keys")):
        refused = script("backup.sh", {**environ, "KHIZANA_BACKUP_KEYS_FOLDER": beside}, str(backups))
        assert (refused.returncode != 0, list(backups.glob("*Z"))) == (True, [])
    environ["KHIZANA_BACKUP_KEYS_FOLDER"] = str(apart)
    made = script("backup.sh", environ, str(backups))
    assert made.returncode == 0, made.stderr
    backup = Path(made.stdout.strip())
    assert backup.stat().st_mode & 0o077 == 0
    archive = apart / f"{backup.name}.keys.tar"
    assert archive.stat().st_mode & 0o077 == 0
    assert secret not in b"".join(file.read_bytes() for file in backup.rglob("*") if file.is_file())

    into_the_same = script("restore.sh", environ, str(backup))
    assert into_the_same.returncode == 1
    assert "not empty" in into_the_same.stderr

    run(_execute(postgres.dsn("postgres", "postgres"), "CREATE DATABASE restored OWNER owner", "SELECT 1"))
    (keys / "master.key").unlink()
    fresh = {
        **environ,
        "KHIZANA_BACKUP_DATABASE_URL": postgres.dsn("owner", "restored"),
        "KHIZANA_BACKUP_OBJECTS": str(tmp_path / "fresh"),
    }
    (tmp_path / "fresh").mkdir()
    restored = script("restore.sh", fresh, str(backup), str(archive))
    assert restored.returncode == 0, restored.stderr
    name = f"ab/{'a' * 32}"
    assert (tmp_path / "fresh" / name).read_bytes() == (objects / name).read_bytes()
    assert (keys / "master.key").read_bytes() == secret
    # Rows, and what the apps' roles may do with them.
    counted = "SELECT attempts FROM idp.throttle WHERE bucket = 'probe'"
    assert run(_execute(postgres.dsn("idp", "restored"), counted)) == 7
    assert run(_execute(postgres.dsn("owner", "restored"), "SELECT count(*) FROM locker.migration")) > 0


def test_a_17_no_password_of_the_database_stands_in_an_argument(
    dsns: Dsns, tools: dict[str, str], tmp_path: Path
) -> None:
    """Everybody on a machine sees the arguments of each program there."""
    (tmp_path / "objects").mkdir()
    said = tmp_path / "said"
    for name in ("pg_dump", "psql"):
        wrapped = tmp_path / name
        real = next(Path(folder) / name for folder in tools["PATH"].split(os.pathsep) if (Path(folder) / name).exists())
        wrapped.write_text(f'#!/bin/sh\necho "$@" >>{said}\nexec {real} "$@"\n')
        wrapped.chmod(0o700)
    environ = {
        **tools,
        "PATH": os.pathsep.join([str(tmp_path), tools["PATH"]]),
        "KHIZANA_BACKUP_DATABASE_URL": dsns.owner,
        "KHIZANA_BACKUP_OBJECTS": str(tmp_path / "objects"),
    }
    made = script("backup.sh", environ, str(tmp_path / "backups"))
    assert made.returncode == 0, made.stderr
    assert script("restore.sh", environ, made.stdout.strip()).returncode == 1
    password = urlsplit(dsns.owner).password
    assert password is not None
    assert len(said.read_text().splitlines()) == 2
    assert password not in said.read_text()


def test_keys_that_were_tampered_with_are_written_nowhere_else(
    dsns: Dsns, postgres: EmbeddedPostgres, tools: dict[str, str], tmp_path: Path
) -> None:
    """Who can write where the archive of the keys lies, must not write as root by it."""
    objects, keys = tmp_path / "objects", tmp_path / "keys"
    objects.mkdir()
    environ = {**tools, "KHIZANA_BACKUP_DATABASE_URL": dsns.owner, "KHIZANA_BACKUP_OBJECTS": str(objects)}
    backup = script("backup.sh", environ, str(tmp_path / "backups")).stdout.strip()
    archive = tmp_path / "evil.keys.tar"
    inside = str(keys).lstrip("/")
    with tarfile.open(archive, "w") as tar:
        for number, name in enumerate(
            (f"{inside}/../planted-0", str(tmp_path / "planted-1"), f"{inside}/link/planted-2")
        ):
            if number == 2:
                link = tarfile.TarInfo(f"{inside}/link")
                link.type, link.linkname = tarfile.SYMTYPE, str(tmp_path)
                tar.addfile(link)
            tar.addfile(tarfile.TarInfo(name))
    name = f"tampered_{os.getpid()}"
    run(_execute(postgres.dsn("postgres", "postgres"), f"CREATE DATABASE {name} OWNER owner", "SELECT 1"))
    fresh = {
        **environ,
        "KHIZANA_BACKUP_DATABASE_URL": postgres.dsn("owner", name),
        "KHIZANA_BACKUP_OBJECTS": str(tmp_path / "fresh"),
        "KHIZANA_BACKUP_KEYS": str(keys),
    }
    (tmp_path / "fresh").mkdir()
    assert script("restore.sh", fresh, backup, str(archive)).returncode != 0
    assert not list(tmp_path.glob("planted*"))


def test_who_was_erased_after_a_backup_is_known_from_later_ones(
    dsns: Dsns, postgres: EmbeddedPostgres, tools: dict[str, str], tmp_path: Path
) -> None:
    objects, backups = tmp_path / "objects", tmp_path / "backups"
    (objects / "erased").mkdir(parents=True)
    environ = {**tools, "KHIZANA_BACKUP_DATABASE_URL": dsns.owner, "KHIZANA_BACKUP_OBJECTS": str(objects)}
    backup = Path(script("backup.sh", environ, str(backups)).stdout.strip())
    # Its later brother, of another second.
    later = backups / "29991231T000000Z"
    (later / "objects" / "erased").mkdir(parents=True)
    (later / "objects" / "erased" / ("ab" * 32)).write_bytes(b"\n")
    sums = subprocess.run(
        "find . -type f ! -name SHA256SUMS -exec sha256sum {} + > SHA256SUMS", shell=True, cwd=later, timeout=20
    )
    assert sums.returncode == 0
    name = f"erased_{os.getpid()}"
    run(_execute(postgres.dsn("postgres", "postgres"), f"CREATE DATABASE {name} OWNER owner", "SELECT 1"))
    fresh = {
        **environ,
        "KHIZANA_BACKUP_DATABASE_URL": postgres.dsn("owner", name),
        "KHIZANA_BACKUP_OBJECTS": str(tmp_path / "fresh"),
    }
    (tmp_path / "fresh").mkdir()
    restored = script("restore.sh", fresh, str(backup))
    assert restored.returncode == 0, restored.stderr
    assert (tmp_path / "fresh" / "erased" / ("ab" * 32)).exists()


def test_a_damaged_backup_is_not_restored(dsns: Dsns, tools: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "objects").mkdir()
    environ = {
        **tools,
        "KHIZANA_BACKUP_DATABASE_URL": dsns.owner,
        "KHIZANA_BACKUP_OBJECTS": str(tmp_path / "objects"),
    }
    backup = Path(script("backup.sh", environ, str(tmp_path)).stdout.strip())
    dump = backup / "database.dump"
    dump.write_bytes(dump.read_bytes()[:-1])
    assert script("restore.sh", environ, str(backup)).returncode != 0


def test_the_embedded_product_goes_into_a_backup_and_comes_back_in_another_place(tmp_path: Path) -> None:
    """With its keys apart: both are needed, and one command each."""

    def khizana(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
        environ = {name: value for name, value in os.environ.items() if not name.startswith("KHIZANA_")}
        return subprocess.run(
            [sys.executable, "-m", "khizana", *words],
            env={**environ, "PYTHONPATH": str(ROOT / "src"), "KHIZANA_HOME": str(home)},
            capture_output=True,
            text=True,
            timeout=120,
        )

    first, second, backups, keys = (tmp_path / name for name in ("first", "second", "backups", "keys"))
    assert khizana(first, "migrate").returncode == 0
    (first / "keys" / "locker").mkdir(parents=True, exist_ok=True)
    assert khizana(first, "reconcile").returncode == 0  # makes the master key
    for secret in ("idp-secret", "locker-secret"):
        assert (first / secret).exists()
    stray = first / "objects" / "khizana" / "ab" / ("a" * 32)
    stray.write_bytes(os.urandom(1_000))
    refused = khizana(first, "backup", str(backups), "--keys", str(backups / "keys"))
    assert (refused.returncode, "keys-beside" in refused.stderr) == (2, True)
    made = khizana(first, "backup", str(backups), "--keys", str(keys))
    assert made.returncode == 0, made.stderr
    told = json.loads(made.stdout)
    assert "master.key" not in {path.name for path in backups.rglob("*")}
    assert khizana(first, "restore", told["backup"], "--keys", told["keys"]).returncode == 2
    restored = khizana(second, "restore", told["backup"], "--keys", told["keys"])
    assert restored.returncode == 0, restored.stderr
    reconciled = json.loads(restored.stdout)["reconciled"]
    assert (reconciled["missing"], reconciled["unknown"]) == ([], [f"ab/{'a' * 32}"])
    master = Path("keys") / "locker" / "master.key"
    assert (second / master).read_bytes() == (first / master).read_bytes()
    assert (second / "idp-secret").read_text() == (first / "idp-secret").read_text()
    assert khizana(second, "doctor", "--json").returncode in (0, 1)
