"""F-10 at the deposit: while the object store is away nothing is promised, and the repeated deposit succeeds."""

import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from khizana.embedded.s3 import EmbeddedS3
from tests.locker_world import World, open_world, plain_pdf

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("f10")


@pytest.fixture(scope="module")
def objects(folder: Path) -> Iterator[EmbeddedS3]:
    store = EmbeddedS3.start(folder)
    yield store
    store.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(dsns: Any, objects: EmbeddedS3, folder: Path) -> AsyncIterator[World]:
    async with open_world(dsns, objects, folder / "locker") as opened:
        yield opened


async def test_f_10_a_deposit_without_the_object_store(world: World, objects: EmbeddedS3, folder: Path) -> None:
    pdf = world.sealed()
    assert (await world.deposit()).status_code == 201
    objects.stop()
    started = time.monotonic()
    answer = await world.deposit(pdf, key="f-10")
    assert (answer.status_code, answer.json()["code"]) == (503, "object-store-unavailable")
    assert "retry-after" in answer.headers
    assert time.monotonic() - started < 10
    rows = await world.rows("SELECT count(*) AS documents FROM locker.document")
    assert rows[0]["documents"] == 1
    # What does not touch objects works on.
    [row] = await world.rows("SELECT document_id FROM locker.document")
    record = await world.locker.get(f"/v1/deposits/{row['document_id']}", headers=world.machine())
    assert record.status_code == 200
    again = EmbeddedS3.start(folder)
    try:
        assert (await world.deposit(pdf, key="f-10")).status_code == 201
    finally:
        again.stop()


async def test_f_10_an_upload_without_the_object_store(world: World, folder: Path) -> None:
    headers = {**world.citizen(scope="documents:upload"), "Idempotency-Key": '"f-10"'}
    files = {"file": ("a.pdf", plain_pdf(), "application/pdf")}
    started = time.monotonic()
    away = await world.locker.post("/v1/uploads", headers=headers, files=files)
    assert (away.status_code, away.json()["code"]) == (503, "object-store-unavailable")
    assert time.monotonic() - started < 10
    listed = await world.locker.get("/v1/uploads", headers=headers)
    assert (listed.status_code, listed.json()["uploads"], listed.json()["quota"]["uploads"]) == (200, [], 0)
    again = EmbeddedS3.start(folder)
    try:
        kept = await world.locker.post("/v1/uploads", headers=headers, files=files)
        assert kept.status_code == 201, kept.text
        path = f"/v1/uploads/{kept.json()['upload_id']}/file"
        assert (await world.locker.get(path, headers=headers)).content == plain_pdf()
    finally:
        again.stop()
    assert (await world.locker.get(path, headers=headers)).status_code == 503
