"""Objects over a real engine, and over one that has a bad day."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from minio.commonconfig import ENABLED, GOVERNANCE
from minio.objectlockconfig import DAYS, ObjectLockConfig
from minio.versioningconfig import VersioningConfig

from locker.vault import blobs as blobs_module
from locker.vault.blobs import BlobStore, S3BlobStore, is_object_key, new_object_key
from locker.vault.refusals import BlobDamaged, BlobMissing, BlobStoreUnavailable
from tests.ceph import Ceph
from tests.unit.locker.vault.engines import Engine, started
from tests.unit.locker.vault.fault_engine import FaultEngine, fault_engine


def body(content: bytes, frame: int = 100_000) -> Callable[[], AsyncIterator[bytes]]:
    async def frames() -> AsyncIterator[bytes]:
        for place in range(0, len(content), frame):
            yield content[place : place + frame]

    return frames


async def put(store: S3BlobStore, content: bytes, key: str | None = None) -> str:
    key = key or new_object_key()
    await store.put(key, body(content), len(content), repeatable=True)
    return key


def test_object_keys_are_random_and_known_from_other_names() -> None:
    made = {new_object_key() for _ in range(1000)}
    assert len(made) == 1000
    assert all(is_object_key(key) for key in made)
    assert len({key[:2] for key in made}) > 200
    for other in ("00/.keep", "log/tile/0/000", "00/" + "g" * 32, "00/" + "0" * 32 + "\n", "../" + "0" * 32):
        assert not is_object_key(other)


def test_the_store_is_what_the_vault_asks_for() -> None:
    assert issubclass(S3BlobStore, BlobStore)


@pytest.mark.parametrize("length", [1, 56, 65_536, 3_000_000])
async def test_bytes_come_back_and_any_slice_of_them(blobs: S3BlobStore, length: int) -> None:
    content = os.urandom(length)
    key = await put(blobs, content)
    whole = await blobs.get(key, start=0, length=length + 10)
    assert (whole.data, whole.total) == (content, length)
    middle = await blobs.get(key, start=length // 3, length=length // 2 + 1)
    assert middle.data == content[length // 3 : length // 3 + length // 2 + 1]
    assert middle.total == length
    assert await blobs.length(key) == length
    await blobs.delete(key)


async def test_what_is_not_there_is_missing_and_may_be_deleted(blobs: S3BlobStore) -> None:
    key = new_object_key()
    assert await blobs.length(key) is None
    await blobs.delete(key)
    with pytest.raises(BlobMissing):
        await blobs.get(key, start=0, length=10)


async def test_a_range_past_the_end_is_damage(blobs: S3BlobStore) -> None:
    key = await put(blobs, b"ten bytes.")
    with pytest.raises(BlobDamaged):
        await blobs.get(key, start=10, length=5)
    await blobs.delete(key)


async def test_lists_in_order_and_in_pages(blobs: S3BlobStore) -> None:
    prefix = "ee/"
    # The bucket is shared with other tests, whose random keys may be here too.
    others = {each.key for each in await blobs.list(prefix)}
    keys = sorted(f"{prefix}{os.urandom(16).hex()}" for _ in range(7))
    for key in keys:
        await put(blobs, b"x", key)
    found: list[str] = []
    after = ""
    while page := await blobs.list(prefix, after=after, limit=3):
        assert len(page) <= 3
        after = page[-1].key
        found += [each.key for each in page if is_object_key(each.key) and each.key not in others]
    assert found == keys
    for key in keys:
        await blobs.delete(key)
    assert not {each.key for each in await blobs.list(prefix)} - others


async def test_puts_and_deletes_in_one_folder_do_not_hurt_each_other(blobs: S3BlobStore) -> None:
    async def one() -> None:
        key = await put(blobs, b"x", f"ab/{os.urandom(16).hex()}")
        await blobs.delete(key)

    for _ in range(5):
        await asyncio.gather(*(one() for _ in range(16)))


async def test_the_probe_says_what_the_engine_does(blobs: S3BlobStore, engine: Engine) -> None:
    capabilities = await blobs.probe()
    assert capabilities.usable
    if engine.folder is not None:
        assert capabilities.lacking == ("answers_206", "refuses_overwrite", "versions", "locks_objects")
    assert not [each for each in await blobs.list("00/") if "probe" in each.key]


async def test_a_wrong_secret_is_no_answer_and_no_missing_object(engine: Engine, blobs: S3BlobStore) -> None:
    key = await put(blobs, b"x")
    stranger = await Engine(engine.endpoint, engine.access_key, "0" * 40, engine.bucket, None).connect()
    try:
        for attempt in (stranger.get(key, start=0, length=1), stranger.length(key), stranger.delete(key)):
            with pytest.raises(BlobStoreUnavailable) as refused:
                await attempt
            # Why, the operator is told, and nobody who asks for a document.
            assert refused.value.reason in {"SignatureDoesNotMatch", "AccessDenied"}
            assert refused.value.detail == "object store"
    finally:
        await stranger.close()
    await blobs.delete(key)


async def test_an_engine_that_is_away_is_503_with_retry_after() -> None:
    away = await Engine("http://127.0.0.1:9", "a", "b", "bucket", None).connect()
    started = time.monotonic()
    try:
        for attempt in (
            away.get("00/x", start=0, length=1),
            away.put("00/x", body(b"x"), 1, repeatable=True),
            away.length("00/x"),
            away.list("00/"),
            away.delete("00/x"),
        ):
            with pytest.raises(BlobStoreUnavailable) as refused:
                await attempt
            assert refused.value.status == 503
            assert int(refused.value.headers["Retry-After"]) > 0
    finally:
        await away.close()
    assert time.monotonic() - started < 5


async def test_the_synced_file_must_be_where_the_setting_says(s3: Any, tmp_path: Path) -> None:
    wrong = await Engine(s3.endpoint, s3.access_key, s3.secret_key, s3.bucket, tmp_path).connect()
    try:
        with pytest.raises(FileNotFoundError):
            await wrong.probe()
    finally:
        await wrong.close()


@pytest.fixture
async def faulty(s3: Any) -> AsyncIterator[tuple[FaultEngine, S3BlobStore]]:
    async with fault_engine(s3.endpoint) as engine:
        store = await started(s3).connect(endpoint=engine.endpoint)
        yield engine, store
        await store.close()


Faulty = tuple[FaultEngine, S3BlobStore]


async def test_a_5xx_is_tried_again(faulty: Faulty) -> None:
    engine, store = faulty
    engine.faults = {"PUT": ["503", "500"], "GET": ["500", "503"]}
    key = await put(store, b"content")
    assert (await store.get(key, start=0, length=7)).data == b"content"
    assert engine.seen == ["PUT"] * 3 + ["GET"] * 3
    await store.delete(key)


async def test_tries_end(faulty: Faulty) -> None:
    engine, store = faulty
    engine.faults = {"PUT": ["500"] * 9, "GET": ["500"] * 9}
    with pytest.raises(BlobStoreUnavailable):
        await put(store, b"content")
    with pytest.raises(BlobStoreUnavailable):
        await store.get(new_object_key(), start=0, length=7)
    assert engine.seen == ["PUT"] * 3 + ["GET"] * 3


async def test_a_stream_that_cannot_be_repeated_is_sent_once(faulty: Faulty) -> None:
    engine, store = faulty
    engine.faults = {"PUT": ["500"]}
    with pytest.raises(BlobStoreUnavailable):
        await store.put(new_object_key(), body(b"x"), 1, repeatable=False)
    assert engine.seen == ["PUT"]


@pytest.mark.parametrize("fault", ["cut before", "cut after"])
async def test_a_put_of_unknown_outcome_is_never_sent_again(faulty: Faulty, fault: str) -> None:
    engine, store = faulty
    engine.faults = {"PUT": [fault]}
    with pytest.raises(BlobStoreUnavailable):
        await put(store, b"content")
    assert engine.seen == ["PUT"]


@pytest.mark.parametrize("fault", ["cut before", "cut after", "shorter"])
async def test_a_get_that_broke_off_is_tried_again(faulty: Faulty, fault: str) -> None:
    engine, store = faulty
    key = await put(store, b"content")
    engine.faults = {"GET": [fault]}
    assert (await store.get(key, start=0, length=7)).data == b"content"
    await store.delete(key)


@pytest.mark.parametrize("fault", ["slow", "stall"])
async def test_an_engine_that_takes_30_s_is_cut_within_the_limit(
    faulty: Faulty, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, store = faulty
    key = await put(store, b"content" * 1000)
    monkeypatch.setattr(blobs_module, "TOTAL_S", 0.6)
    engine.faults = {"GET": [fault] * 9, "PUT": ["slow"]}
    for attempt in (lambda: store.get(key, start=0, length=7000), lambda: put(store, b"other")):
        started = time.monotonic()
        with pytest.raises(BlobStoreUnavailable):
            await attempt()
        assert time.monotonic() - started < 1.0


async def test_a_fault_of_the_source_is_not_blamed_on_the_store(faulty: Faulty) -> None:
    _, store = faulty

    async def breaks() -> AsyncIterator[bytes]:
        yield b"x"
        raise ZeroDivisionError

    key = new_object_key()
    with pytest.raises(ZeroDivisionError):
        await store.put(key, breaks, 100_000, repeatable=True)
    assert await store.length(key) is None


async def test_an_engine_that_ignores_ranges_is_not_believed(faulty: Faulty) -> None:
    engine, store = faulty
    key = await put(store, b"content")
    engine.faults = {"GET": ["no range"] * 3}
    with pytest.raises(BlobStoreUnavailable):
        await store.get(key, start=3, length=2)
    await store.delete(key)


async def test_a_store_that_asks_for_an_hour_of_patience_holds_no_thread(faulty: Faulty) -> None:
    engine, store = faulty
    key = await put(store, b"content")
    # Each is asked twice.
    engine.faults = {"GET": ["later"] * 8}
    for answer in await asyncio.gather(*(store.list(key) for _ in range(4)), return_exceptions=True):
        assert isinstance(answer, BlobStoreUnavailable)
    assert [each.key for each in await store.list(key)] == [key]
    await store.delete(key)


async def test_a_store_that_says_nothing_holds_no_thread_and_no_list_up(faulty: Faulty) -> None:
    engine, store = faulty
    key = await put(store, b"content")
    silent = 20
    engine.faults = {"DELETE": ["slow"] * silent}
    waiting = [asyncio.create_task(store.delete(new_object_key())) for _ in range(silent)]
    while engine.seen.count("DELETE") < silent:
        await asyncio.sleep(0)
    assert [each.key for each in await store.list(key)] == [key]
    assert not any(task.done() for task in waiting)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    await store.delete(key)


async def test_a_deletion_that_broke_off_is_done_again(faulty: Faulty) -> None:
    engine, store = faulty
    key = await put(store, b"content")
    engine.faults = {"DELETE": ["503", "cut after"]}
    await store.delete(key)
    assert engine.seen.count("DELETE") == 3
    assert await store.length(key) is None


@pytest.mark.parametrize("status", [200, 403, 404])
async def test_a_page_of_a_load_balancer_says_nothing_of_an_object(faulty: Faulty, status: int) -> None:
    engine, store = faulty
    key = await put(store, b"content")
    engine.faults = {"GET": [f"{status} page"] * 2}
    for attempt in (lambda: store.get(key, start=0, length=100), lambda: store.list("00/")):
        with pytest.raises(BlobStoreUnavailable):
            await attempt()
    assert (await store.get(key, start=0, length=7)).data == b"content"
    await store.delete(key)


async def test_an_object_is_missing_when_its_store_says_so(faulty: Faulty) -> None:
    engine, store = faulty
    key = await put(store, b"content")
    assert await store.length(key) == 7
    for status in (200, 403, 404):
        engine.faults = {"GET": [f"{status} page"], "DELETE": [f"{status} page"]}
        for attempt in (lambda: store.length(key), lambda: store.delete(key)):
            with pytest.raises(BlobStoreUnavailable):
                await attempt()
    assert await store.length(key) == 7
    await store.delete(key)
    assert await store.length(key) is None


@pytest.mark.ceph
@pytest.mark.parametrize("locks_objects", [False, True])
async def test_in_a_bucket_that_keeps_versions_what_is_deleted_is_gone(ceph: Ceph, locks_objects: bool) -> None:
    """The vault needs no versions; where there are some, a former one is noise that only the bucket's rules end."""
    bucket, client = f"versions-{locks_objects}".lower(), ceph.client()
    client.make_bucket(bucket, object_lock=locks_objects)
    if locks_objects:
        client.set_object_lock_config(bucket, ObjectLockConfig(GOVERNANCE, 1, DAYS))
    else:
        client.set_bucket_versioning(bucket, VersioningConfig(ENABLED))
    store = await Engine(ceph.endpoint, ceph.access_key, ceph.secret_key, bucket, None).connect()
    try:
        capabilities = await store.probe()
        assert (capabilities.usable, capabilities.versions, capabilities.locks_objects) == (True, True, locks_objects)
        key = await put(store, b"content")
        await store.delete(key)
        assert await store.length(key) is None
        assert key not in [each.key for each in await store.list(key[:3])]
        with pytest.raises(BlobMissing):
            await store.get(key, start=0, length=7)
    finally:
        await store.close()


async def test_without_its_bucket_no_object_is_missing(engine: Engine) -> None:
    elsewhere = Engine(engine.endpoint, engine.access_key, engine.secret_key, "no-such-bucket", None)
    store = await elsewhere.connect()
    key = new_object_key()
    try:
        for attempt in (
            lambda: store.get(key, start=0, length=1),
            lambda: put(store, b"x", key),
            lambda: store.length(key),
            lambda: store.list("00/"),
            lambda: store.delete(key),
        ):
            with pytest.raises(BlobStoreUnavailable):
                await attempt()
    finally:
        await store.close()
