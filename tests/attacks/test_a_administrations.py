"""Attack group A at administrations: suspended, withdrawn, or reaching for what is not theirs."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from locker.administrations.suspend import resume, suspend
from tests.locker_world import INTERIOR, World, open_world

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(dsns: Any, s3: Any, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with open_world(dsns, s3, tmp_path_factory.mktemp("locker")) as opened:
        yield opened


async def test_a_01_no_address_registers_or_changes_administrations(world: World) -> None:
    for headers in (world.machine(), world.citizen(), {}):
        for path in ("/v1/administrations", "/v1/types", "/v1/trust", "/admin", "/v1/admin"):
            for method in ("GET", "POST", "PUT"):
                answer = await world.locker.request(method, path, headers=headers)
                assert answer.status_code in (403, 404), (method, path)


async def test_a_09_a_suspended_administration_is_refused_everywhere_at_once(world: World) -> None:
    document_id = (await world.deposit()).json()["document_id"]
    before = await world.counts()
    await suspend(world.wiring.db, world.wiring.audit, INTERIOR, reason="inquiry", officer="test")
    answers = [
        await world.deposit(),
        await world.locker.get(f"/v1/deposits/{document_id}", headers=world.machine()),
        await world.locker.post(
            f"/v1/documents/{document_id}/revoke", headers=world.machine(), json={"reason": "issued-in-error"}
        ),
        await world.locker.post(
            f"/v1/documents/{document_id}/suspend", headers=world.machine(), json={"reason": "under-review"}
        ),
        await world.locker.post(f"/v1/documents/{document_id}/resume", headers=world.machine()),
    ]
    await resume(world.wiring.db, world.wiring.audit, INTERIOR, officer="test")
    assert {answer.status_code for answer in answers} == {401}
    assert await world.counts() == before
    assert (await world.locker.get(f"/v1/deposits/{document_id}", headers=world.machine())).status_code == 200


@pytest.mark.parametrize(
    "statement", ["UPDATE locker.audit SET actor = ''", "DELETE FROM locker.audit", "TRUNCATE locker.audit"]
)
async def test_a_10_the_apps_role_cannot_change_the_audit(world: World, statement: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await world.wiring.db.execute(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM locker.document",
        "UPDATE locker.document SET owner = 'x'",
        "UPDATE locker.document SET uri = 'x'",
        "UPDATE locker.document SET sha256 = ''",
        "DELETE FROM locker.administration",
        "DELETE FROM locker.trust_anchor",
        "SELECT * FROM idp.citizen",
    ],
)
async def test_the_apps_role_cannot_rewrite_what_was_deposited(world: World, statement: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await world.wiring.db.execute(statement)


@pytest.mark.parametrize("path", ["/metrics", "/schema", "/schema/openapi.json", "/openapi.json", "/docs", "/debug"])
async def test_a_16_nothing_about_the_inside_is_served(world: World, path: str) -> None:
    for headers in ({}, world.machine()):
        assert (await world.locker.get(path, headers=headers)).status_code == 404
