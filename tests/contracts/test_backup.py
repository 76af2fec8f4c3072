"""deploy/backup.sh and deploy/restore.sh, carried out with the binaries of the embedded servers."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

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
    objects, keys, backups = tmp_path / "objects", tmp_path / "keys", tmp_path / "backups"
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
    made = script("backup.sh", environ, str(backups))
    assert made.returncode == 0, made.stderr
    backup = Path(made.stdout.strip())
    assert backup.stat().st_mode & 0o077 == 0

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
    restored = script("restore.sh", fresh, str(backup))
    assert restored.returncode == 0, restored.stderr
    name = f"ab/{'a' * 32}"
    assert (tmp_path / "fresh" / name).read_bytes() == (objects / name).read_bytes()
    assert (keys / "master.key").read_bytes() == secret
    # Rows, and what the apps' roles may do with them.
    counted = "SELECT attempts FROM idp.throttle WHERE bucket = 'probe'"
    assert run(_execute(postgres.dsn("idp", "restored"), counted)) == 7
    assert run(_execute(postgres.dsn("owner", "restored"), "SELECT count(*) FROM locker.migration")) > 0


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
    assert json.loads(restored.stdout)["reconciled"]["unknown"] == [f"ab/{'a' * 32}"]
    master = Path("keys") / "locker" / "master.key"
    assert (second / master).read_bytes() == (first / master).read_bytes()
    assert (second / "idp-secret").read_text() == (first / "idp-secret").read_text()
    assert khizana(second, "doctor", "--json").returncode in (0, 1)
    assert json.loads(khizana(second, "reconcile").stdout)["missing"] == []
