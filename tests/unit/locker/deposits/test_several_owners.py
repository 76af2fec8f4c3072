"""A deed, a marriage: one deposit, one document for each owner, one state."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.locker_world import AMINA, YOUSSEF, World, open_world

pytestmark = pytest.mark.asyncio(loop_scope="module")

BOTH = [{"uid": AMINA}, {"uid": YOUSSEF}]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(dsns: Any, s3: Any, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with open_world(dsns, s3, tmp_path_factory.mktemp("locker")) as opened:
        yield opened


async def deposit(world: World, subjects: Any = BOTH, **members: Any) -> httpx.Response:
    return await world.deposit(uid=None, subjects=subjects, **members)


async def deposited(world: World, **members: Any) -> dict[str, Any]:
    answer = await deposit(world, **members)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def states(world: World, answer: dict[str, Any]) -> list[tuple[str, str | None]]:
    found = []
    for one in answer["documents"]:
        record = await world.locker.get(f"/v1/deposits/{one['document_id']}", headers=world.machine())
        found.append((record.json()["state"], record.json()["state_reason"]))
    return found


async def test_each_owner_gets_one_of_their_own_and_never_hears_of_the_other(world: World) -> None:
    pdf = world.sealed(text="marriage")
    answer = await deposited(world, pdf=pdf)
    hers, his = answer["documents"]
    assert (answer["document_id"], answer["receipt"]) == (hers["document_id"], hers["receipt"])
    for uid, own, other in ((AMINA, hers, his), (YOUSSEF, his, hers)):
        detail = await world.locker.get(f"/v1/documents/{own['document_id']}", headers=world.citizen(uid))
        original = await world.locker.get(f"/v1/documents/{own['document_id']}/original", headers=world.citizen(uid))
        assert original.content == pdf
        history = await world.rows(
            "SELECT row_to_json(a)::text AS line FROM locker.audit a WHERE owner = $1", world.subs[uid]
        )
        listed = await world.locker.get("/v1/documents", headers=world.citizen(uid))
        for text in (detail.text, listed.text, *(row["line"] for row in history)):
            assert other["document_id"] not in text
            assert world.subs[YOUSSEF if uid == AMINA else AMINA] not in text
        strange = await world.locker.get(f"/v1/documents/{other['document_id']}", headers=world.citizen(uid))
        assert (strange.status_code, strange.json()["code"]) == (404, "document-unknown")
    rows = await world.rows(
        "SELECT object_key, wrapped_key FROM locker.document WHERE document_id = ANY($1::text[])",
        [hers["document_id"], his["document_id"]],
    )
    assert len({row["object_key"] for row in rows}) == len({row["wrapped_key"] for row in rows}) == 2


async def test_each_owner_sees_that_somebody_verified_the_file(world: World) -> None:
    pdf = world.sealed(text="deed")
    answer = await deposited(world, pdf=pdf)
    await world.locker.post("/v1/verifications", content=pdf, headers={"Content-Type": "application/pdf"})
    lines = await world.rows(
        "SELECT owner, object_id FROM locker.audit WHERE action = 'document.verified' AND object_id = ANY($1::text[])",
        [one["document_id"] for one in answer["documents"]],
    )
    assert {(line["owner"], line["object_id"]) for line in lines} == {
        (world.subs[uid], one["document_id"]) for uid, one in zip((AMINA, YOUSSEF), answer["documents"], strict=True)
    }


async def test_a_change_by_any_address_reaches_all_once(world: World) -> None:
    answer = await deposited(world)
    ids = [one["document_id"] for one in answer["documents"]]
    changes = await asyncio.gather(
        *(
            world.locker.post(
                f"/v1/documents/{document_id}/suspend", headers=world.machine(), json={"reason": "court-order"}
            )
            for document_id in ids * 5
        )
    )
    assert {change.status_code for change in changes} == {200}
    assert {(change.json()["document_id"]) for change in changes} == set(ids)
    assert await states(world, answer) == [("suspended", "court-order")] * 2
    await world.locker.post(f"/v1/documents/{ids[1]}/resume", headers=world.machine())
    await world.locker.post(
        f"/v1/documents/{ids[0]}/revoke", headers=world.machine(), json={"reason": "contents-wrong"}
    )
    assert await states(world, answer) == [("revoked", "contents-wrong")] * 2
    for document_id, uid in zip(ids, (AMINA, YOUSSEF), strict=True):
        lines = await world.rows("SELECT owner, action FROM locker.audit WHERE object_id = $1", document_id)
        assert sorted(line["action"] for line in lines) == [
            "document.deposited",
            "document.resumed",
            "document.revoked",
            "document.suspended",
        ]
        assert {line["owner"] for line in lines} == {world.subs[uid]}
        topics = await world.rows("SELECT owner FROM locker.outbox WHERE body ->> 'document_id' = $1", document_id)
        assert [row["owner"] for row in topics] == [world.subs[uid]] * 4


async def test_changes_that_race_by_both_addresses_leave_one_state(world: World) -> None:
    for _ in range(3):
        answer = await deposited(world)
        ids = [one["document_id"] for one in answer["documents"]]
        await asyncio.gather(
            *(
                world.locker.post(f"/v1/documents/{document_id}/{verb}", headers=world.machine(), json=body)
                for document_id in ids
                for verb, body in (
                    ("suspend", {"reason": "under-review"}),
                    ("resume", None),
                    ("revoke", {"reason": "issued-in-error"}),
                )
            )
        )
        assert await states(world, answer) == [("revoked", "issued-in-error")] * 2


async def test_changes_that_name_a_revision_by_both_addresses_do_not_stop_each_other(world: World) -> None:
    """They lock in one order: a deadlock would be found by PostgreSQL after a second, and told to nobody."""
    answers = [await deposited(world) for _ in range(4)]
    started = time.monotonic()
    changes = await asyncio.gather(
        *(
            world.locker.post(
                f"/v1/documents/{one['document_id']}/suspend",
                headers={**world.machine(), "If-Match": '"1"'},
                json={"reason": "court-order"},
            )
            for answer in answers
            for one in answer["documents"] * 3
        )
    )
    assert time.monotonic() - started < 1
    assert sorted(change.status_code for change in changes) == [200] * 4 + [412] * 20


async def test_what_one_owner_left_is_revoked_for_the_others_by_every_address_and_by_the_reference(
    world: World,
) -> None:
    for named in ("reference", 0, 1):
        uid = f"200000010{named if isinstance(named, int) else 9}"
        world.subs[uid] = world.provider.enrol(uid)
        reference = secrets.token_hex(8)
        answer = await deposited(world, subjects=[{"uid": uid}, {"uid": AMINA}], reference=reference)
        gone, left = answer["documents"]
        await world.wiring.db.transact(
            lambda tx, owner=world.subs[uid]: world.wiring.vault.destroy_owner_key(tx, owner=owner)  # type: ignore[misc]
        )
        await world.rows("SELECT locker.erase_rows_of($1)", world.subs[uid])
        if isinstance(named, int):
            address = f"/v1/documents/{answer['documents'][named]['document_id']}/revoke"
            revoked = await world.locker.post(address, headers=world.machine(), json={"reason": "holder-deceased"})
        else:
            body = {"reference": reference, "reason": "holder-deceased"}
            revoked = await world.locker.post("/v1/revocations", headers=world.machine(), json=body)
        assert revoked.status_code == 200, revoked.text
        assert revoked.json()["document_id"] == left["document_id"]
        record = await world.locker.get(f"/v1/deposits/{left['document_id']}", headers=world.machine())
        assert (record.json()["state"], record.json()["state_reason"]) == ("revoked", "holder-deceased")
        erased = await world.locker.get(f"/v1/deposits/{gone['document_id']}", headers=world.machine())
        assert erased.status_code == 404


async def test_a_reference_revokes_for_all_also_before_they_are_there(world: World) -> None:
    reference = secrets.token_hex(8)
    body = {"reference": reference, "reason": "issued-in-error"}
    assert (await world.locker.post("/v1/revocations", headers=world.machine(), json=body)).status_code == 202
    answer = await deposited(world, reference=reference)
    assert await states(world, answer) == [("revoked", "issued-in-error")] * 2


async def test_a_new_version_takes_the_place_of_all_by_any_address_and_for_the_same_owners(world: World) -> None:
    first = await deposited(world)
    alone = await world.deposit(replaces=first["document_id"])
    assert (alone.status_code, alone.json()["code"]) == (422, "replaces-unknown")
    single = (await world.deposit()).json()
    assert (await deposit(world, replaces=single["document_id"])).status_code == 422
    second = await deposited(
        world, replaces=first["documents"][1]["uri"], subjects=BOTH[::-1], correction="clerical-error"
    )
    assert await states(world, first) == [("superseded", "clerical-error")] * 2
    assert [one["version"] for one in second["documents"]] == [2, 2]
    for uid, old, new in (
        (AMINA, first["documents"][0], second["documents"][1]),
        (YOUSSEF, first["documents"][1], second["documents"][0]),
    ):
        detail = await world.locker.get(f"/v1/documents/{old['document_id']}", headers=world.citizen(uid))
        assert detail.json()["replaced_by"] == new["document_id"]


async def test_of_racing_successors_by_both_addresses_one_wins(world: World) -> None:
    first = await deposited(world)
    answers = await asyncio.gather(
        *(
            deposit(world, subjects=BOTH[::order], replaces=first["documents"][place]["uri"])
            for order in (1, -1)
            for place in (0, 1)
        )
    )
    codes = sorted(answer.status_code for answer in answers)
    assert codes[0] == 201
    assert set(codes[1:]) <= {409, 422}
    rows = await world.rows(
        "SELECT replaced_by FROM locker.document WHERE document_id = ANY($1::text[])",
        [one["document_id"] for one in first["documents"]],
    )
    [winner] = [answer.json() for answer in answers if answer.status_code == 201]
    assert {row["replaced_by"] for row in rows} == {one["document_id"] for one in winner["documents"]}


@pytest.mark.parametrize(
    "subjects",
    [
        [{"uid": AMINA}],
        [{"uid": AMINA}, {"uid": AMINA}],
        [{"uid": AMINA}] * 9,
        [{"uid": AMINA}, {}],
        [{"uid": AMINA}, {"uid": "2999999999"}],
        [],
    ],
)
async def test_what_is_not_several_known_people_leaves_nothing(world: World, subjects: Any) -> None:
    before = await world.counts()
    answer = await deposit(world, subjects=subjects)
    assert answer.status_code == 422, answer.text
    assert await world.counts() == before


async def test_where_one_cannot_have_it_nobody_gets_it(world: World) -> None:
    """One transaction: the second owner's locker is full, and the first one's stays as it was."""
    before = await world.counts()
    await world.owner_db.execute("UPDATE locker.holding SET documents = 10000 WHERE owner = $1", world.subs[YOUSSEF])
    answer = await deposit(world)
    assert (answer.status_code, answer.json()["code"]) == (422, "vault-full")
    after = await world.counts()
    assert (after["document"], after["outbox"]) == (before["document"], before["outbox"])
    # Two objects wait for the sweeper, each with its intent.
    assert after["objects"] - before["objects"] == after["deposit_intent"] - before["deposit_intent"] == 2
    await world.owner_db.execute("UPDATE locker.holding SET documents = 1 WHERE owner = $1", world.subs[YOUSSEF])


async def test_a_repeated_key_gives_the_same_documents(world: World) -> None:
    pdf, key = world.sealed(), secrets.token_hex(8)
    answers = [await deposit(world, pdf=pdf, key=key) for _ in range(3)]
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.text for answer in answers}) == 1


async def test_deposits_for_the_same_people_in_any_order_do_not_stop_each_other(world: World) -> None:
    answers = await asyncio.gather(*(deposit(world, subjects=BOTH[:: 1 if n % 2 else -1]) for n in range(6)))
    assert [answer.status_code for answer in answers] == [201] * 6


async def test_a_parked_deposit_is_deposited_and_the_citizen_sees_it_after_activating(world: World) -> None:
    """And of every other state of the citizen the administration learns nothing."""
    world.provider.dormant.add(world.subs[YOUSSEF])
    parked = (await world.deposit(uid=YOUSSEF)).json()
    assert parked["parked"] is True
    both = await deposited(world)
    assert [one["parked"] for one in both["documents"]] == [False, True]
    world.provider.dormant.clear()
    record = await world.locker.get(f"/v1/deposits/{parked['document_id']}", headers=world.machine())
    assert "parked" not in record.json()
    listed = await world.locker.get("/v1/documents", headers=world.citizen(YOUSSEF))
    assert parked["document_id"] in [document["document_id"] for document in listed.json()["documents"]]
    assert (await world.deposit(uid=YOUSSEF)).json()["parked"] is False
