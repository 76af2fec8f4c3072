"""F-24: an issuer's events arrive twice, late and in any order. The last word that is for good stays the last word."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from locker.documents.change_state import SUSPENSIONS
from tests.locker_world import INTERIOR, JUSTICE, RECORD, World, open_world

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(dsns: Any, s3: Any, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with open_world(dsns, s3, tmp_path_factory.mktemp("locker")) as opened:
        yield opened


async def change(world: World, document_id: str, verb: str, *, key: str | None = None, **parts: Any) -> httpx.Response:
    headers = {
        **world.machine(),
        **parts.pop("headers", {}),
        **({"Idempotency-Key": f'"{key}"'} if key is not None else {}),
    }
    return await world.locker.post(f"/v1/documents/{document_id}/{verb}", headers=headers, json=parts or None)


async def revoke_by_reference(world: World, reference: str, reason: str = "issued-in-error") -> httpx.Response:
    body = {"reference": reference, "reason": reason}
    return await world.locker.post("/v1/revocations", headers=world.machine(), json=body)


async def deposited(world: World, **members: Any) -> str:
    answer = await world.deposit(**members)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["document_id"])


async def state(world: World, document_id: str) -> tuple[str, str | None]:
    found = (await world.locker.get(f"/v1/deposits/{document_id}", headers=world.machine())).json()
    return found["state"], found["state_reason"]


async def acts(world: World, document_id: str) -> list[str]:
    rows = await world.rows("SELECT action FROM locker.audit WHERE object_id = $1 AND owner IS NOT NULL", document_id)
    return sorted(row["action"] for row in rows)


async def test_f_24_ten_revocations_before_the_deposit_and_it_is_revoked(world: World) -> None:
    reference = secrets.token_hex(8)
    early = await asyncio.gather(*(revoke_by_reference(world, reference) for _ in range(10)))
    assert {answer.status_code for answer in early} == {202}
    document_id = await deposited(world, reference=reference)
    assert await state(world, document_id) == ("revoked", "issued-in-error")
    late = await asyncio.gather(*(revoke_by_reference(world, reference) for _ in range(10)))
    assert {answer.status_code for answer in late} == {200}
    assert await acts(world, document_id) == ["document.deposited", "document.revoked"]
    said = await world.rows("SELECT 1 FROM locker.audit WHERE action = 'deposit.revoked-early'")
    assert len(said) == 1
    topics = await world.rows("SELECT topic FROM locker.outbox WHERE body ->> 'document_id' = $1", document_id)
    assert sorted(row["topic"] for row in topics) == ["document.deposited", "document.revoked"]


async def test_f_24_a_revocation_that_races_its_deposit_is_never_lost(world: World) -> None:
    for _ in range(3):
        reference = secrets.token_hex(8)
        revoked, deposit = await asyncio.gather(
            revoke_by_reference(world, reference), world.deposit(reference=reference)
        )
        assert revoked.status_code in (200, 202)
        assert deposit.status_code == 201
        assert await state(world, deposit.json()["document_id"]) == ("revoked", "issued-in-error")


async def test_f_24_ten_late_suspensions_and_resumptions_do_not_bring_a_revoked_document_back(world: World) -> None:
    document_id = await deposited(world)
    await change(world, document_id, "suspend", reason="under-review")
    await change(world, document_id, "revoke", reason="obtained-by-fraud")
    answers = await asyncio.gather(
        *(change(world, document_id, "suspend", reason="under-review") for _ in range(10)),
        *(change(world, document_id, "resume") for _ in range(10)),
    )
    assert {answer.status_code for answer in answers} == {409}
    assert await state(world, document_id) == ("revoked", "obtained-by-fraud")


async def test_f_24_events_in_any_order_end_revoked(world: World) -> None:
    document_id = await deposited(world)
    await asyncio.gather(
        *(change(world, document_id, "suspend", reason="under-review", key=f"s{document_id}") for _ in range(5)),
        *(change(world, document_id, "revoke", reason="issued-in-error") for _ in range(10)),
        *(change(world, document_id, "resume", key=f"r{document_id}") for _ in range(5)),
    )
    assert await state(world, document_id) == ("revoked", "issued-in-error")
    assert (await acts(world, document_id)).count("document.revoked") == 1


async def test_f_24_a_repeated_key_answers_as_before_and_undoes_nothing_since(world: World) -> None:
    document_id = await deposited(world)
    suspend, resume = f"s-{document_id}", f"r-{document_id}"
    first = await change(world, document_id, "suspend", reason="court-order", key=suspend)
    assert (await change(world, document_id, "resume", key=resume)).json()["state"] == "valid"
    again = await asyncio.gather(
        *(change(world, document_id, "suspend", reason="court-order", key=suspend) for _ in range(10))
    )
    assert {(answer.status_code, answer.text) for answer in again} == {(200, first.text)}
    assert await state(world, document_id) == ("valid", None)
    assert await acts(world, document_id) == ["document.deposited", "document.resumed", "document.suspended"]


async def test_f_24_a_key_belongs_to_one_request(world: World) -> None:
    document_id, other = await deposited(world), await deposited(world)
    key = f"k-{document_id}"
    assert (await change(world, document_id, "suspend", reason="court-order", key=key)).status_code == 200
    for answer in (
        await change(world, other, "suspend", reason="court-order", key=key),
        await change(world, document_id, "suspend", reason="under-review", key=key),
        await change(world, document_id, "resume", key=key),
    ):
        assert (answer.status_code, answer.json()["code"]) == (422, "idempotency-key-reused")
    assert (await change(world, other, "resume", key="")).status_code == 400
    assert await state(world, document_id) == ("suspended", "court-order")


async def test_f_24_a_refused_change_leaves_its_key_free(world: World) -> None:
    document_id = await deposited(world)
    assert (await change(world, document_id, "resume", key=f"f-{document_id}")).status_code == 200
    await change(world, document_id, "revoke", reason="issued-in-error")
    refused = await change(world, document_id, "suspend", reason="court-order", key=f"g-{document_id}")
    assert refused.status_code == 409
    assert await world.rows("SELECT 1 FROM locker.state_request WHERE key = $1", f"g-{document_id}") == []


async def test_f_24_what_a_key_answers_does_not_say_whose_it_is(world: World) -> None:
    """The key is kept for a month, also when its owner is erased tomorrow."""
    document_id, key = await deposited(world), secrets.token_hex(8)
    first = await change(world, document_id, "suspend", key=key, reason="court-order")
    [row] = await world.rows("SELECT answer::text AS kept FROM locker.state_request WHERE key = $1", key)
    assert document_id in row["kept"]
    assert not any(sub in row["kept"] for sub in world.subs.values())
    assert (await change(world, document_id, "suspend", key=key, reason="court-order")).text == first.text


async def test_f_24_a_program_that_flaps_fills_no_history(world: World) -> None:
    """What suspends without end is stopped while it stands; to resume and to revoke never is."""
    document_id = await deposited(world)
    await world.rows("DELETE FROM locker.throttle WHERE bucket LIKE 'suspensions:%' RETURNING 1")
    for _ in range(SUSPENSIONS.attempts):
        assert (await change(world, document_id, "suspend", reason="under-review")).status_code == 200
        again = await change(world, document_id, "suspend", reason="under-review")
        assert again.status_code == 200
        assert (await change(world, document_id, "resume")).status_code == 200
    refused = await change(world, document_id, "suspend", reason="under-review")
    assert (refused.status_code, refused.json()["code"]) == (429, "too-many-requests")
    assert await state(world, document_id) == ("valid", None)
    assert (await change(world, await deposited(world), "suspend", reason="under-review")).status_code == 200
    assert (await change(world, document_id, "revoke", reason="issued-in-error")).status_code == 200


async def test_f_24_a_revocation_that_races_a_new_version_is_never_lost(world: World) -> None:
    for _ in range(3):
        document_id = await deposited(world)
        revoked, version = await asyncio.gather(
            change(world, document_id, "revoke", reason="issued-in-error"), world.deposit(replaces=document_id)
        )
        assert revoked.status_code == 200
        assert version.status_code in (201, 409, 422)
        assert await state(world, document_id) == ("revoked", "issued-in-error")


async def test_f_24_a_stale_if_match_changes_nothing(world: World) -> None:
    document_id = await deposited(world)
    seen = (await world.locker.get(f"/v1/deposits/{document_id}", headers=world.machine())).headers["etag"]
    suspended = await change(world, document_id, "suspend", reason="under-review", headers={"If-Match": seen})
    assert suspended.status_code == 200
    assert suspended.headers["etag"] != seen
    for verb, members in (("resume", {}), ("revoke", {"reason": "issued-in-error"})):
        stale = await change(world, document_id, verb, headers={"If-Match": seen}, **members)
        assert (stale.status_code, stale.json()["code"], stale.json()["state"]) == (412, "state-changed", "suspended")
        assert stale.headers["etag"] == suspended.headers["etag"]
    assert await state(world, document_id) == ("suspended", "under-review")
    current = await change(world, document_id, "resume", headers={"If-Match": suspended.headers["etag"]})
    assert current.json()["state"] == "valid"


async def test_f_24_of_racing_changes_on_one_revision_one_wins(world: World) -> None:
    document_id = await deposited(world)
    answers = await asyncio.gather(
        change(world, document_id, "suspend", reason="under-review", headers={"If-Match": '"1"'}),
        change(world, document_id, "suspend", reason="court-order", headers={"If-Match": '"1"'}),
        change(world, document_id, "revoke", reason="issued-in-error", headers={"If-Match": '"1"'}),
    )
    assert sorted(answer.status_code for answer in answers) == [200, 412, 412]


async def test_f_24_a_reference_is_ones_own_and_used_once(world: World) -> None:
    reference = secrets.token_hex(8)
    mine = await deposited(world, reference=reference)
    taken = await world.deposit(reference=reference)
    assert (taken.status_code, taken.json()["code"]) == (409, "reference-taken")
    theirs = await world.deposit(reference=reference, administration=JUSTICE, type_=RECORD)
    assert theirs.status_code == 201
    body = {"reference": reference, "reason": "issued-in-error"}
    assert (await world.locker.post("/v1/revocations", headers=world.machine(JUSTICE), json=body)).json()[
        "document_id"
    ] == theirs.json()["document_id"]
    assert await state(world, mine) == ("valid", None)
    other_reason = await revoke_by_reference(world, reference, "contents-wrong")
    assert other_reason.status_code == 200
    assert (await revoke_by_reference(world, reference)).status_code == 409
    for bad in ("", "a" * 65, "a b", "id:x", "../x"):
        assert (await revoke_by_reference(world, bad)).status_code == 422


async def test_f_24_an_administration_awaits_so_many_and_no_more(world: World) -> None:
    await world.owner_db.execute(
        """INSERT INTO locker.deposit_reference (administration, reference_sha256, revocation_reason, revoked_by)
           SELECT $1, sha256(convert_to($1 || '|flood-' || n, 'UTF8')), 'issued-in-error', 'flood'
             FROM generate_series(1, 10000) n""",
        INTERIOR,
    )
    try:
        full = await revoke_by_reference(world, secrets.token_hex(8))
        assert (full.status_code, full.json()["code"]) == (503, "too-many-awaited")
        assert (await revoke_by_reference(world, "flood-1")).status_code == 202
        assert (await deposited(world, reference="flood-2")) is not None
    finally:
        await world.owner_db.execute("DELETE FROM locker.deposit_reference WHERE revoked_by = 'flood'")


async def test_f_24_a_reference_is_kept_as_a_digest_and_of_an_erased_document_nothing_is_revoked(world: World) -> None:
    reference = f"CNIE-{secrets.token_hex(6)}"
    document_id = await deposited(world, reference=reference)
    for table in ("deposit_reference", "document", "document_uri", "audit", "outbox", "idempotency"):
        rows = await world.rows(f"SELECT row_to_json(t)::text AS text FROM locker.{table} t")
        assert not [row for row in rows if reference in row["text"]], table
    for table in ("archived", "document_uri", "document"):
        await world.owner_db.execute(f"DELETE FROM locker.{table} WHERE document_id = $1", document_id)
    gone = await revoke_by_reference(world, reference)
    assert (gone.status_code, gone.json()["code"]) == (404, "document-unknown")
    again = await world.deposit(reference=reference)
    assert (again.status_code, again.json()["code"]) == (409, "reference-taken")
