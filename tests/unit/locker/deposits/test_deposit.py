"""A deposit from the first byte to the receipt, over real PostgreSQL, a real S3 server and real judging."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from tests.locker_world import AMINA, INTERIOR, JUSTICE, LOCKER, YOUSSEF, World, open_world

from kit.jose import PublicKeys, verify
from locker.vault import Stored

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(dsns: Any, s3: Any, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with open_world(dsns, s3, tmp_path_factory.mktemp("locker")) as opened:
        yield opened


async def test_a_sealed_document_is_deposited_and_reads_back_equal(world: World) -> None:
    pdf = world.sealed()
    answer = await world.deposit(pdf)
    assert answer.status_code == 201, answer.text
    deposited = answer.json()
    assert answer.headers["location"] == f"{LOCKER}/v1/deposits/{deposited['document_id']}"
    assert deposited["sha256"] == hashlib.sha256(pdf).hexdigest()
    [row] = await world.rows("SELECT * FROM locker.document WHERE document_id = $1", deposited["document_id"])
    stored = Stored(
        object_key=row["object_key"],
        wrapped_key=row["wrapped_key"],
        epoch=row["epoch"],
        plaintext_sha256=row["sha256"],
        ciphertext_sha256=row["ciphertext_sha256"],
        length=row["length"],
        format=row["format"],
    )
    place = {"owner": world.subs[AMINA], "document_id": row["document_id"], "version": 1}
    assert await world.wiring.vault.read_all(stored, **place, length_max=10**7) == pdf
    assert (
        await world.wiring.vault.open_part(stored, **place, part="fields", sealed=row["fields_sealed"])
        == b'{"family_name":"Alaoui"}'
    )
