"""F-28: a whole backup comes back in another place. F-26: the database comes back as it was at T, the objects are those
of now. 10,000 documents; KHIZANA_DRILL_DOCUMENTS is for a drill with more.
"""

import asyncio
import hashlib
import os
import secrets
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest
import pytest_asyncio

import khizana.embedded.postgres as embedded
from khizana.databases import opened_vault
from khizana.embedded.postgres import EmbeddedPostgres
from khizana.embedded.s3 import EmbeddedS3
from khizana.rounds import sweep_locker
from kit.audit import Audit
from kit.db import Database
from kit.ids import new_public_id
from locker.sweeping.reconcile import reconcile
from locker.sweeping.schema import Reconciled
from locker.vault import Stored, Vault, new_object_key, streaming
from locker.vault.keys import content_associated_data
from locker.vault.streaming import Encryptor
from tests.conftest import ROOT, Dsns
from tests.locker_world import World, open_world

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

DOCUMENTS = int(os.environ.get("KHIZANA_DRILL_DOCUMENTS", 10_000))
RTO_S = 4 * 3_600
"""For a million documents, on two cores."""
SETTING_UP_S = 30
LATER = 40
UNDER_WAY = 5
SAMPLE = 200


@pytest.fixture(scope="module")
def objects(tmp_path_factory: pytest.TempPathFactory) -> Any:
    store = EmbeddedS3.start(tmp_path_factory.mktemp("s3"))
    yield store
    store.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(dsns: Dsns, objects: EmbeddedS3, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with open_world(dsns, objects, tmp_path_factory.mktemp("locker")) as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def digests(world: World, objects: EmbeddedS3, dsns: Dsns) -> dict[str, bytes]:
    assert (await world.deposit()).status_code == 201
    return await held(world, objects, dsns.owner, DOCUMENTS - 1)


async def held(world: World, objects: EmbeddedS3, owner_dsn: str, count: int) -> dict[str, bytes]:
    """So many more documents of one citizen, sealed as a deposit seals them, like the one that stands there:
    document_id → SHA-256. The objects are written where the store keeps them, which it does not notice."""
    connection = await asyncpg.connect(owner_dsn)
    try:
        pattern = dict(await connection.fetchrow("SELECT * FROM locker.document ORDER BY deposited_at LIMIT 1"))
        rows, digests = [], {}
        for _ in range(count):
            document_id, object_key, plaintext = new_public_id(), _object_key(pattern), secrets.token_bytes(64)
            key, wrapped_key, epoch = await world.wiring.vault.keys.new_document_key(
                owner=pattern["owner"], document_id=document_id, version=1, sealed_as=streaming.FORMAT
            )
            encryptor = Encryptor(key, content_associated_data(document_id, 1))
            sealed = encryptor.header + encryptor.update(plaintext) + encryptor.finalize()
            (objects.bucket_folder / object_key).write_bytes(sealed)
            digests[document_id] = hashlib.sha256(plaintext).digest()
            rows.append(
                pattern
                | {
                    "document_id": document_id,
                    "chain_id": document_id,
                    "uri": f"{pattern['administration']}-{pattern['type']}-{document_id}",
                    "object_key": object_key,
                    "wrapped_key": wrapped_key,
                    "epoch": epoch,
                    "sha256": digests[document_id],
                    "ciphertext_sha256": hashlib.sha256(sealed).digest(),
                    "length": len(plaintext),
                }
            )
        await connection.copy_records_to_table(
            "document", schema_name="locker", columns=list(pattern), records=[tuple(row.values()) for row in rows]
        )
        return digests
    finally:
        await connection.close()


def _object_key(pattern: dict[str, Any]) -> str:
    """In none of the folders that the store has looked at and remembers."""
    while (key := new_object_key()).startswith(pattern["object_key"][:3]):
        pass
    return key


async def under_way(world: World) -> str:
    """A deposit between its PUT and its transaction: its object."""
    [pattern] = await world.rows("SELECT object_key FROM locker.document ORDER BY deposited_at LIMIT 1")
    object_key = _object_key(pattern)
    await world.owner_db.execute(
        """INSERT INTO locker.deposit_intent (owner, object_key, created_at)
           VALUES ('someone', $1, now() - interval '2 hours')""",
        object_key,
    )
    (world_objects(world) / object_key).write_bytes(b"sealed")
    return object_key


def world_objects(world: World) -> Path:
    folder = world.wiring.settings.s3_fsync_folder
    assert folder is not None
    return folder


def pg(name: str, *words: str) -> None:
    subprocess.run(
        [str(embedded.binaries() / "bin" / name), *words], check=True, timeout=120, env={**os.environ, "LC_ALL": "C"}
    )


async def restored_from(dump: Path, postgres: EmbeddedPostgres) -> Dsns:
    admin = await asyncpg.connect(postgres.dsn("postgres", "postgres"))
    await admin.execute("CREATE DATABASE restored_at_t OWNER owner")
    await admin.close()
    dsns = Dsns(*(postgres.dsn(role, "restored_at_t") for role in ("owner", "idp", "locker")))  # type: ignore[arg-type]
    await asyncio.to_thread(
        pg, "pg_restore", "--exit-on-error", "--no-owner", "--single-transaction", f"--dbname={dsns.owner}", str(dump)
    )
    return dsns


async def reconciling(db: Database, vault: Vault, **asked: Any) -> Reconciled:
    return await reconcile(db, Audit("locker"), vault, **{"grace_s": -60, **asked})


async def reads(db: Database, vault: Vault, digests: dict[str, bytes]) -> None:
    """Each of these can be opened, and is what was deposited."""
    for row in await db.fetch("SELECT * FROM locker.document WHERE document_id = ANY($1::text[])", list(digests)):
        stored = Stored.of(row)
        content = await vault.read_all(
            stored, owner=row["owner"], document_id=row["document_id"], version=row["version"], length_max=1_000
        )
        assert hashlib.sha256(content).digest() == digests.pop(row["document_id"])
    assert digests == {}


def carried(name: str, environ: dict[str, str], *words: str) -> str:
    done = subprocess.run(
        [str(ROOT / "deploy" / name), *words],
        env={**os.environ, "RCLONE_CONFIG": os.devnull, **environ},
        capture_output=True,
        text=True,
        timeout=max(300, RTO_S * DOCUMENTS // 1_000_000),
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


async def test_f_28_a_whole_backup_comes_back_in_another_place(
    world: World,
    objects: EmbeddedS3,
    dsns: Dsns,
    postgres: EmbeddedPostgres,
    digests: dict[str, bytes],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """By the commands of production, into an empty database and an empty store: each object is as its row says."""
    admin = await asyncpg.connect(postgres.dsn("postgres", "postgres"))
    await admin.execute("CREATE DATABASE elsewhere OWNER owner")
    await admin.close()
    back = Dsns(*(postgres.dsn(role, "elsewhere") for role in ("owner", "idp", "locker")))  # type: ignore[arg-type]
    path = os.pathsep.join([str(embedded.binaries() / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]])
    from_here = {"PATH": path, "KHIZANA_BACKUP_DATABASE_URL": dsns.owner}
    from_here["KHIZANA_BACKUP_OBJECTS"] = str(objects.bucket_folder)
    began = time.monotonic()
    backup = (await asyncio.to_thread(carried, "backup.sh", from_here, str(tmp_path / "backups"))).strip()
    backed_up_s = time.monotonic() - began

    there = tmp_path / "there"
    bucket = there / "objects" / objects.bucket
    bucket.mkdir(parents=True)
    to_there = {**from_here, "KHIZANA_BACKUP_DATABASE_URL": back.owner, "KHIZANA_BACKUP_OBJECTS": str(bucket)}
    began = time.monotonic()
    await asyncio.to_thread(carried, "restore.sh", to_there, backup)
    store = await asyncio.to_thread(EmbeddedS3.start, there)
    db = await Database.connect(back.locker, command_timeout_s=30)
    try:
        changed = {"s3_endpoint": store.endpoint, "s3_access_key": store.access_key, "s3_secret_key": store.secret_key}
        settings = msgspec.structs.replace(world.wiring.settings, **changed, s3_fsync_folder=store.bucket_folder)
        async with opened_vault(db, settings) as vault:
            found = await reconciling(db, vault, restored=True)
            restored_s = time.monotonic() - began
            assert (found.documents, found.objects, found.missing, found.unknown) == (DOCUMENTS, DOCUMENTS, [], [])
            for row in await db.fetch("SELECT object_key, ciphertext_sha256 FROM locker.document"):
                content = (bucket / row["object_key"]).read_bytes()
                assert hashlib.sha256(content).digest() == row["ciphertext_sha256"]
            await reads(db, vault, dict(list(digests.items())[:SAMPLE]))
    finally:
        await db.close()
        await asyncio.to_thread(store.stop)
    with capsys.disabled():
        print(
            f"\nF-28 {DOCUMENTS} documents: backed up in {backed_up_s:.1f} s, back and compared in {restored_s:.1f} s"
        )
    assert restored_s < SETTING_UP_S + RTO_S * DOCUMENTS / 1_000_000


async def test_f_26_a_database_of_yesterday_with_the_objects_of_today(
    world: World,
    objects: EmbeddedS3,
    digests: dict[str, bytes],
    dsns: Dsns,
    postgres: EmbeddedPostgres,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    intended = {await under_way(world) for _ in range(UNDER_WAY)}
    dump = tmp_path / "database.dump"
    pg("pg_dump", "--format=custom", "--no-owner", "--schema=locker", "--schema=idp", f"--file={dump}", dsns.owner)
    # T. What was under way becomes a document after it, others are deposited, and then the database is lost.
    later = set(await held(world, objects, dsns.owner, LATER))
    await world.owner_db.execute("DELETE FROM locker.deposit_intent")
    before = await world.objects()

    back = await restored_from(dump, postgres)
    db = await Database.connect(back.locker, command_timeout_s=30)
    async with opened_vault(db, world.wiring.settings) as vault:
        started = time.monotonic()
        found = await reconciling(db, vault, restored=True)
        took_s = time.monotonic() - started
        assert found.missing == []
        assert (found.documents, found.objects) == (DOCUMENTS, DOCUMENTS + LATER + UNDER_WAY)
        assert len(found.unknown) == LATER + UNDER_WAY
        assert intended <= set(found.unknown)
        # Nothing goes: not with the sweeper's next round, not with a reconcile that may remove.
        await sweep_locker(db, vault, world.wiring.settings)
        assert (await reconciling(db, vault, remove_unknown=True)).removed == 0
        assert await world.objects() == before
        await reads(db, vault, dict(list(digests.items())[:SAMPLE]))
        # Somebody finds the rows that were lost: their objects are theirs again.
        there, here = await asyncpg.connect(dsns.owner), await asyncpg.connect(back.owner)
        rows = await there.fetch("SELECT * FROM locker.document WHERE document_id = ANY($1::text[])", list(later))
        await here.copy_records_to_table(
            "document", schema_name="locker", columns=list(rows[0].keys()), records=[tuple(row) for row in rows]
        )
        await there.close()
        await here.close()
        adopted = await reconciling(db, vault)
        assert (adopted.adopted, len(adopted.unknown)) == (LATER, UNDER_WAY)
        # What is a stray for long goes, and nothing else.
        assert (await reconciling(db, vault, remove_unknown=True, kept_s=0)).removed == UNDER_WAY
        assert await world.objects() == before - intended
        # A lost object is told by the document that it was.
        document_id = next(iter(later))
        [row] = await db.fetch("SELECT object_key FROM locker.document WHERE document_id = $1", document_id)
        await vault.delete(row["object_key"])
        assert (await reconciling(db, vault)).missing == [document_id]
    await db.close()
    with capsys.disabled():
        print(
            f"\nF-26 {DOCUMENTS} documents at T, {LATER + UNDER_WAY} objects since: compared in {took_s:.1f} s, "
            f"0 missing, {len(found.unknown)} kept as strays, {adopted.adopted} adopted"
        )
