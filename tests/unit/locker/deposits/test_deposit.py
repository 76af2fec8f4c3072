"""A deposit from the first byte to the receipt, over real PostgreSQL, a real S3 server and real judging."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from kit.jose import PublicKeys, verify
from locker.administrations.suspend import resume, suspend
from locker.vault import Stored
from tests.locker_world import (
    AMINA,
    BIRTH,
    INTERIOR,
    JUSTICE,
    LOCKER,
    RECORD,
    YOUSSEF,
    World,
    client_of,
    open_world,
    plain_pdf,
    sealed,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(dsns: Any, s3: Any, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with open_world(dsns, s3, tmp_path_factory.mktemp("locker")) as opened:
        yield opened


async def read_back(world: World, document_id: str) -> tuple[bytes, bytes]:
    """The document and its fields, by the vault."""
    [row] = await world.rows("SELECT * FROM locker.document WHERE document_id = $1", document_id)
    stored = Stored.of(row)
    place = {"owner": row["owner"], "document_id": document_id, "version": row["version"]}
    pdf = await world.wiring.vault.read_all(stored, **place, length_max=10**7)
    return pdf, await world.wiring.vault.open_part(stored, **place, part="fields", sealed=row["fields_sealed"])


async def test_a_sealed_document_is_deposited_and_reads_back_equal(world: World) -> None:
    pdf = world.sealed()
    answer = await world.deposit(pdf)
    assert answer.status_code == 201, answer.text
    deposited = answer.json()
    assert answer.headers["location"] == f"{LOCKER}/v1/deposits/{deposited['document_id']}"
    assert deposited["sha256"] == hashlib.sha256(pdf).hexdigest()
    assert await read_back(world, deposited["document_id"]) == (pdf, b'{"family_name":"Alaoui"}')


async def test_the_receipt_verifies_with_the_published_keys(world: World) -> None:
    deposited = (await world.deposit()).json()
    keys = PublicKeys((await world.locker.get("/.well-known/jwks.json")).json())
    claims = verify(
        deposited["receipt"],
        keys,
        algorithms=["ES256"],
        typ=["khizana-receipt+jwt"],
        issuer=LOCKER,
        require=("iss", "iat", "sub"),
    )
    assert claims["sub"] == deposited["uri"] == f"{INTERIOR}-{BIRTH}-{deposited['document_id']}"
    assert (claims["sha256"], claims["administration"], claims["type"]) == (deposited["sha256"], INTERIOR, BIRTH)


async def test_a_deposit_leaves_its_row_route_audit_and_event_and_no_intent(world: World) -> None:
    document_id = (await world.deposit()).json()["document_id"]
    [document] = await world.rows("SELECT * FROM locker.document WHERE document_id = $1", document_id)
    assert (document["owner"], document["state"], document["indication"], document["level"], document["pages"]) == (
        world.subs[AMINA],
        "valid",
        "TOTAL-PASSED",
        "PAdES-BASELINE-T",
        1,
    )
    assert await world.rows("SELECT owner FROM locker.document_uri WHERE document_id = $1", document_id)
    [event] = await world.rows("SELECT * FROM locker.audit WHERE object_id = $1", document_id)
    assert (event["action"], event["actor"], event["owner"]) == (
        "document.deposited",
        client_of(INTERIOR),
        world.subs[AMINA],
    )
    assert await world.rows("SELECT 1 FROM locker.outbox WHERE body->>'document_id' = $1", document_id)
    assert not await world.rows("SELECT 1 FROM locker.deposit_intent")


async def test_a_subject_may_be_named_by_the_depositors_own_sub(world: World) -> None:
    world.provider.foreign_subjects[(client_of(INTERIOR), "their-name-for-youssef")] = world.subs[YOUSSEF]
    answer = await world.deposit(subject={"sub": "their-name-for-youssef"})
    assert answer.status_code == 201, answer.text
    [row] = await world.rows("SELECT owner FROM locker.document WHERE document_id = $1", answer.json()["document_id"])
    assert row["owner"] == world.subs[YOUSSEF]


async def test_a_type_gives_validity_to_a_deposit_that_says_none(world: World) -> None:
    await world.owner_db.execute("UPDATE locker.document_type SET validity_days = 90 WHERE type = $1", BIRTH)
    document_id = (await world.deposit(valid_from="2026-01-01")).json()["document_id"]
    record = (await world.locker.get(f"/v1/deposits/{document_id}", headers=world.machine())).json()
    assert (record["valid_from"], record["valid_until"]) == ("2026-01-01", "2026-04-01")
    await world.owner_db.execute("UPDATE locker.document_type SET validity_days = NULL WHERE type = $1", BIRTH)


async def test_a_document_past_its_last_day_is_expired(world: World) -> None:
    document_id = (await world.deposit(valid_until="2020-01-01")).json()["document_id"]
    record = (await world.locker.get(f"/v1/deposits/{document_id}", headers=world.machine())).json()
    assert record["state"] == "expired"


# One key, one deposit


async def test_a_repeated_key_gets_the_same_answer_and_no_second_document(world: World) -> None:
    pdf = world.sealed()
    first = await world.deposit(pdf, key="repeated")
    before = await world.counts()
    second = await world.deposit(pdf, key="repeated")
    assert (second.status_code, second.json()) == (201, first.json())
    assert await world.counts() == before


async def test_a_key_with_another_body_is_refused(world: World) -> None:
    pdf = world.sealed()
    await world.deposit(pdf, key="reused")
    before = await world.counts()
    for answer in (await world.deposit(key="reused"), await world.deposit(pdf, key="reused", uid=YOUSSEF)):
        assert (answer.status_code, answer.json()["code"]) == (422, "idempotency-key-reused")
    assert await world.counts() == before


async def test_parallel_deposits_with_one_key_make_one_document(world: World) -> None:
    pdf = world.sealed()
    before = await world.counts()
    answers = await asyncio.gather(*(world.deposit(pdf, key="parallel") for _ in range(6)))
    assert {answer.status_code for answer in answers} <= {201, 409}
    done = [answer.json() for answer in answers if answer.status_code == 201]
    assert done
    assert all(deposited == done[0] for deposited in done)
    after = await world.counts()
    assert (after["document"], after["objects"]) == (before["document"] + 1, before["objects"] + 1)


async def test_keys_of_two_clients_do_not_meet(world: World) -> None:
    one = await world.deposit(key="same")
    other = await world.deposit(key="same", administration=JUSTICE, type_=RECORD)
    assert (one.status_code, other.status_code) == (201, 201)


@pytest.mark.parametrize("key", [None, '""', '"' + "k" * 256 + '"', '"a', "a b\x7f"])
async def test_a_deposit_without_a_usable_key_is_refused(world: World, key: str | None) -> None:
    headers = world.machine() | ({"Idempotency-Key": key} if key is not None else {})
    answer = await world.locker.post("/v1/deposits", headers=headers, files={"document": b"x"})
    assert (answer.status_code, answer.json()["code"]) == (400, "idempotency-key-missing")


async def test_an_attempt_that_died_is_taken_over_after_its_lease(world: World) -> None:
    pdf = world.sealed()
    await world.deposit(pdf, key="lease")
    await world.owner_db.execute("UPDATE locker.idempotency SET answer = NULL, started_at = now() WHERE key = 'lease'")
    assert (await world.deposit(pdf, key="lease")).status_code == 409
    await world.owner_db.execute(
        "UPDATE locker.idempotency SET started_at = now() - interval '1 hour' WHERE key = 'lease'"
    )
    assert (await world.deposit(pdf, key="lease")).status_code == 201


async def test_a_connection_that_breaks_in_the_middle_leaves_nothing(world: World) -> None:
    """What no client of ours sends: the server itself says that nobody is there any more."""
    before, sent = await world.counts(), list[dict[str, Any]]()
    coming = [{"type": "http.request", "body": b"--b\r\n", "more_body": True}, {"type": "http.disconnect"}]
    headers = {
        **world.machine(),
        "Content-Type": "multipart/form-data; boundary=b",
        "Content-Length": "1000",
        "Idempotency-Key": '"broken off"',
    }

    async def receive() -> dict[str, Any]:
        return coming.pop(0) if len(coming) > 1 else coming[0]

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "scheme": "http",
        "method": "POST",
        "path": "/v1/deposits",
        "raw_path": b"/v1/deposits",
        "root_path": "",
        "query_string": b"",
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        "client": ("192.0.2.1", 50_000),
        "server": ("localhost", 8_000),
    }
    await world.app(scope, receive, send)
    start, *body = sent
    answer = json.loads(b"".join(message["body"] for message in body))
    assert (start["status"], answer["code"]) == (400, "body-cut-short")
    assert await world.counts() == before


async def test_an_attempt_that_was_overtaken_leaves_no_document(world: World) -> None:
    await world.owner_db.execute(
        """
        CREATE FUNCTION locker.overtake() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
        BEGIN UPDATE locker.idempotency SET attempt = gen_random_uuid() WHERE key = 'overtaken'; RETURN NEW; END $$"""
    )
    await world.owner_db.execute(
        "CREATE TRIGGER overtake AFTER INSERT ON locker.deposit_intent EXECUTE FUNCTION locker.overtake()"
    )
    before = await world.counts()
    answer = await world.deposit(key="overtaken")
    await world.owner_db.execute("DROP TRIGGER overtake ON locker.deposit_intent")
    assert (answer.status_code, answer.json()["code"]) == (409, "deposit-overtaken")
    after = await world.counts()
    assert after["document"] == before["document"]
    # Its object waits for the sweeper, known by its intent.
    assert after["deposit_intent"] == before["deposit_intent"] + 1
    await world.owner_db.execute("DELETE FROM locker.deposit_intent")


async def test_a_deposit_whose_intent_was_swept_leaves_no_document(world: World) -> None:
    await world.owner_db.execute(
        """
        CREATE FUNCTION locker.sweep_at_once() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN NEW.swept_at = now(); RETURN NEW; END $$"""
    )
    await world.owner_db.execute(
        """CREATE TRIGGER sweep_at_once BEFORE INSERT ON locker.deposit_intent
           FOR EACH ROW EXECUTE FUNCTION locker.sweep_at_once()"""
    )
    before = await world.counts()
    answer = await world.deposit()
    await world.owner_db.execute("DROP TRIGGER sweep_at_once ON locker.deposit_intent")
    assert (answer.status_code, answer.json()["code"]) == (409, "deposit-overtaken")
    assert (await world.counts())["document"] == before["document"]
    await world.owner_db.execute("DELETE FROM locker.deposit_intent")


# What is refused leaves nothing


async def refused_without_trace(world: World, **deposit: Any) -> dict[str, Any]:
    before = await world.counts()
    answer = await world.deposit(**deposit)
    assert answer.headers["content-type"] == "application/problem+json"
    assert await world.counts() == before
    return answer.json()


async def test_an_unsealed_document_is_refused_with_its_indication(world: World) -> None:
    problem = await refused_without_trace(world, pdf=plain_pdf())
    assert (problem["status"], problem["code"], problem["indication"]) == (422, "not-authentic", "NO_SIGNATURE_FOUND")
    [event] = await world.rows(
        "SELECT result, detail FROM locker.audit WHERE action = 'deposit.refused' ORDER BY at DESC LIMIT 1"
    )
    assert (event["result"], event["detail"]["indication"]) == ("not-authentic", "NO_SIGNATURE_FOUND")


async def test_an_altered_document_is_refused_with_its_indication(world: World) -> None:
    pdf = bytearray(world.sealed())
    pdf[len(plain_pdf()) // 2] ^= 1
    problem = await refused_without_trace(world, pdf=bytes(pdf))
    assert (problem["indication"], problem["sub_indication"]) in (
        ("TOTAL-FAILED", "HASH_FAILURE"),
        ("TOTAL-FAILED", "FORMAT_FAILURE"),
    )


async def test_anothers_seal_is_refused(world: World) -> None:
    problem = await refused_without_trace(world, pdf=world.sealed(JUSTICE))
    assert problem["indication"] == "INDETERMINATE"
    assert "seal-not-registered" in problem["reasons"]


async def test_a_withdrawn_seal_certificate_is_refused_at_once(world: World) -> None:
    pdf = world.sealed()
    await world.owner_db.execute(
        "UPDATE locker.seal_certificate SET withdrawn_at = now() WHERE administration = $1", INTERIOR
    )
    await world.owner_db.execute(
        "UPDATE locker.administration SET version = version + 1 WHERE administration = $1", INTERIOR
    )
    problem = await refused_without_trace(world, pdf=pdf)
    await world.owner_db.execute(
        "UPDATE locker.seal_certificate SET withdrawn_at = NULL WHERE administration = $1", INTERIOR
    )
    await world.owner_db.execute(
        "UPDATE locker.administration SET version = version + 1 WHERE administration = $1", INTERIOR
    )
    assert "seal-not-registered" in problem["reasons"]
    assert (await world.deposit(pdf)).status_code == 201


async def test_a_seal_without_time_stamp_needs_a_type_that_says_so(world: World) -> None:
    pdf = world.sealed(time_stamp=False)
    problem = await refused_without_trace(world, pdf=pdf)
    assert "level" in problem["reasons"]
    await world.owner_db.execute("UPDATE locker.document_type SET level_min = 'B-B' WHERE type = $1", BIRTH)
    accepted = await world.deposit(pdf)
    await world.owner_db.execute("UPDATE locker.document_type SET level_min = 'B-T' WHERE type = $1", BIRTH)
    assert accepted.status_code == 201, accepted.text


async def test_an_untrusted_authority_with_the_same_names_is_refused(
    world: World, tmp_path_factory: pytest.TempPathFactory
) -> None:
    from tests.locker_world import new_pki

    pki = new_pki(tmp_path_factory.mktemp("forged") / "pki")
    problem = await refused_without_trace(world, pdf=sealed(pki, pki.seals[INTERIOR]))
    assert problem["indication"] == "INDETERMINATE"


async def test_fields_that_do_not_fit_are_named_and_not_repeated(world: World) -> None:
    problem = await refused_without_trace(
        world, fields={"family_name": "Alaoui", "birthdate": "canary", "record_number": "canary", "canary": 1}
    )
    assert (problem["status"], problem["code"]) == (422, "fields-invalid")
    assert {(error["pointer"], error["keyword"]) for error in problem["errors"]} == {
        ("/birthdate", "format"),
        ("/record_number", "pattern"),
        ("", "additionalProperties"),
    }
    assert "canary" not in str(problem)


@pytest.mark.parametrize(
    "members",
    [
        {"subject": {}},
        {"subject": {"uid": AMINA, "sub": "x"}},
        {"subject": {"uid": "1"}},
        {"subject": {"uid": AMINA, "name": "x"}},
        {"valid_from": "2026-02-01", "valid_until": "2026-01-01"},
        {"valid_until": "tomorrow"},
        {"state": "valid"},
        {"owner": "x"},
        {"type": "birth"},
        {"fields": []},
    ],
)
async def test_a_deposit_that_says_it_wrongly_is_refused(world: World, members: dict[str, Any]) -> None:
    problem = await refused_without_trace(world, **members)
    assert (problem["status"], problem["code"]) == (422, "deposit-invalid")


async def test_an_unknown_citizen_is_refused(world: World) -> None:
    assert (await refused_without_trace(world, uid="9999999999"))["code"] == "subject-unknown"


@pytest.mark.parametrize("type_", [RECORD, "NOSUCHTYPE"])
async def test_a_type_without_entitlement_is_forbidden(world: World, type_: str) -> None:
    problem = await refused_without_trace(world, type_=type_)
    assert (problem["status"], problem["code"]) == (403, "type-not-allowed")


async def test_a_suspended_administration_gets_nothing_at_once(world: World) -> None:
    db, audit = world.wiring.db, world.wiring.audit
    await suspend(db, audit, INTERIOR, reason="inquiry", officer="test")
    refused = await world.deposit()
    await resume(db, audit, INTERIOR, officer="test")
    assert (refused.status_code, refused.json()["code"]) == (401, "administration-suspended")
    assert "invalid_token" in refused.headers["www-authenticate"]
    assert (await world.deposit()).status_code == 201


async def test_a_client_that_speaks_for_nobody_is_forbidden(world: World) -> None:
    token = world.provider.token(sub="stranger", client_id="stranger", scope="documents:deposit")
    answer = await world.locker.get("/v1/deposits/X", headers={"Authorization": f"Bearer {token}"})
    assert (answer.status_code, answer.json()["code"]) == (403, "not-an-administration")


# Parts that are away


async def test_without_the_provider_a_deposit_is_unavailable_and_can_be_repeated(world: World) -> None:
    pdf = world.sealed()
    await world.deposit()  # the token is known for a second
    before = await world.counts()
    world.provider.away = True
    answer = await world.deposit(pdf, key="provider-away")
    world.provider.away = False
    assert answer.status_code == 503
    assert "retry-after" in answer.headers
    assert await world.counts() == before
    assert (await world.deposit(pdf, key="provider-away")).status_code == 201


async def test_an_injected_serialization_failure_is_retried_without_double_effect(world: World) -> None:
    await world.owner_db.execute("CREATE SEQUENCE locker.failures")
    await world.owner_db.execute("GRANT USAGE ON SEQUENCE locker.failures TO locker")
    await world.owner_db.execute(
        """
        CREATE FUNCTION locker.fail_once() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN IF nextval('locker.failures') < 3 THEN RAISE EXCEPTION 'injected' USING ERRCODE = '40001'; END IF;
              RETURN NEW; END $$"""
    )
    await world.owner_db.execute(
        """CREATE TRIGGER fail_once BEFORE INSERT ON locker.document
           FOR EACH ROW EXECUTE FUNCTION locker.fail_once()"""
    )
    before = await world.counts()
    answer = await world.deposit()
    await world.owner_db.execute("DROP TRIGGER fail_once ON locker.document")
    assert answer.status_code == 201
    after = await world.counts()
    assert (after["document"], after["objects"], after["deposit_intent"]) == (
        before["document"] + 1,
        before["objects"] + 1,
        before["deposit_intent"],
    )


async def test_a_client_that_floods_is_told_to_wait(
    new_database: Any, s3: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("flooded")
    async with open_world(new_database(), s3, folder, deposits_per_client_per_minute=2) as flooded:
        answers = [await flooded.deposit(plain_pdf()) for _ in range(6)]
    assert 429 in {answer.status_code for answer in answers[2:]}
    assert all("retry-after" in answer.headers for answer in answers if answer.status_code == 429)
