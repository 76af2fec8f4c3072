"""A deposit whose revocation data is not there yet: kept, judged again, and then a document or refused."""

import asyncio
import base64
from collections.abc import AsyncIterator
from typing import Any

import httpx
import msgspec
import pytest
import pytest_asyncio

from khizana.rounds import quarantine_desk, sweep_locker
from kit.audit import Audit
from kit.jose import PublicKeys, verify
from locker.administrations.suspend import resume, suspend
from locker.deposits import store
from locker.deposits.judge_again import JudgedAgain, QuarantineDesk, judge_again
from locker.deposits.quarantine import QuarantineLimits
from locker.signatures.schema import Verdict
from locker.sweeping.reconcile import reconcile
from locker.trust.add import add
from locker.trust.schema import TrustAddition
from locker.wiring import quarantine_limits
from tests.locker_world import AMINA, INTERIOR, LOCKER, YOUSSEF, World, open_world

pytestmark = pytest.mark.asyncio(loop_scope="module")

ATTEMPTS_MAX = 3


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(dsns: Any, s3: Any, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with open_world(
        dsns,
        s3,
        tmp_path_factory.mktemp("locker"),
        quarantine_first_wait_s=0,
        quarantine_wait_max_s=0,
        quarantine_attempts_max=ATTEMPTS_MAX,
        quarantine_refused_lifetime_s=0,
        deposit_intent_grace_s=0,
    ) as opened:
        yield opened


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def nothing_is_known_of_revocation(world: World) -> None:
    await world.rows("DELETE FROM locker.quarantine")
    await world.rows("DELETE FROM locker.trust_material WHERE kind = 'crl'")
    await world.rows("UPDATE locker.trust_version SET version = version + 1")


async def revocation_lists_arrive(world: World) -> None:
    crls = [base64.b64encode(crl).decode() for crl in world.pki.crls]
    await add(world.wiring.db, Audit("locker"), TrustAddition(crls=crls), officer="test")


def desk(world: World, **limits: int) -> QuarantineDesk:
    wiring = world.wiring
    made = quarantine_desk(wiring.db, wiring.vault, wiring.judge, wiring.settings)
    changed = msgspec.structs.replace(quarantine_limits(wiring.settings), **limits)
    return QuarantineDesk(**{**vars(made), "limits": changed})


async def quarantined(world: World, **members: Any) -> dict[str, Any]:
    answer = await world.deposit(**members)
    assert answer.status_code == 202, answer.text
    return dict(answer.json())


async def record_of(world: World, document_id: str) -> dict[str, Any]:
    answer = await world.locker.get(f"/v1/deposits/{document_id}", headers=world.machine())
    return dict(answer.json())


async def listed(world: World) -> list[str]:
    answer = await world.locker.get("/v1/documents", headers=world.citizen())
    return [document["document_id"] for document in answer.json()["documents"]]


async def test_what_cannot_be_judged_yet_is_kept_and_nothing_is_shown_to_the_citizen(world: World) -> None:
    answer = await quarantined(world)
    assert (answer["state"], answer["sub_indication"]) == ("quarantined", "TRY_LATER")
    assert answer["document_id"] not in await listed(world)
    assert await world.rows("SELECT 1 FROM locker.audit WHERE owner IS NOT NULL AND action LIKE 'deposit%'") == []
    assert (
        await world.rows("SELECT 1 FROM locker.outbox WHERE body ->> 'document_id' = $1", answer["document_id"]) == []
    )


async def test_the_administration_sees_how_its_deposit_stands(world: World) -> None:
    answer = await quarantined(world)
    found = await record_of(world, answer["document_id"])
    assert (found["state"], found["sha256"]) == ("quarantined", answer["sha256"])
    assert found["judgement"]["reasons"] == ["no-revocation-status"]
    assert found["receipt"] is None
    assert (found["judgement"]["attempts"], found["judgement"]["refusal"]) == (1, None)


async def test_another_administration_sees_nothing_of_it(world: World) -> None:
    answer = await quarantined(world)
    stranger = await world.locker.get(f"/v1/deposits/{answer['document_id']}", headers=world.machine("ma.gov.justice"))
    assert stranger.status_code == 404


async def test_it_becomes_a_document_once_revocation_data_has_arrived(world: World) -> None:
    pdf = world.sealed(text="waits")
    answer = await quarantined(world, pdf=pdf)
    await revocation_lists_arrive(world)
    assert await judge_again(desk(world)) == JudgedAgain(passed=1)
    assert answer["document_id"] in await listed(world)
    document = await world.locker.get(f"/v1/documents/{answer['document_id']}/original", headers=world.citizen())
    assert document.content == pdf
    found = await record_of(world, answer["document_id"])
    assert (found["state"], found["indication"], found["uri"]) == ("valid", "TOTAL-PASSED", answer["uri"])
    keys = PublicKeys((await world.locker.get("/.well-known/jwks.json")).json())
    receipt = verify(
        found["receipt"], keys, algorithms=["ES256"], typ=["khizana-receipt+jwt"], issuer=LOCKER, require=("iss", "iat")
    )
    assert (receipt["sub"], receipt["sha256"]) == (answer["uri"], answer["sha256"])


async def test_f_24_revoked_while_it_waits_it_is_revoked_from_its_first_moment(world: World) -> None:
    answer = await quarantined(world)

    async def revoke() -> httpx.Response:
        while True:
            said = await world.locker.post(
                f"/v1/documents/{answer['document_id']}/revoke",
                headers=world.machine(),
                json={"reason": "issued-in-error"},
            )
            # An issuer repeats what was shed: ten wait for one row, and on a busy machine not all get a connection.
            if said.status_code != 503:
                return said

    revoked = await asyncio.gather(*(revoke() for _ in range(10)))
    assert {(each.status_code, each.json()["state"]) for each in revoked} == {(200, "revoked")}
    stranger = await world.locker.post(
        f"/v1/documents/{answer['document_id']}/revoke",
        headers=world.machine("ma.gov.justice"),
        json={"reason": "issued-in-error"},
    )
    assert stranger.status_code == 404
    await revocation_lists_arrive(world)
    assert await judge_again(desk(world)) == JudgedAgain(passed=1)
    found = await record_of(world, answer["document_id"])
    assert (found["state"], found["state_reason"]) == ("revoked", "issued-in-error")
    lines = await world.rows("SELECT action FROM locker.audit WHERE object_id = $1", answer["document_id"])
    assert sorted(line["action"] for line in lines if line["action"] != "deposit.quarantined") == [
        "deposit.revoked-early",
        "document.deposited",
        "document.revoked",
    ]


async def test_of_many_workers_one_makes_the_document(world: World) -> None:
    answer = await quarantined(world)
    await revocation_lists_arrive(world)
    outcomes = await asyncio.gather(*(judge_again(desk(world)) for _ in range(5)))
    assert sum(outcome.passed for outcome in outcomes) == 1
    events = await world.rows(
        "SELECT 1 FROM locker.audit WHERE action = 'document.deposited' AND object_id = $1", answer["document_id"]
    )
    assert len(events) == 1


async def test_a_worker_that_dies_mid_way_loses_nothing(world: World) -> None:
    answer = await quarantined(world)
    dead = await store.take_quarantined(world.wiring.db, attempt=await _uuid(world), lease_s=0)
    assert dead is not None
    await revocation_lists_arrive(world)
    assert await judge_again(desk(world)) == JudgedAgain(passed=1)
    late = await store.refuse(
        world.wiring.db,
        owner=dead.document.owner,
        document_id=dead.document.document_id,
        attempt=dead.attempt,
        refusal="not-authentic",
        verdict=None,
    )
    assert not late
    assert answer["document_id"] in await listed(world)


async def _uuid(world: World) -> Any:
    [row] = await world.rows("SELECT gen_random_uuid() AS id")
    return row["id"]


async def test_a_lease_keeps_others_away(world: World) -> None:
    await quarantined(world)
    assert await store.take_quarantined(world.wiring.db, attempt=await _uuid(world), lease_s=60)
    await revocation_lists_arrive(world)
    assert await judge_again(desk(world)) == JudgedAgain()


async def test_after_the_last_attempt_it_is_refused_with_the_last_verdict(world: World) -> None:
    answer = await quarantined(world)
    assert await judge_again(desk(world), batch_max=ATTEMPTS_MAX - 2) == JudgedAgain(waiting=ATTEMPTS_MAX - 2)
    assert await judge_again(desk(world)) == JudgedAgain(refused=1)
    found = await record_of(world, answer["document_id"])
    assert (found["state"], found["state_reason"]) == ("refused", "not-authentic")
    assert found["judgement"]["sub_indication"] == "TRY_LATER"
    assert (found["judgement"]["attempts"], found["judgement"]["next_attempt_at"]) == (ATTEMPTS_MAX, None)


async def test_a_judgement_whose_end_could_not_be_written_is_the_next_one_too(world: World) -> None:
    """The database was away from it, or its worker died: neither is the document's fault."""
    answer = await quarantined(world)
    assert await store.take_quarantined(world.wiring.db, attempt=await _uuid(world), lease_s=0)
    assert await judge_again(desk(world), batch_max=1) == JudgedAgain(waiting=1)
    assert (await record_of(world, answer["document_id"]))["judgement"]["attempts"] == 2


async def test_what_was_refused_leaves_no_key_and_no_object(world: World) -> None:
    answer = await quarantined(world)
    [row] = await world.rows("SELECT object_key FROM locker.quarantine")
    assert row["object_key"] in await world.objects()
    await judge_again(desk(world, attempts_max=1))
    [after] = await world.rows("SELECT wrapped_key, fields_sealed FROM locker.quarantine")
    assert (after["wrapped_key"], after["fields_sealed"]) == (None, None)
    await sweep_locker(world.wiring.db, world.wiring.vault, world.wiring.settings)
    assert row["object_key"] not in await world.objects()
    # Its lifetime is none in this test, so the sweep has forgotten the refusal too.
    answer = await record_of(world, answer["document_id"])
    assert answer["status"] == 404


async def test_the_sweeper_and_reconcile_leave_the_bytes_of_what_waits(world: World) -> None:
    await quarantined(world)
    [row] = await world.rows("SELECT object_key FROM locker.quarantine")
    wiring = world.wiring
    await sweep_locker(wiring.db, wiring.vault, wiring.settings)
    compared = await reconcile(wiring.db, wiring.audit, wiring.vault, grace_s=-60, remove_unknown=True, kept_s=0)
    assert row["object_key"] not in compared.unknown
    assert row["object_key"] in await world.objects()


async def test_reconcile_tells_what_is_lost_before_it_is_judged(world: World) -> None:
    answer = await quarantined(world)
    [row] = await world.rows("SELECT object_key FROM locker.quarantine")
    wiring = world.wiring
    await wiring.vault.delete(row["object_key"])
    compared = await reconcile(wiring.db, wiring.audit, wiring.vault, grace_s=-60)
    assert compared.missing == [answer["document_id"]]


async def test_the_same_request_again_gets_the_same_answer_and_one_deposit(world: World) -> None:
    pdf = world.sealed()
    first = await world.deposit(pdf, key="twice")
    again = await world.deposit(pdf, key="twice")
    assert (first.status_code, again.status_code, again.json()) == (202, 202, first.json())
    assert len(await world.rows("SELECT 1 FROM locker.quarantine")) == 1


async def test_what_it_replaces_is_replaced_when_it_passes_and_not_before(world: World) -> None:
    await revocation_lists_arrive(world)
    before = (await world.deposit()).json()
    await nothing_is_known(world)
    answer = await quarantined(world, replaces=before["uri"])
    assert (await record_of(world, before["document_id"]))["state"] == "valid"
    await revocation_lists_arrive(world)
    assert await judge_again(desk(world)) == JudgedAgain(passed=1)
    found = await record_of(world, before["document_id"])
    assert (found["state"], found["replaced_by"]) == ("superseded", answer["document_id"])


async def nothing_is_known(world: World) -> None:
    await world.rows("DELETE FROM locker.trust_material WHERE kind = 'crl'")
    await world.rows("UPDATE locker.trust_version SET version = version + 1")


async def test_what_was_replaced_meanwhile_is_refused(world: World) -> None:
    await revocation_lists_arrive(world)
    before = (await world.deposit()).json()
    await nothing_is_known(world)
    answer = await quarantined(world, replaces=before["uri"])
    await revocation_lists_arrive(world)
    assert (await world.deposit(replaces=before["uri"])).status_code == 201
    assert await judge_again(desk(world)) == JudgedAgain(refused=1)
    assert (await record_of(world, answer["document_id"]))["judgement"]["refusal"] == "state-conflict"


async def test_a_suspended_administrations_deposit_waits_without_counting(world: World) -> None:
    answer = await quarantined(world)
    await suspend(world.wiring.db, Audit("locker"), INTERIOR, reason="under-review", officer="test")
    try:
        assert (await judge_again(desk(world), batch_max=1)).waiting == 1
    finally:
        await resume(world.wiring.db, Audit("locker"), INTERIOR, officer="test")
    assert (await record_of(world, answer["document_id"]))["judgement"]["attempts"] == 1


async def test_an_administration_has_a_maximum_of_waiting_deposits(world: World) -> None:
    await quarantined(world)
    taken = await store.take_quarantined(world.wiring.db, attempt=await _uuid(world), lease_s=60)
    assert taken is not None
    more = msgspec.structs.replace(taken.document, document_id="another")
    [row] = await world.rows("SELECT verdict FROM locker.quarantine WHERE attempt = $1", taken.attempt)
    verdict = msgspec.convert(row["verdict"], Verdict)

    async def due(most: int) -> Any:
        return await store.quarantine(
            world.wiring.db, more, verdict, part="document", first_wait_s=0, per_administration_max=most
        )

    assert await due(1) is None
    assert await due(2) is not None


async def test_one_more_than_the_maximum_is_refused_and_leaves_nothing(world: World) -> None:
    await quarantined(world)
    limits = world.wiring.deposits.limits
    full = msgspec.structs.replace(limits.quarantine, per_administration_max=1, first_wait_s=60)
    object.__setattr__(world.wiring.deposits, "limits", msgspec.structs.replace(limits, quarantine=full))
    try:
        answer = await world.deposit(world.sealed(text="one too many"), key="one too many")
        assert (answer.status_code, answer.json()["code"]) == (503, "quarantine-full")
        assert answer.headers["retry-after"] == "60"
    finally:
        object.__setattr__(world.wiring.deposits, "limits", limits)
    assert len(await world.rows("SELECT 1 FROM locker.quarantine")) == 1
    # It is not remembered as refused: later the same goes.
    await quarantined(world, pdf=world.sealed(text="one too many"), key="one too many")


async def test_what_speaks_against_it_for_good_is_refused_at_once(world: World) -> None:
    """A B-B seal is not what the type asks for, whatever arrives later."""
    answer = await world.deposit(world.sealed(time_stamp=False))
    assert (answer.status_code, answer.json()["code"]) == (422, "not-authentic")


async def test_waits_double_up_to_the_longest() -> None:
    limits = QuarantineLimits(first_wait_s=60, wait_max_s=600, attempts_max=16, lease_s=60, per_administration_max=10)
    assert [limits.wait_s(attempts) for attempts in (1, 2, 3, 4, 5, 6, 1_000)] == [60, 120, 240, 480, 600, 600, 600]


BOTH = [{"uid": AMINA}, {"uid": YOUSSEF}]


async def both_wait(world: World, **members: Any) -> dict[str, Any]:
    return await quarantined(world, uid=None, subjects=BOTH, **members)


async def states_of(world: World, answer: dict[str, Any]) -> list[tuple[str, str | None]]:
    found = [await record_of(world, one["document_id"]) for one in answer["documents"]]
    return [(one["state"], one["state_reason"]) for one in found]


async def test_of_several_owners_all_wait_and_all_get_it_at_once(world: World) -> None:
    pdf = world.sealed(text="deed")
    answer = await both_wait(world, pdf=pdf)
    assert answer["document_id"] == answer["documents"][0]["document_id"]
    assert await judge_again(desk(world, attempts_max=9), batch_max=1) == JudgedAgain(waiting=1)
    assert await states_of(world, answer) == [("quarantined", None)] * 2
    judged = [(await record_of(world, one["document_id"]))["judgement"]["attempts"] for one in answer["documents"]]
    assert judged == [2, 2]
    await revocation_lists_arrive(world)
    outcomes = await asyncio.gather(*(judge_again(desk(world)) for _ in range(4)))
    assert sum(outcome.passed for outcome in outcomes) == 1
    assert await states_of(world, answer) == [("valid", None)] * 2
    for uid, one in zip((AMINA, YOUSSEF), answer["documents"], strict=True):
        original = await world.locker.get(f"/v1/documents/{one['document_id']}/original", headers=world.citizen(uid))
        assert original.content == pdf
    # And from then on their state is one, as of any deposit with several owners.
    change = await world.locker.post(
        f"/v1/documents/{answer['documents'][1]['document_id']}/suspend",
        headers=world.machine(),
        json={"reason": "court-order"},
    )
    assert change.status_code == 200
    assert await states_of(world, answer) == [("suspended", "court-order")] * 2


async def test_of_several_owners_a_revocation_by_any_address_while_it_waits_is_of_all(world: World) -> None:
    answer = await both_wait(world)
    for one in answer["documents"][::-1]:
        revoked = await world.locker.post(
            f"/v1/documents/{one['document_id']}/revoke", headers=world.machine(), json={"reason": "issued-in-error"}
        )
        assert (revoked.status_code, revoked.json()["document_id"]) == (200, one["document_id"])
    await revocation_lists_arrive(world)
    assert await judge_again(desk(world)) == JudgedAgain(passed=1)
    assert await states_of(world, answer) == [("revoked", "issued-in-error")] * 2


async def test_of_several_owners_all_are_refused_and_nothing_of_any_stays(world: World) -> None:
    answer = await both_wait(world)
    keys = {row["object_key"] for row in await world.rows("SELECT object_key FROM locker.quarantine")}
    assert await judge_again(desk(world, attempts_max=1)) == JudgedAgain(refused=1)
    assert await states_of(world, answer) == [("refused", "not-authentic")] * 2
    assert await world.rows("SELECT 1 FROM locker.quarantine WHERE wrapped_key IS NOT NULL") == []
    lines = await world.rows(
        "SELECT 1 FROM locker.audit WHERE action = 'deposit.refused' AND object_id = ANY($1::text[])",
        [one["document_id"] for one in answer["documents"]],
    )
    assert len(lines) == 2
    await sweep_locker(world.wiring.db, world.wiring.vault, world.wiring.settings)
    assert len(keys) == 2
    assert not keys & await world.objects()


async def test_of_several_owners_where_one_has_no_room_nobody_gets_it(world: World) -> None:
    answer = await both_wait(world)
    await revocation_lists_arrive(world)
    made = QuarantineDesk(**{**vars(desk(world)), "documents_per_owner_max": 0})
    assert await judge_again(made) == JudgedAgain(refused=1)
    assert await states_of(world, answer) == [("refused", "vault-full")] * 2


async def test_of_several_owners_one_who_is_erased_meanwhile_keeps_it_from_no_other(world: World) -> None:
    world.subs["leaving"] = world.provider.enrol("2000000077")
    answer = await quarantined(world, uid=None, subjects=[{"uid": "2000000077"}, {"uid": YOUSSEF}])
    wiring, leaving = world.wiring, world.subs["leaving"]
    await wiring.db.transact(lambda tx: wiring.vault.destroy_owner_key(tx, owner=leaving))
    await revocation_lists_arrive(world)
    assert (await judge_again(desk(world), batch_max=1)).waiting == 1
    await world.rows("SELECT locker.erase_rows_of($1)", leaving)
    assert await judge_again(desk(world)) == JudgedAgain(passed=1)
    theirs = await record_of(world, answer["documents"][1]["document_id"])
    assert theirs["state"] == "valid"
    assert (await record_of(world, answer["document_id"]))["status"] == 404
