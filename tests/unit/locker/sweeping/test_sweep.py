"""What dead deposits leave is removed, what lives is not; rows and objects are compared both ways."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from khizana.embedded.s3 import EmbeddedS3
from locker.deposits import store as deposit_store
from locker.sweeping.reconcile import reconcile
from locker.sweeping.schema import Reconciled, Swept
from locker.sweeping.sweep import sweep
from locker.vault import new_object_key
from locker.vault.refusals import BlobStoreUnavailable
from tests.locker_world import World, open_world

pytestmark = pytest.mark.asyncio(loop_scope="module")

HOUR_S = 3600


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(dsns: Any, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    # A store of its own: what other databases keep in the shared one would all be unknown here.
    s3 = EmbeddedS3.start(tmp_path_factory.mktemp("s3"))
    try:
        async with open_world(dsns, s3, tmp_path_factory.mktemp("locker")) as opened:
            yield opened
    finally:
        s3.stop()


async def sweeping(world: World, *, dry_run: bool = False) -> Swept:
    wiring = world.wiring
    return await sweep(
        wiring.db,
        wiring.audit,
        wiring.throttle,
        wiring.vault,
        grace_s=HOUR_S,
        outbox_lifetime_s=30 * 24 * HOUR_S,
        refused_lifetime_s=30 * 24 * HOUR_S,
        dry_run=dry_run,
    )


async def reconciling(world: World, *, grace_s: int = 0, **asked: Any) -> Reconciled:
    wiring = world.wiring
    return await reconcile(wiring.db, wiring.audit, wiring.vault, grace_s=grace_s, **asked)


async def stored(world: World, *, hours_old: int, intended: bool = True) -> str:
    """An object of a deposit that died between its PUT and its transaction."""
    key = new_object_key()
    if intended:
        await world.owner_db.execute(
            """INSERT INTO locker.deposit_intent (owner, object_key, created_at)
               VALUES ('someone', $1, now() - make_interval(hours => $2))""",
            key,
            hours_old,
        )

    async def once() -> AsyncIterator[bytes]:
        yield b"sealed"

    await world.wiring.vault.blobs.put(key, once, 6, repeatable=True)
    return key


async def test_f_16_orphans_older_than_the_grace_go_and_nothing_else(world: World) -> None:
    assert (await world.deposit()).status_code == 201
    kept = await world.objects()
    old = [await stored(world, hours_old=2) for _ in range(3)]
    young = await stored(world, hours_old=0)
    before = await world.counts()
    listed = await sweeping(world, dry_run=True)
    assert ({orphan.object_key for orphan in listed.listed}, await world.counts()) == (set(old), before)
    assert (await sweeping(world)).orphans == 3
    assert await world.objects() == kept | {young}
    assert [row["object_key"] for row in await world.rows("SELECT object_key FROM locker.deposit_intent")] == [young]
    assert (await sweeping(world)).orphans == 0
    await world.wiring.vault.delete(young)
    await world.owner_db.execute("DELETE FROM locker.deposit_intent")


async def test_an_intent_without_its_object_is_forgotten(world: World) -> None:
    key = await stored(world, hours_old=2)
    await world.wiring.vault.delete(key)
    assert (await sweeping(world)).orphans == 1
    assert not await world.rows("SELECT 1 FROM locker.deposit_intent")


async def test_a_sweep_that_died_is_taken_up(world: World) -> None:
    key = await stored(world, hours_old=2)
    await deposit_store.take_overdue_intents(world.wiring.db, grace_s=HOUR_S, batch_max=10)
    assert key in await world.objects()
    assert (await sweeping(world)).orphans == 1
    assert key not in await world.objects()


async def test_an_object_that_the_store_does_not_give_up_holds_up_nothing_else(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A legal hold at the store, or no right to delete; or the store is away, and is not asked for each."""
    keys = [await stored(world, hours_old=2) for _ in range(6)]
    await world.owner_db.execute(
        """INSERT INTO locker.idempotency (client_id, key, request_sha256, attempt, expires_at)
           VALUES ('c', 'over', '', gen_random_uuid(), now() - interval '1 s')"""
    )
    delete, asked = world.wiring.vault.blobs.delete, list[str]()

    async def refusing(key: str) -> None:
        asked.append(key)
        if key in refused:
            raise BlobStoreUnavailable("AccessDenied")
        await delete(key)

    monkeypatch.setattr(world.wiring.vault.blobs, "delete", refusing)
    refused = set(keys[:1])
    with pytest.raises(BlobStoreUnavailable):
        await sweeping(world)
    assert await world.objects() & set(keys) == refused
    assert not await world.rows("SELECT 1 FROM locker.idempotency WHERE key = 'over'")
    refused = {*refused, *[await stored(world, hours_old=2) for _ in range(6)]}
    asked.clear()
    with pytest.raises(BlobStoreUnavailable):
        await sweeping(world)
    assert len(asked) == 3
    refused = set()
    assert (await sweeping(world)).orphans == 7


async def test_two_sweepers_at_once_do_no_harm(world: World) -> None:
    kept = await world.objects()
    for _ in range(5):
        await stored(world, hours_old=2)
    await asyncio.gather(sweeping(world), sweeping(world))
    assert await world.objects() == kept
    assert not await world.rows("SELECT 1 FROM locker.deposit_intent")


async def test_answers_and_events_past_their_time_go(world: World) -> None:
    assert (await world.deposit(key="past")).status_code == 201
    assert (await world.deposit(key="present")).status_code == 201
    await world.owner_db.execute("UPDATE locker.idempotency SET expires_at = now() - interval '1 s' WHERE key = 'past'")
    await world.owner_db.execute("UPDATE locker.outbox SET created_at = now() - interval '40 days'")
    swept = await sweeping(world)
    assert (swept.answers, swept.outbox > 0) == (1, True)
    assert [row["key"] for row in await world.rows("SELECT key FROM locker.idempotency WHERE key LIKE 'p%'")] == [
        "present"
    ]


async def test_reconcile_finds_nothing_where_rows_and_objects_agree(world: World) -> None:
    found = await reconciling(world)
    assert (found.documents, found.objects, found.missing, found.unknown) == (found.objects, found.objects, [], [])


async def test_reconcile_names_what_is_lost_and_what_is_unknown(world: World) -> None:
    document_id = (await world.deposit()).json()["document_id"]
    lost_key = await world.owner_db.fetchval(
        "SELECT object_key FROM locker.document WHERE document_id = $1", document_id
    )
    await world.wiring.vault.delete(lost_key)
    strange = await stored(world, hours_old=0, intended=False)
    intended = await stored(world, hours_old=0)
    found = await reconciling(world)
    assert (found.missing, found.unknown, found.removed) == ([document_id], [strange], 0)
    assert (await reconciling(world, grace_s=HOUR_S, remove_unknown=True)).removed == 0
    assert (await reconciling(world, remove_unknown=True)).removed == 0
    assert strange in await world.objects()
    assert (await reconciling(world, remove_unknown=True, kept_s=0)).removed == 1
    assert strange not in await world.objects()
    assert intended in await world.objects()


async def test_what_is_no_document_in_the_bucket_is_never_a_stray(world: World) -> None:
    """The public log above all: a tile that is gone is a proof that fails for good."""
    blobs, name = world.wiring.vault.blobs, "ab" * 32
    others = ["log/checkpoint", "log/tile/0/000", "ab/tile/entries/000.p/3", f"erased/{name}", "ab/probe", f"ab/{name}"]

    async def once() -> AsyncIterator[bytes]:
        yield b"other"

    for other in others:
        await blobs.put(other, once, 5, repeatable=True)
    before = await reconciling(world)
    await sweeping(world)
    assert (await reconciling(world, remove_unknown=True, kept_s=0)).removed == len(before.unknown)
    assert not set(before.unknown) & set(others)
    assert None not in [await blobs.length(other) for other in others]


async def test_every_table_that_knows_an_object_is_known_to_reconcile(world: World) -> None:
    """What it does not ask, it takes for a stray, and one day removes: a new table must be told to it first."""
    rows = await world.rows(
        """
        SELECT c.relname || '.' || a.attname AS place FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
         WHERE c.relnamespace = 'locker'::regnamespace AND c.relkind IN ('r', 'p') AND a.attname LIKE '%object_key'"""
    )
    assert {row["place"] for row in rows} == {
        "archived.object_key",
        "deposit_intent.object_key",
        "document.object_key",
        "export.object_key",
        "export_part.object_key",
        "quarantine.data_object_key",
        "quarantine.object_key",
        "seal_version.object_key",
        "signed_data.object_key",
        "stray_object.object_key",
        "upload.object_key",
    }
