"""Attack group V at what administrations may do: hand over, never look back, never more than was granted."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.locker_world import AMINA, BIRTH, INTERIOR, JUSTICE, RECORD, World, open_world

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(dsns: Any, s3: Any, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with open_world(dsns, s3, tmp_path_factory.mktemp("locker"), documents_per_owner_max=6) as opened:
        yield opened


async def deposited(world: World, **members: Any) -> str:
    answer = await world.deposit(**members)
    assert answer.status_code == 201, answer.text
    document_id: str = answer.json()["document_id"]
    return document_id


async def test_v_03_mass_assignment(world: World) -> None:
    for members in (
        {"owner": "x"},
        {"issuer_id": JUSTICE},
        {"state": "valid"},
        {"verified": True},
        {"subject": {"uid": AMINA, "owner": "x"}},
    ):
        answer = await world.deposit(**members)
        assert (answer.status_code, answer.json()["code"]) == (422, "deposit-invalid")


async def test_v_03_mass_assignment_at_a_change_of_state(world: World) -> None:
    document_id = await deposited(world)
    answer = await world.locker.post(
        f"/v1/documents/{document_id}/revoke",
        headers=world.machine(),
        json={"reason": "issued-in-error", "administration": JUSTICE},
    )
    assert answer.status_code == 422
    [row] = await world.rows("SELECT state FROM locker.document WHERE document_id = $1", document_id)
    assert row["state"] == "valid"


async def test_v_04_a_type_of_another_administration(world: World) -> None:
    for administration, type_ in ((JUSTICE, BIRTH), (INTERIOR, RECORD)):
        answer = await world.deposit(administration=administration, type_=type_)
        assert (answer.status_code, answer.json()["code"]) == (403, "type-not-allowed")


async def test_v_06_the_depositor_reads_its_own_metadata_and_nothing_else(world: World) -> None:
    document_id = await deposited(world)
    answer = await world.locker.get(f"/v1/deposits/{document_id}", headers=world.machine())
    assert answer.status_code == 200
    assert "Alaoui" not in answer.text
    assert world.subs[AMINA] not in answer.text
    assert AMINA not in answer.text
    for path in (f"/v1/documents/{document_id}", f"/v1/documents/{document_id}/content", "/v1/documents"):
        for scope in ("documents:deposit", "documents:read documents:deposit"):
            looked = await world.locker.get(path, headers=world.machine(scope=scope))
            assert looked.status_code in (401, 403, 404), path
            assert not looked.content.startswith(b"%PDF")
    other = await world.locker.get(f"/v1/deposits/{document_id}", headers=world.machine(JUSTICE))
    assert other.status_code == 404


async def test_v_07_a_citizens_token_deposits_nothing(world: World) -> None:
    before = await world.counts()
    for scope in ("documents:read", "documents:read documents:deposit"):
        answer = await world.deposit(headers=world.citizen(scope=scope))
        assert answer.status_code in (401, 403)
    assert await world.counts() == before


async def test_v_09_method_tricks(world: World) -> None:
    document_id = await deposited(world)
    for method, path in (
        ("PUT", "/v1/deposits"),
        ("PATCH", f"/v1/deposits/{document_id}"),
        ("DELETE", f"/v1/deposits/{document_id}"),
        ("GET", "/v1/deposits"),
        ("GET", f"/v1/documents/{document_id}/revoke"),
        ("PUT", f"/v1/documents/{document_id}/revoke"),
    ):
        headers = {**world.machine(), "X-HTTP-Method-Override": "POST"}
        answer = await world.locker.request(method, path, headers=headers)
        assert answer.status_code == 405, (method, path, answer.status_code)
    overridden = await world.locker.get(
        f"/v1/deposits/{document_id}", headers={**world.machine(), "X-HTTP-Method-Override": "DELETE"}
    )
    assert overridden.json()["state"] == "valid"


async def test_v_21_a_full_vault_names_its_limit(world: World) -> None:
    statuses = [(await world.deposit()).status_code for _ in range(7)]
    assert statuses[-1] == 422
    before = await world.counts()
    full = await world.deposit()
    assert (full.status_code, full.json()["code"], full.json()["limit"]["documents"]) == (422, "vault-full", 6)
    after = await world.counts()
    assert after["document"] == before["document"] == 6
    # The object of a deposit that found no room is known by its intent, for the sweeper.
    assert after["deposit_intent"] == before["deposit_intent"] + 1
