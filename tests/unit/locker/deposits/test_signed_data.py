"""Signed data that is deposited with its PDF: judged, kept, refused, given back and swept with it."""

import base64
import hashlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from khizana.embedded.s3 import EmbeddedS3
from khizana.rounds import quarantine_desk
from kit.audit import Audit
from kit.jose import PublicKeys, verify
from locker.deposits.judge_again import JudgedAgain, judge_again
from locker.sweeping.reconcile import reconcile
from locker.sweeping.sweep import sweep
from locker.trust.add import add
from locker.trust.schema import TrustAddition
from tests.locker_world import BIRTH, INTERIOR, JUSTICE, LOCKER, YOUSSEF, World, open_world, plain_pdf
from tests.unit.locker.deposits.signed_parts import FORMS, seal_of, signed, stamped_by
from tests.unit.locker.signatures.data_signatures import DATA, cades, jades, xades

pytestmark = pytest.mark.asyncio(loop_scope="module")

DATA_MAX_BYTES, SIGNATURE_MAX_BYTES = 50_000, 20_000


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(dsns: Any, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    # A store of its own: what other databases keep in the shared one would all be unknown here.
    s3 = EmbeddedS3.start(tmp_path_factory.mktemp("s3"))
    try:
        async with open_world(
            dsns,
            s3,
            tmp_path_factory.mktemp("locker"),
            quarantine_first_wait_s=0,
            quarantine_wait_max_s=0,
            deposit_data_max_bytes=DATA_MAX_BYTES,
            deposit_data_signature_max_bytes=SIGNATURE_MAX_BYTES,
        ) as opened:
            with stamped_by(opened):
                yield opened
    finally:
        s3.stop()


async def refused_without_trace(world: World, **deposit: Any) -> dict[str, Any]:
    before = await everything(world)
    answer = await world.deposit(**deposit)
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    assert await everything(world) == before
    return dict(answer.json())


async def everything(world: World) -> dict[str, int]:
    tables = ("signed_data", "quarantine")
    return await world.counts() | {
        table: await world.owner_db.fetchval(f"SELECT count(*) FROM locker.{table}") for table in tables
    }


async def swept(world: World) -> int:
    """How many orphans; and afterwards rows and objects agree."""
    wiring = world.wiring
    done = await sweep(
        wiring.db,
        wiring.audit,
        wiring.throttle,
        wiring.vault,
        grace_s=0,
        outbox_lifetime_s=86_400,
        refused_lifetime_s=86_400,
    )
    after = await reconcile(wiring.db, wiring.audit, wiring.vault, grace_s=0)
    assert (after.missing, after.unknown) == ([], [])
    assert await world.owner_db.fetchval("SELECT count(*) FROM locker.deposit_intent") == 0
    return done.orphans


@pytest.mark.parametrize("form", FORMS)
async def test_data_is_deposited_with_its_pdf_and_reads_back_equal(world: World, form: str) -> None:
    parts, before = signed(world, form), await world.counts()
    answer = await world.deposit(**parts)
    assert answer.status_code == 201, answer.text
    document_id = answer.json()["document_id"]
    after = await world.counts()
    assert (after["objects"], after["deposit_intent"]) == (before["objects"] + 2, before["deposit_intent"])
    address = f"/v1/documents/{document_id}/data"
    given = await world.locker.get(address, headers=world.citizen())
    assert (given.status_code, given.content) == (200, parts["data"])
    assert given.headers["content-disposition"].startswith("attachment")
    assert "sandbox" in given.headers["content-security-policy"]
    beside = await world.locker.get(f"{address}/signature", headers=world.citizen())
    expected = (200, parts["data_signature"]) if "data_signature" in parts else (404, beside.content)
    assert (beside.status_code, beside.content) == expected


async def test_both_digests_stand_in_the_answer_the_receipt_and_the_record(world: World) -> None:
    pdf, parts = world.sealed(), signed(world, "jades")
    deposited = (await world.deposit(pdf, **parts)).json()
    record = (await world.locker.get(f"/v1/deposits/{deposited['document_id']}", headers=world.machine())).json()
    keys = PublicKeys((await world.locker.get("/.well-known/jwks.json")).json())
    expected = {
        "sha256": hashlib.sha256(pdf).hexdigest(),
        "data_sha256": hashlib.sha256(parts["data"]).hexdigest(),
        "data_signature_sha256": hashlib.sha256(parts["data_signature"]).hexdigest(),
    }
    for receipt in (deposited["receipt"], record["receipt"]):
        claims = verify(
            receipt, keys, algorithms=["ES256"], typ=["khizana-receipt+jwt"], issuer=LOCKER, require=("iss", "iat")
        )
        assert expected.items() <= claims.items()
    assert expected.items() <= deposited.items()
    assert expected.items() <= record.items()


async def test_the_citizen_sees_that_there_is_data_and_who_downloaded_it(world: World) -> None:
    document_id = (await world.deposit(**signed(world, "xades"))).json()["document_id"]
    detail = (await world.locker.get(f"/v1/documents/{document_id}", headers=world.citizen())).json()
    assert (detail["signed_data"]["level"], detail["signed_data"]["media_type"]) == (
        "XAdES-BASELINE-T",
        "application/xml",
    )
    await world.locker.get(f"/v1/documents/{document_id}/data", headers=world.citizen())
    [event] = await world.rows(
        "SELECT actor FROM locker.audit WHERE object_id = $1 AND action = 'document.data-downloaded'", document_id
    )
    assert event["actor"] == "wallet"
    plain = (await world.deposit()).json()["document_id"]
    assert (await world.locker.get(f"/v1/documents/{plain}", headers=world.citizen())).json()["signed_data"] is None
    assert (await world.locker.get(f"/v1/documents/{plain}/data", headers=world.citizen())).status_code == 404


async def test_another_citizen_finds_no_data(world: World) -> None:
    document_id = (await world.deposit(**signed(world, "cades"))).json()["document_id"]
    for path in ("data", "data/signature"):
        answer = await world.locker.get(f"/v1/documents/{document_id}/{path}", headers=world.citizen(YOUSSEF))
        assert answer.status_code == 404


# The whole deposit, or nothing of it


@pytest.mark.parametrize("form", ["jades", "cades"])
async def test_tampered_data_refuses_the_whole_deposit(world: World, form: str) -> None:
    parts = signed(world, form) | {"data": DATA.replace(b"Alaoui", b"Alaoua")}
    problem = await refused_without_trace(world, **parts)
    assert (problem["code"], problem["part"]) == ("not-authentic", "data")
    assert problem["indication"] == "TOTAL-FAILED"
    [event] = await world.rows(
        "SELECT detail FROM locker.audit WHERE action = 'deposit.refused' ORDER BY at DESC LIMIT 1"
    )
    assert event["detail"]["part"] == "data"


async def test_tampered_xml_refuses_the_whole_deposit(world: World) -> None:
    parts = {"data": signed(world, "xades")["data"].replace(b"Alaoui", b"Alaoua")}
    problem = await refused_without_trace(world, **parts)
    assert (problem["part"], problem["indication"]) == ("data", "TOTAL-FAILED")


async def test_a_signature_that_holds_other_data_says_nothing_of_these(world: World) -> None:
    by = seal_of(world)
    for attached in (
        jades(b'{"family_name": "Other"}', by, form="flattened stamped"),
        cades(b'{"family_name": "Other"}', by, stamped=True, held=True),
        xades(by=by, stamped=True),
    ):
        problem = await refused_without_trace(world, data=DATA, data_signature=attached)
        assert (problem["code"], problem["part"]) == ("not-authentic", "data")


@pytest.mark.parametrize("form", FORMS)
async def test_data_under_another_administrations_seal_is_refused(world: World, form: str) -> None:
    problem = await refused_without_trace(world, **signed(world, form, JUSTICE))
    assert (problem["code"], problem["part"]) == ("not-authentic", "data")
    assert "seal-not-registered" in problem["reasons"]


async def test_data_needs_the_level_that_the_pdf_needs(world: World) -> None:
    problem = await refused_without_trace(world, **signed(world, "cades", stamped=False))
    assert (problem["part"], "level" in problem["reasons"]) == ("data", True)
    await world.owner_db.execute("UPDATE locker.document_type SET level_min = 'B-B' WHERE type = $1", BIRTH)
    accepted = await world.deposit(**signed(world, "cades", stamped=False))
    await world.owner_db.execute("UPDATE locker.document_type SET level_min = 'B-T' WHERE type = $1", BIRTH)
    assert accepted.status_code == 201, accepted.text


async def test_data_without_a_signature_is_refused(world: World) -> None:
    problem = await refused_without_trace(world, data=DATA)
    assert (problem["code"], problem["part"]) == ("not-authentic", "data")


async def test_a_pdf_that_is_not_authentic_is_not_carried_by_its_data(world: World) -> None:
    problem = await refused_without_trace(world, pdf=plain_pdf(), **signed(world, "xades"))
    assert (problem["part"], problem["indication"]) == ("document", "NO_SIGNATURE_FOUND")


# Attack rows


@pytest.mark.parametrize(
    ("parts", "status"),
    [
        ({"data": b""}, 400),
        ({"data_signature": b"{}"}, 400),
        ({"data": b"\n" * 100 + plain_pdf()}, 400),
        ({"data": b"{" * (DATA_MAX_BYTES + 1)}, 413),
        ({"data": DATA, "data_signature": b"{" * (SIGNATURE_MAX_BYTES + 1)}, 413),
    ],
)
async def test_u_01_u_18_u_25_parts_that_cannot_be_data(world: World, parts: dict[str, bytes], status: int) -> None:
    assert (await refused_without_trace(world, **parts))["status"] == status


async def test_u_21_a_second_pdf_under_a_right_seal_is_no_data(world: World) -> None:
    assert (await refused_without_trace(world, data=world.sealed()))["code"] == "multipart-malformed"


async def test_u_22_a_repeated_key_compares_the_data_as_well(world: World) -> None:
    pdf, parts = world.sealed(), signed(world, "jades")
    first = await world.deposit(pdf, key="with-data", **parts)
    assert first.status_code == 201, first.text
    before = await everything(world)
    second = await world.deposit(pdf, key="with-data", **parts)
    assert (second.status_code, second.json()) == (201, first.json())
    for other in ({}, signed(world, "cades"), {"data": DATA}, {**parts, "data": DATA + b" "}):
        answer = await world.deposit(pdf, key="with-data", **other)
        assert (answer.status_code, answer.json()["code"]) == (422, "idempotency-key-reused")
    assert await everything(world) == before


# Two objects, one life


@pytest.mark.parametrize(("table", "objects"), [("deposit_intent", 1), ("signed_data", 2)])
async def test_a_crash_between_the_objects_or_after_them_leaves_only_what_is_swept(
    world: World, table: str, objects: int
) -> None:
    await swept(world)
    # Of intents the second one is that of the data, written when the PDF is stored already.
    await world.owner_db.execute(
        f"""
        CREATE FUNCTION locker.die() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN IF TG_TABLE_NAME = 'signed_data' OR EXISTS (SELECT FROM locker.deposit_intent)
              THEN RAISE EXCEPTION 'injected'; END IF; RETURN NEW; END $$;
        CREATE TRIGGER die BEFORE INSERT ON locker.{table} FOR EACH ROW EXECUTE FUNCTION locker.die()"""
    )
    before, key = await everything(world), f"dies at {table}"
    pdf, parts = world.sealed(), signed(world, "jades")
    answer = await world.deposit(pdf, key=key, **parts)
    await world.owner_db.execute(f"DROP TRIGGER die ON locker.{table}; DROP FUNCTION locker.die()")
    assert answer.status_code == 500
    after = await everything(world)
    assert {name: after[name] - before[name] for name in after if after[name] != before[name]} == {
        "objects": objects,
        "deposit_intent": objects,
    }
    assert await swept(world) == objects
    assert (await world.deposit(pdf, key=key, **parts)).status_code == 201
    assert await swept(world) == 0


async def test_data_whose_object_is_lost_is_told_by_reconcile(world: World) -> None:
    document_id = (await world.deposit(**signed(world, "xades"))).json()["document_id"]
    [row] = await world.rows("SELECT * FROM locker.signed_data WHERE document_id = $1", document_id)
    await world.wiring.vault.delete(row["object_key"])
    found = await reconcile(world.wiring.db, world.wiring.audit, world.wiring.vault, grace_s=0)
    assert found.missing == [document_id]
    given = await world.locker.get(f"/v1/documents/{document_id}/data", headers=world.citizen())
    assert given.status_code == 502
    await world.owner_db.execute("DELETE FROM locker.signed_data WHERE document_id = $1", document_id)


async def test_data_dies_with_its_documents_key(world: World) -> None:
    document_id = (await world.deposit(**signed(world, "cades"))).json()["document_id"]
    [row] = await world.rows(
        """UPDATE locker.document d SET wrapped_key = NULL FROM locker.signed_data s
            WHERE d.document_id = $1 AND s.document_id = $1 RETURNING d.object_key, s.object_key AS data""",
        document_id,
    )
    for path in ("data", "data/signature"):
        given = await world.locker.get(f"/v1/documents/{document_id}/{path}", headers=world.citizen())
        assert given.status_code in (410, 502)
        assert DATA not in given.content
    found = await reconcile(
        world.wiring.db, world.wiring.audit, world.wiring.vault, grace_s=0, remove_unknown=True, kept_s=0
    )
    assert set(found.unknown) == {row["object_key"], row["data"]}


async def test_data_stands_as_its_document_stands(world: World) -> None:
    data = b'{"record": "of this test alone"}'
    signature = cades(data, seal_of(world), stamped=True)
    assert await standing(world, data, signature) == "unknown"
    document_id = (await world.deposit(data=data, data_signature=signature)).json()["document_id"]
    assert await standing(world, data, signature) == "valid"
    revoked = await world.locker.post(
        f"/v1/documents/{document_id}/revoke", headers=world.machine(), json={"reason": "contents-wrong"}
    )
    assert revoked.status_code == 200, revoked.text
    assert await standing(world, data, signature) == "revoked"


async def standing(world: World, data: bytes, signature: bytes | None = None) -> str:
    answer = await world.locker.post(
        "/v1/verifications",
        files={"document": ("data", data), **({"signature": ("sig", signature)} if signature else {})},
    )
    assert answer.status_code == 200, answer.text
    judged = answer.json()["answer"]
    assert judged["signature"]["indication"] == "TOTAL-PASSED"
    return str(judged["standing"])


# Quarantine


async def waiting(world: World, form: str) -> str:
    await world.rows("DELETE FROM locker.trust_material WHERE kind = 'crl'")
    await world.rows("UPDATE locker.trust_version SET version = version + 1")
    answer = await world.deposit(**signed(world, form))
    assert answer.status_code == 202, answer.text
    assert answer.json()["data_sha256"]
    return str(answer.json()["document_id"])


async def revocation_lists_arrive(world: World) -> None:
    crls = [base64.b64encode(crl).decode() for crl in world.pki.crls]
    await add(world.wiring.db, Audit("locker"), TrustAddition(crls=crls), officer="test")


async def judged_again(world: World) -> JudgedAgain:
    wiring = world.wiring
    return await judge_again(quarantine_desk(wiring.db, wiring.vault, wiring.judge, wiring.settings))


@pytest.mark.parametrize("form", FORMS)
async def test_a_deposit_with_data_waits_whole_and_becomes_whole(world: World, form: str) -> None:
    document_id = await waiting(world, form)
    assert (await world.locker.get(f"/v1/documents/{document_id}/data", headers=world.citizen())).status_code == 404
    found = await reconcile(world.wiring.db, world.wiring.audit, world.wiring.vault, grace_s=0)
    assert found.unknown == []
    await revocation_lists_arrive(world)
    assert await judged_again(world) == JudgedAgain(passed=1)
    given = await world.locker.get(f"/v1/documents/{document_id}/data", headers=world.citizen())
    assert given.status_code == 200
    record = (await world.locker.get(f"/v1/deposits/{document_id}", headers=world.machine())).json()
    assert record["data_sha256"] == hashlib.sha256(given.content).hexdigest()
    assert await swept(world) == 0


async def test_what_is_refused_after_quarantine_leaves_both_objects_to_the_sweeper(world: World) -> None:
    document_id = await waiting(world, "cades")
    await world.rows("UPDATE locker.seal_certificate SET withdrawn_at = now() WHERE administration = $1", INTERIOR)
    await world.rows("UPDATE locker.administration SET version = version + 1 WHERE administration = $1", INTERIOR)
    await revocation_lists_arrive(world)
    assert await judged_again(world) == JudgedAgain(refused=1)
    await world.rows("UPDATE locker.seal_certificate SET withdrawn_at = NULL WHERE administration = $1", INTERIOR)
    await world.rows("UPDATE locker.administration SET version = version + 1 WHERE administration = $1", INTERIOR)
    record = (await world.locker.get(f"/v1/deposits/{document_id}", headers=world.machine())).json()
    assert (record["state"], record["judgement"]["refusal"]) == ("refused", "not-authentic")
    assert await swept(world) == 2
