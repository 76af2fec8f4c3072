"""Put, read by range, parts, erasure: over PostgreSQL and a real object store."""

import asyncio
import hashlib
import logging
import os
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from kit.db import Database
from locker.vault import (
    BlobDamaged,
    BlobMissing,
    BlobStoreUnavailable,
    Erased,
    FileFrames,
    LengthMismatch,
    Stored,
    Vault,
    new_object_key,
)
from locker.vault import vault as vault_module
from locker.vault.keys import FileMasterKey, content_associated_data
from locker.vault.streaming import HEADER_BYTES, PLAIN_BYTES, SEGMENT_BYTES
from tests.unit.locker.vault.engines import started
from tests.unit.locker.vault.fault_engine import FaultEngine, fault_engine
from tests.unit.locker.vault.test_streaming import tink_decrypt

FIRST = PLAIN_BYTES - HEADER_BYTES
WINDOW = 16 * SEGMENT_BYTES


@pytest.fixture
def place() -> dict[str, Any]:
    return {"owner": f"sub-{uuid4()}", "document_id": uuid4().hex, "version": 1}


async def frames_of(content: bytes, frame: int = 300_000) -> AsyncIterator[bytes]:
    for start in range(0, len(content), frame):
        yield content[start : start + frame]


async def put(vault: Vault, content: bytes, place: dict[str, Any]) -> Stored:
    return await vault.put(**place, object_key=new_object_key(), frames=frames_of(content), length=len(content))


async def read(vault: Vault, stored: Stored, place: dict[str, Any], start: int = 0, end: int | None = None) -> bytes:
    return b"".join([frame async for frame in vault.read(stored, **place, start=start, end=end)])


@pytest.mark.parametrize("length", [0, 1, FIRST, FIRST + 1, WINDOW - 1000, WINDOW + 1, 3_333_333])
async def test_a_document_comes_back_whole(vault: Vault, place: dict[str, Any], length: int) -> None:
    content = os.urandom(length)
    stored = await put(vault, content, place)
    assert stored.length == length
    assert stored.plaintext_sha256 == hashlib.sha256(content).digest()
    assert await read(vault, stored, place) == content
    assert await vault.read_all(stored, **place, length_max=length) == content
    await vault.delete(stored.object_key)


async def test_any_range_equals_the_slice_of_the_whole(vault: Vault, place: dict[str, Any]) -> None:
    content = os.urandom(2 * WINDOW + 12_345)
    stored = await put(vault, content, place)
    edges = [0, 1, FIRST - 1, FIRST, FIRST + 1, FIRST + PLAIN_BYTES, WINDOW - 40 - 256, WINDOW, len(content)]
    for start in edges:
        for end in (start, start + 1, start + 700_000, len(content)):
            end = min(end, len(content))
            assert await read(vault, stored, place, start, end) == content[start:end], (start, end)
    await vault.delete(stored.object_key)


@pytest.mark.parametrize(("start", "end"), [(-1, 5), (5, 4), (0, 101), (101, 101)])
async def test_a_range_outside_the_document_is_the_callers_fault(
    vault: Vault, place: dict[str, Any], start: int, end: int
) -> None:
    stored = await put(vault, bytes(100), place)
    with pytest.raises(ValueError, match="range"):
        await read(vault, stored, place, start, end)


async def test_the_object_is_ciphertext_that_tink_opens(vault: Vault, place: dict[str, Any]) -> None:
    content = b"%PDF-1.7 a name that must not be readable " * 3000
    stored = await put(vault, content, place)
    blob = await vault.blobs.get(stored.object_key, start=0, length=10**6)
    assert hashlib.sha256(blob.data).digest() == stored.ciphertext_sha256
    assert b"name" not in blob.data
    assert place["owner"].encode() not in blob.data
    key = await vault.keys.document_key(stored.wrapped_key, **place, sealed_as=stored.format)
    assert tink_decrypt(key, content_associated_data(place["document_id"], 1), blob.data) == content


async def test_the_embedded_engine_shows_no_plaintext_on_disk(vault: Vault, place: dict[str, Any], s3: Any) -> None:
    canary = f"canary {uuid4()}".encode()
    await put(vault, canary * 100, place)
    assert not [file for file in s3.bucket_folder.rglob("*") if file.is_file() and canary in file.read_bytes()]


async def test_a_file_is_sent_from_its_start_each_time(tmp_path: Path) -> None:
    file = tmp_path / "document"
    file.write_bytes(os.urandom(600_000))
    frames = FileFrames(file)
    for _ in range(2):
        assert b"".join([frame async for frame in frames]) == file.read_bytes()


@pytest.mark.parametrize("claimed", [99, 101, 0])
async def test_frames_of_another_length_store_nothing(vault: Vault, place: dict[str, Any], claimed: int) -> None:
    object_key = new_object_key()
    with pytest.raises(LengthMismatch):
        await vault.put(**place, object_key=object_key, frames=frames_of(bytes(100)), length=claimed)
    assert await vault.blobs.length(object_key) is None


async def test_an_opened_document_has_its_first_frame_verified(vault: Vault, place: dict[str, Any]) -> None:
    content = os.urandom(WINDOW * 2)
    stored = await put(vault, content, place)
    reading = await vault.open(stored, **place)
    assert b"".join([frame async for frame in reading]) == content
    left = await vault.open(stored, **place, start=5)
    await left.aclose()
    await vault.delete(stored.object_key)
    with pytest.raises(BlobMissing) as refused:
        await vault.open(stored, **place)
    assert refused.value.status == 502


async def test_a_reader_that_leaves_frees_everything(vault: Vault, place: dict[str, Any]) -> None:
    stored = await put(vault, os.urandom(WINDOW * 3), place)
    for _ in range(200):
        async with aclosing(vault.read(stored, **place)) as frames:  # type: ignore[type-var]
            await anext(frames)
    assert await asyncio.wait_for(read(vault, stored, place, 0, 10), 5)


async def test_parts_are_sealed_to_their_document_and_name(vault: Vault, place: dict[str, Any]) -> None:
    stored = await put(vault, b"pdf", place)
    fields = '{"given_name#ar":"فاطمة"}'.encode()
    sealed = await vault.seal_part(stored, **place, part="fields", plaintext=fields)
    assert len(sealed) == len(fields) + 56
    assert await vault.open_part(stored, **place, part="fields", sealed=sealed) == fields
    other = place | {"document_id": "another"}
    elsewhere = await put(vault, b"pdf", other)
    for attempt in (
        vault.open_part(stored, **place, part="other", sealed=sealed),
        vault.open_part(elsewhere, **other, part="fields", sealed=sealed),
        vault.open_part(stored, **place, part="fields", sealed=sealed[:-1]),
        vault.open_part(stored, **place, part="fields", sealed=b""),
    ):
        with pytest.raises(BlobDamaged):
            await attempt


async def test_erasing_an_owner_leaves_noise_and_touches_nobody_else(
    vault: Vault, place: dict[str, Any], locker_db: Database
) -> None:
    neighbour = place | {"owner": f"sub-{uuid4()}"}
    stored, kept = await put(vault, b"mine", place), await put(vault, b"theirs", neighbour)
    sealed = await vault.seal_part(stored, **place, part="fields", plaintext=b"{}")
    async with locker_db.transaction() as tx:
        assert await vault.destroy_owner_key(tx, owner=place["owner"])
    for attempt in (
        read(vault, stored, place),
        vault.open_part(stored, **place, part="fields", sealed=sealed),
        put(vault, b"more", place),
        vault.hold_owner_key(locker_db, owner=place["owner"]),
    ):
        with pytest.raises(Erased):
            await attempt
    assert await read(vault, kept, neighbour) == b"theirs"


async def test_100_mb_pass_through_flat_memory(vault: Vault, place: dict[str, Any]) -> None:
    frame = os.urandom(2**20)

    async def frames() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield frame

    tracemalloc.start()
    try:
        stored = await vault.put(**place, object_key=new_object_key(), frames=frames(), length=100 * 2**20)
        _, peak_in = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        sha256 = hashlib.sha256()
        async for opened in vault.read(stored, **place):
            assert len(opened) <= 4 * SEGMENT_BYTES
            sha256.update(opened)
        _, peak_out = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        await vault.delete(stored.object_key)
    assert sha256.digest() == stored.plaintext_sha256
    assert max(peak_in, peak_out) < 12 * 2**20


async def test_others_get_a_turn_between_any_two_frames(vault: Vault, place: dict[str, Any]) -> None:
    """Sealing and opening run in the loop, 256 KiB at a time."""
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    content = os.urandom(10 * 2**20)
    running = asyncio.create_task(others())
    stored = await put(vault, content, place)
    turns_in, turns = turns, 0
    await read(vault, stored, place)
    running.cancel()
    await vault.delete(stored.object_key)
    assert turns_in >= 40
    assert turns >= 40


Faulty = tuple[FaultEngine, Vault]


@pytest.fixture
async def faulty(s3: Any, locker_db: Database, master: FileMasterKey) -> AsyncIterator[Faulty]:
    async with fault_engine(s3.endpoint) as engine:
        blobs = await started(s3).connect(endpoint=engine.endpoint)
        yield engine, Vault(locker_db, master, blobs)
        await blobs.close()


async def test_a_file_survives_an_engine_that_hiccups(faulty: Faulty, place: dict[str, Any], tmp_path: Path) -> None:
    engine, vault = faulty
    file = tmp_path / "document"
    file.write_bytes(os.urandom(700_000))
    engine.faults = {"PUT": ["500", "503"], "GET": ["503", "cut after"]}
    stored = await vault.put(**place, object_key=new_object_key(), frames=FileFrames(file), length=700_000)
    assert await read(vault, stored, place) == file.read_bytes()


async def test_a_stream_is_sent_once(faulty: Faulty, place: dict[str, Any]) -> None:
    engine, vault = faulty
    engine.faults = {"PUT": ["500"]}
    with pytest.raises(BlobStoreUnavailable):
        await put(vault, b"once", place)
    assert engine.seen == ["PUT"]


@pytest.mark.parametrize("fault", ["flip", "missing"])
async def test_a_deposit_whose_read_back_differs_is_refused(
    faulty: Faulty, place: dict[str, Any], fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    engine, vault = faulty
    engine.faults = {"GET": [fault]}
    with pytest.raises(BlobDamaged):
        await put(vault, bytes(1000), place)
    assert "integrity alarm" in caplog.text


async def test_damage_in_the_middle_breaks_the_stream_before_the_damaged_segment(
    faulty: Faulty, place: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    engine, vault = faulty
    content = os.urandom(WINDOW * 3)
    stored = await put(vault, content, place)
    engine.faults = {"GET": ["", "flip"]}
    got: list[bytes] = []

    async def read_on() -> None:
        async for frame in vault.read(stored, **place):
            got.append(frame)

    with pytest.raises(BlobDamaged):
        await read_on()
    assert content.startswith(b"".join(got))
    assert WINDOW // 2 < len(b"".join(got)) < 2 * WINDOW
    assert [record.levelno for record in caplog.records] == [logging.CRITICAL]
    assert stored.object_key in caplog.text
    assert place["owner"] not in caplog.text


async def test_a_format_that_we_do_not_know_opens_nothing(vault: Vault, place: dict[str, Any]) -> None:
    stored = await put(vault, b"x", place)
    with pytest.raises(BlobDamaged):
        await read(vault, msgspec.structs.replace(stored, format="another"), place)


def test_frames_are_a_part_of_a_window() -> None:
    assert vault_module.WINDOW_SEGMENTS % vault_module.FRAME_SEGMENTS == 0
