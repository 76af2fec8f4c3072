"""Versions, suspension and revocation of what an administration deposited."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.locker_world import AMINA, BIRTH, INTERIOR, JUSTICE, RECORD, YOUSSEF, World, open_world

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(dsns: Any, s3: Any, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with open_world(dsns, s3, tmp_path_factory.mktemp("locker")) as opened:
        yield opened


async def deposited(world: World, **members: Any) -> str:
    answer = await world.deposit(**members)
    assert answer.status_code == 201, answer.text
    document_id: str = answer.json()["document_id"]
    return document_id


async def change(world: World, document_id: str, verb: str, *, by: str = INTERIOR, **members: Any) -> httpx.Response:
    return await world.locker.post(
        f"/v1/documents/{document_id}/{verb}", headers=world.machine(by), json=members or None
    )


async def record(world: World, document_id: str) -> dict[str, Any]:
    answer = await world.locker.get(f"/v1/deposits/{document_id}", headers=world.machine())
    found: dict[str, Any] = answer.json()
    return found


async def test_a_new_version_takes_the_place_of_the_old_one(world: World) -> None:
    first = await deposited(world)
    uri = f"{INTERIOR}-{BIRTH}-{first}"
    second = await deposited(world, replaces=uri)
    third = await deposited(world, replaces=second)
    old, middle, new = [await record(world, document_id) for document_id in (first, second, third)]
    assert [(each["version"], each["state"]) for each in (old, middle, new)] == [
        (1, "superseded"),
        (2, "superseded"),
        (3, "valid"),
    ]
    assert (old["replaced_by"], middle["replaces"], middle["replaced_by"], new["replaces"]) == (
        second,
        first,
        third,
        second,
    )


async def test_of_racing_successors_one_wins(world: World) -> None:
    first = await deposited(world)
    answers = await asyncio.gather(*(world.deposit(replaces=first) for _ in range(4)))
    assert (
        sorted(answer.status_code for answer in answers)[:2] == [201, 409]
        or [answer.status_code for answer in answers].count(201) == 1
    )
    rows = await world.rows("SELECT version, state FROM locker.document WHERE chain_id = $1 ORDER BY version", first)
    assert [(row["version"], row["state"]) for row in rows] == [(1, "superseded"), (2, "valid")]


async def test_only_ones_own_current_version_of_the_same_citizen_and_type_is_replaced(world: World) -> None:
    mine = await deposited(world)
    superseded = await deposited(world)
    await deposited(world, replaces=superseded)
    for answer in (
        await world.deposit(replaces=superseded),
        await world.deposit(replaces=mine, uid=YOUSSEF),
        await world.deposit(replaces=mine, administration=JUSTICE, type_=RECORD),
        await world.deposit(replaces="0" * 25),
        await world.deposit(replaces="x"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (422, "replaces-unknown")
    assert (await record(world, mine))["state"] == "valid"


async def test_a_revocation_holds_for_good_and_is_in_the_citizens_history(world: World) -> None:
    document_id = await deposited(world)
    answer = await change(world, document_id, "revoke", reason="issued-in-error")
    assert (answer.status_code, answer.json()["state"], answer.json()["state_reason"]) == (
        200,
        "revoked",
        "issued-in-error",
    )
    assert (await change(world, document_id, "resume")).status_code == 409
    assert (await change(world, document_id, "suspend", reason="under-review")).json()["state"] == "revoked"
    assert (await world.deposit(replaces=document_id)).status_code == 422
    [event] = await world.rows(
        "SELECT owner, detail FROM locker.audit WHERE object_id = $1 AND action = 'document.revoked'", document_id
    )
    assert (event["owner"], event["detail"]["reason"]) == (world.subs[AMINA], "issued-in-error")


async def test_the_same_revocation_again_answers_the_same_and_writes_nothing(world: World) -> None:
    document_id = await deposited(world)
    answers = await asyncio.gather(*(change(world, document_id, "revoke", reason="contents-wrong") for _ in range(5)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.text for answer in answers}) == 1
    events = await world.rows(
        "SELECT 1 FROM locker.audit WHERE object_id = $1 AND action = 'document.revoked'", document_id
    )
    assert len(events) == 1


async def test_a_suspension_ends(world: World) -> None:
    document_id = await deposited(world)
    assert (await change(world, document_id, "suspend", reason="court-order")).json()["state"] == "suspended"
    assert (await record(world, document_id))["state"] == "suspended"
    resumed = (await change(world, document_id, "resume")).json()
    assert (resumed["state"], resumed["state_reason"]) == ("valid", None)


async def test_a_superseded_version_can_be_revoked(world: World) -> None:
    first = await deposited(world)
    await deposited(world, replaces=first)
    assert (await change(world, first, "revoke", reason="obtained-by-fraud")).json()["state"] == "revoked"


async def test_anothers_document_does_not_exist_for_an_administration(world: World) -> None:
    document_id = await deposited(world)
    for answer in (
        await change(world, document_id, "revoke", by=JUSTICE, reason="issued-in-error"),
        await change(world, document_id, "suspend", by=JUSTICE, reason="under-review"),
        await change(world, document_id, "resume", by=JUSTICE),
        await world.locker.get(f"/v1/deposits/{document_id}", headers=world.machine(JUSTICE)),
        await world.locker.get("/v1/deposits/nothing", headers=world.machine(JUSTICE)),
    ):
        assert (answer.status_code, answer.json()["code"]) == (404, "document-unknown")
    assert (await record(world, document_id))["state"] == "valid"


@pytest.mark.parametrize("members", [{"reason": "because"}, {}, {"reason": "issued-in-error", "state": "valid"}])
async def test_a_reason_is_one_of_the_list_and_nothing_else_is_said(world: World, members: dict[str, str]) -> None:
    document_id = await deposited(world)
    answer = await world.locker.post(f"/v1/documents/{document_id}/revoke", headers=world.machine(), json=members)
    assert answer.status_code == 422
    assert (await record(world, document_id))["state"] == "valid"


async def test_a_correction_is_a_new_version_that_says_what_was_wrong(world: World) -> None:
    pdf = world.sealed(text="right")
    first = await deposited(world, pdf=pdf)
    second = await deposited(
        world, pdf=pdf, replaces=first, correction="fields-wrong", fields={"family_name": "El Alaoui"}
    )
    old, new = await record(world, first), await record(world, second)
    assert (old["state"], old["state_reason"], old["replaced_by"]) == ("superseded", "fields-wrong", second)
    assert (new["state"], new["version"], new["sha256"]) == ("valid", 2, old["sha256"])
    detail = await world.locker.get(f"/v1/documents/{second}", headers=world.citizen())
    assert detail.json()["fields"] == {"family_name": "El Alaoui"}
    # The old one still says what it said, and where to go on.
    detail = await world.locker.get(f"/v1/documents/{first}", headers=world.citizen())
    assert (detail.json()["fields"], detail.json()["replaced_by"]) == ({"family_name": "Alaoui"}, second)
    [event] = await world.rows(
        "SELECT owner, detail FROM locker.audit WHERE object_id = $1 AND action = 'document.corrected'", first
    )
    assert (event["owner"], event["detail"]["reason"]) == (world.subs[AMINA], "fields-wrong")
    topics = await world.rows("SELECT topic FROM locker.outbox WHERE body ->> 'document_id' = $1", first)
    assert [row["topic"] for row in topics] == ["document.deposited", "document.superseded"]


async def test_a_correction_needs_what_it_corrects_and_a_reason_of_the_list(world: World) -> None:
    first = await deposited(world)
    for members in ({"correction": "fields-wrong"}, {"replaces": first, "correction": "because"}):
        answer = await world.deposit(**members)
        assert (answer.status_code, answer.json()["code"]) == (422, "deposit-invalid")
    assert (await record(world, first))["state"] == "valid"
