"""A batch from its manifest to its results, over real PostgreSQL, a real S3 server and real judging."""

import asyncio
import hashlib
import json
import zipfile
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from kit.jose import PublicKeys, verify
from locker.administrations.suspend import resume, suspend
from locker.batches.forget_expired import drop, forget_expired
from locker.deposits.resolve_subject import Subjects
from tests.locker_world import AMINA, INTERIOR, JUSTICE, LOCKER, RECORD, YOUSSEF, World, client_of, open_world
from tests.unit.locker.batches.zips import MULTIPART, Office, line, multipart, ndjson, read, zipped

pytestmark = pytest.mark.asyncio(loop_scope="module")

DOCUMENTS = 6


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(dsns: Any, s3: Any, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with open_world(dsns, s3, tmp_path_factory.mktemp("locker")) as opened:
        yield opened


@pytest.fixture(scope="module")
def office(world: World) -> Office:
    return Office(world)


@pytest.fixture(scope="module")
def pdfs(world: World) -> list[bytes]:
    return [world.sealed(text=f"Extrait {number}") for number in range(DOCUMENTS)]


async def documents(world: World) -> int:
    return int((await world.rows("SELECT count(*) AS n FROM locker.document"))[0]["n"])


async def test_a_batch_deposits_each_document_and_says_so_line_by_line(
    world: World, office: Office, pdfs: list[bytes]
) -> None:
    lines = [line(f"A-{number}", pdf) for number, pdf in enumerate(pdfs[:3])]
    answer = await office.register(lines)
    assert answer.status_code == 201, answer.text
    batch = answer.json()
    assert (batch["items"], batch["refused"], batch["problems"]) == (3, 0, [])
    assert answer.headers["location"] == f"{LOCKER}/v1/deposits/batches/{batch['batch_id']}"
    batch_id = batch["batch_id"]
    assert await office.missing(batch_id) == ["A-0", "A-1", "A-2"]

    told, end = await office.sent(batch_id, zipped({"A-1.pdf": pdfs[1], "A-0.pdf": pdfs[0]}))
    assert end == {"entries": 2, "complete": True, "code": None}
    assert [(one["entry"], one["item"], one["state"]) for one in told] == [
        (1, "A-1", "deposited"),
        (2, "A-0", "deposited"),
    ]
    assert await office.missing(batch_id) == ["A-2"]
    assert await office.states(batch_id) == {"awaiting": 1, "deposited": 2}

    results = await office.results(batch_id)
    assert [one["state"] for one in results] == ["deposited", "deposited", "awaiting"]
    keys = PublicKeys((await world.locker.get("/.well-known/jwks.json")).json())
    for one, pdf in zip(results[:2], pdfs, strict=False):
        claims = verify(
            one["receipt"], keys, algorithms=["ES256"], typ=["khizana-receipt+jwt"], issuer=LOCKER, require=("sub",)
        )
        assert (claims["sub"], claims["sha256"]) == (one["uri"], hashlib.sha256(pdf).hexdigest())
        alone = await world.locker.get(f"/v1/deposits/{one['document_id']}", headers=world.machine())
        assert (alone.json()["uri"], alone.json()["sha256"]) == (one["uri"], one["sha256"])
    told_claims = verify(
        told[1]["receipt"], keys, algorithms=["ES256"], typ=["khizana-receipt+jwt"], issuer=LOCKER, require=("sub",)
    )
    assert told_claims["sub"] == results[0]["uri"]


async def test_lines_that_cannot_be_refuse_themselves_alone(office: Office, pdfs: list[bytes]) -> None:
    good = line("good", pdfs[0])
    lines: list[Any] = [
        good,
        b"{not json\n",
        {**line("other", pdfs[0]), "item": "good"},
        {**line("same-file", pdfs[0]), "file": "good.pdf"},
        line("type", pdfs[0], type="NOSUCHTYPE"),
        line("not-entitled", pdfs[0], type=RECORD),
        line("fields", pdfs[0], fields={"birthdate": "1990-01-01"}),
        line("path", pdfs[0], file="../../etc/passwd"),
        {**line("digest", pdfs[0]), "sha256": "0"},
        line("dates", pdfs[0], valid_from="2026-02-02", valid_until="2026-02-01"),
        json.dumps(line("twice", pdfs[0])).replace('"type"', '"type": "X", "type"', 1).encode() + b"\n",
        b'{"item": "' + b"x" * 70_000 + b'"}\n',
        b"\n",
        {**line("owners", pdfs[0]), "subjects": [{"uid": AMINA}, {"uid": YOUSSEF}]},
        line("last", pdfs[1]),
    ]
    answer = (await office.register(lines)).json()
    assert (answer["items"], answer["refused"]) == (2, 12)
    assert [(one["line"], one["code"]) for one in answer["problems"]] == [
        (2, "deposit-invalid"),
        (3, "item-repeated"),
        (4, "file-repeated"),
        (5, "type-not-allowed"),
        (6, "type-not-allowed"),
        (7, "fields-invalid"),
        (8, "deposit-invalid"),
        (9, "deposit-invalid"),
        (10, "deposit-invalid"),
        (11, "deposit-invalid"),
        (12, "line-too-long"),
        (13, "deposit-invalid"),
    ]
    told, _ = await office.sent(answer["batch_id"], zipped({"good.pdf": pdfs[0], "last.pdf": pdfs[1]}))
    assert [one["state"] for one in told] == ["deposited", "deposited"]
    results = await office.results(answer["batch_id"])
    assert [one["state"] for one in results] == ["deposited", *["refused"] * 12, "deposited"]
    assert results[6]["members"] == {"errors": [{"pointer": "", "keyword": "required"}]}


async def test_no_line_poisons_the_others(office: Office, pdfs: list[bytes]) -> None:
    """What PostgreSQL, JSON or another reader would stumble over later is refused with its own line."""
    right = json.dumps(line("x", pdfs[0]))
    deep = '{"a":' * 400 + "1" + "}" * 400
    hostile = [
        right.replace('"type"', '"\\u0000": 1, "type"', 1),
        right.replace('"type"', '"\\ud800": 1, "type"', 1),
        right.replace("x.pdf", "\\ud800.pdf"),
        right.replace("Alaoui", "\\ud800"),
        right.replace("Alaoui", "\\u0000"),
        right.replace('"Alaoui"', "NaN"),
        right.replace('"Alaoui"', "1e999"),
        right.replace('"Alaoui"', "1" * 5_000),
        right.replace('"Alaoui"', deep),
        right.replace('"Alaoui"', "[" * 30_000 + "]" * 30_000),
        right.replace('"item": "x"', '"item": "x\\n"'),
        right.replace('"item": "x"', '"item": "x", "item": "y"'),
        "\ufeff" + right,
        "[]",
        "null",
    ]
    lines = [
        *(one.encode() + b"\r\n" for one in hostile),
        b"\xff\xfe\n",
        b"\r\n",
        json.dumps(line("end", pdfs[0])).encode(),
    ]
    answer = await office.register(lines)
    assert answer.status_code == 201, answer.text
    registered = answer.json()
    assert (registered["items"], registered["refused"]) == (1, len(hostile) + 1)
    assert {one["code"] for one in registered["problems"]} <= {"deposit-invalid", "fields-invalid"}
    assert [one["state"] for one in await office.results(registered["batch_id"])][-1] == "awaiting"
    told, _ = await office.sent(registered["batch_id"], zipped({"end.pdf": pdfs[0]}))
    assert told[0]["state"] == "deposited"


async def test_the_same_manifest_under_the_same_key_is_the_same_batch(
    world: World, office: Office, pdfs: list[bytes]
) -> None:
    lines = [line("once", pdfs[0])]
    first, *others = await asyncio.gather(*(office.register(lines, key="same") for _ in range(3)))
    answered = [one for one in (first, *others) if one.status_code == 201]
    assert {one.status_code for one in (first, *others)} <= {201, 409}
    again = await office.register(lines, key="same")
    assert {one.text for one in answered} == {again.text}
    rows = await world.rows("SELECT count(*) AS n FROM locker.deposit_batch_item WHERE item = 'once'")
    assert rows[0]["n"] == 1
    for changed in (
        await office.register([line("other", pdfs[0])], key="same"),
        await office.register(lines, key="same", dry_run=True),
        await world.deposit(pdfs[0], key="same"),
    ):
        assert (changed.status_code, changed.json()["code"]) == (422, "idempotency-key-reused")


async def test_a_part_that_is_sent_again_and_parts_that_race_make_one_document_each(
    world: World, office: Office, pdfs: list[bytes]
) -> None:
    batch_id = await office.registered([line(f"R-{number}", pdf) for number, pdf in enumerate(pdfs)])
    part = zipped({f"R-{number}.pdf": pdf for number, pdf in enumerate(pdfs)})
    before = await documents(world)
    raced = await asyncio.gather(*(office.sent(batch_id, part) for _ in range(3)))
    again, _ = await office.sent(batch_id, part)
    assert await documents(world) == before + DOCUMENTS
    for told in (*(one for one, _ in raced), again):
        assert [one["state"] for one in told] == ["deposited"] * DOCUMENTS
        assert [one["document_id"] for one in told] == [one["document_id"] for one in again]
    assert await office.states(batch_id) == {"deposited": DOCUMENTS}


async def test_a_refused_document_stops_no_other_and_keeps_its_reason(
    world: World, office: Office, pdfs: list[bytes]
) -> None:
    foreign, unsealed = world.sealed(JUSTICE), pdfs[0].replace(b"%PDF-1.", b"%PDF-2.", 1)
    batch_id = await office.registered(
        [
            line("foreign", foreign),
            line("changed", unsealed),
            line("nobody", pdfs[1], uid="2999999999"),
            line("text", b"not a PDF" * 20),
            line("fine", pdfs[2], uid=YOUSSEF),
            line("replaces", pdfs[3], replaces="0" * 25),
        ]
    )
    told, _ = await office.sent(
        batch_id,
        zipped(
            {
                "foreign.pdf": foreign,
                "changed.pdf": unsealed,
                "nobody.pdf": pdfs[1],
                "text.pdf": b"not a PDF" * 20,
                "fine.pdf": pdfs[2],
                "replaces.pdf": pdfs[3],
            },
            method=zipfile.ZIP_DEFLATED,
        ),
    )
    assert [(one["item"], one["state"], one.get("code")) for one in told] == [
        ("foreign", "refused", "not-authentic"),
        ("changed", "refused", "not-authentic"),
        ("nobody", "refused", "subject-unknown"),
        ("text", "refused", "not-a-pdf"),
        ("fine", "deposited", None),
        ("replaces", "refused", "replaces-unknown"),
    ]
    results = {one["item"]: one for one in await office.results(batch_id)}
    assert results["foreign"]["code"] == "not-authentic"
    assert results["foreign"]["members"]["indication"] in ("TOTAL-FAILED", "INDETERMINATE")
    refused = await world.rows("SELECT result FROM locker.audit WHERE action = 'deposit.refused'")
    assert {"not-authentic", "subject-unknown", "replaces-unknown"} <= {row["result"] for row in refused}


async def test_a_reference_that_is_taken_refuses_its_item(world: World, office: Office, pdfs: list[bytes]) -> None:
    lines = [line(f"N-{number}", pdf, reference="day/1") for number, pdf in enumerate(pdfs[:2])]
    both = (await office.register(lines)).json()
    assert [(one["line"], one["code"]) for one in both["problems"]] == [(2, "reference-repeated")]
    for dry_run, one, state in (
        (True, 0, "checked"),
        (False, 0, "deposited"),
        (True, 1, "refused"),
        (False, 1, "refused"),
    ):
        batch_id = await office.registered([lines[one]], dry_run=dry_run)
        [told], _ = await office.sent(batch_id, zipped({f"N-{one}.pdf": pdfs[one]}))
        assert (told["state"], told.get("code")) == (state, "reference-taken" if state == "refused" else None)


async def test_a_dry_run_knows_that_a_vault_is_full(world: World, office: Office, pdfs: list[bytes]) -> None:
    uid = "2000000031"
    world.subs[uid] = world.provider.enrol(uid)
    await world.rows(
        "INSERT INTO locker.holding (owner, documents, bytes) VALUES ($1, 10000, 1) RETURNING 1", world.subs[uid]
    )
    batch_id = await office.registered([line("full", pdfs[0], uid=uid)], dry_run=True)
    [told], _ = await office.sent(batch_id, zipped({"full.pdf": pdfs[0]}))
    assert (told["state"], told["code"]) == ("refused", "vault-full")


async def test_what_is_replaced_is_replaced_once_in_a_manifest(world: World, office: Office, pdfs: list[bytes]) -> None:
    before = (await world.deposit(pdfs[0])).json()
    answer = await office.register(
        [line("V-1", pdfs[1], replaces=before["uri"]), line("V-2", pdfs[2], replaces=before["document_id"].lower())]
    )
    assert [(one["line"], one["code"]) for one in answer.json()["problems"]] == [(2, "replaces-repeated")]
    [told], _ = await office.sent(answer.json()["batch_id"], zipped({"V-1.pdf": pdfs[1]}))
    assert told["state"] == "deposited"
    [row] = await world.rows(
        "SELECT version, replaces FROM locker.document WHERE document_id = $1", told["document_id"]
    )
    assert (row["version"], row["replaces"]) == (2, before["document_id"])


async def test_the_wrong_file_under_a_right_name_is_asked_for_again(office: Office, pdfs: list[bytes]) -> None:
    batch_id = await office.registered([line("wrong", pdfs[0])])
    told, _ = await office.sent(batch_id, zipped({"wrong.pdf": pdfs[1], "more.pdf": pdfs[2]}))
    assert [(one["entry"], one.get("state"), one["code"]) for one in told] == [
        (1, "awaiting", "digest-mismatch"),
        (2, None, "not-in-manifest"),
    ]
    assert "item" not in told[1]
    told, _ = await office.sent(batch_id, zipped({"wrong.pdf": pdfs[0]}))
    assert told[0]["state"] == "deposited"


async def test_a_part_may_be_multipart(office: Office, pdfs: list[bytes]) -> None:
    batch_id = await office.registered([line(f"P-{number}", pdf) for number, pdf in enumerate(pdfs[:3])])
    whole = multipart({"P-0.pdf": pdfs[0], "../x": pdfs[1], "P-1.pdf": pdfs[2], "P-2.pdf": pdfs[2]})
    told, end = await office.sent(batch_id, whole, MULTIPART)
    assert [(one["entry"], one.get("code", one.get("state"))) for one in told] == [
        (1, "deposited"),
        (2, "not-in-manifest"),
        (3, "digest-mismatch"),
        (4, "deposited"),
    ]
    assert end == {"entries": 4, "complete": True, "code": None}

    async def cut() -> AsyncIterator[bytes]:
        part = multipart({"P-1.pdf": pdfs[1], "P-2.pdf": pdfs[2]})[:-40]
        for start in range(0, len(part), 500):
            yield part[start : start + 500]

    told, end = await office.sent(batch_id, cut(), MULTIPART)
    assert (end["complete"], end["code"]) == (False, "part-cut-short")
    assert told[0]["state"] == "deposited"


async def test_a_dry_run_checks_all_and_keeps_nothing(world: World, office: Office, pdfs: list[bytes]) -> None:
    before = await world.counts()
    world.provider.purposes.clear()
    batch_id = await office.registered(
        [line("good", pdfs[0]), line("bad", world.sealed(JUSTICE)), line("nobody", pdfs[1], uid="2999999999")],
        dry_run=True,
    )
    told, _ = await office.sent(
        batch_id, zipped({"good.pdf": pdfs[0], "bad.pdf": b"%PDF- other", "nobody.pdf": pdfs[1]})
    )
    assert [(one["item"], one["state"]) for one in told] == [
        ("good", "checked"),
        ("bad", "awaiting"),
        ("nobody", "refused"),
    ]
    assert (await office.get(batch_id)).json()["dry_run"] is True
    after = await world.counts()
    assert {**after, "idempotency": 0} == {**before, "idempotency": 0}
    # What the citizen reads at the provider is what was done.
    assert set(world.provider.purposes) == {"check BIRTHEXTRACT"}


async def test_subjects_of_items_that_come_together_are_asked_for_together(
    world: World, office: Office, pdfs: list[bytes]
) -> None:
    desk, provider = world.wiring.batches, world.provider
    patient = replace(desk.deposits, subjects=Subjects(world.wiring.provider, apart_s=2.0))
    object.__setattr__(world.wiring, "batches", replace(desk, deposits=patient))
    try:
        batch_id = await office.registered([line(f"T-{number}", pdf) for number, pdf in enumerate(pdfs)])
        provider.calls.clear()
        told, _ = await office.sent(batch_id, zipped({f"T-{number}.pdf": pdf for number, pdf in enumerate(pdfs)}))
    finally:
        object.__setattr__(world.wiring, "batches", desk)
    assert [one["state"] for one in told] == ["deposited"] * DOCUMENTS
    assert provider.calls.count("/subjects/resolve-several") <= 3


async def test_another_administration_sees_nothing_of_it(world: World, office: Office, pdfs: list[bytes]) -> None:
    batch_id = await office.registered([line("mine", pdfs[0])])
    stranger = Office(world, JUSTICE)
    for answer in (
        await stranger.get(batch_id),
        await stranger.get(batch_id, "/results"),
        await stranger.get(batch_id, "/missing"),
        await stranger.send(batch_id, zipped({"mine.pdf": pdfs[0]})),
        await office.get("0" * 25),
        await office.get("x" * 300),
    ):
        assert (answer.status_code, answer.json()["code"]) == (404, "batch-unknown")
    reader = {"Authorization": world.citizen()["Authorization"]}
    assert (await world.locker.get(f"/v1/deposits/batches/{batch_id}", headers=reader)).status_code in (401, 403)
    assert await office.states(batch_id) == {"awaiting": 1}


async def test_a_suspension_in_the_middle_stops_the_rest(world: World, office: Office, pdfs: list[bytes]) -> None:
    batch_id = await office.registered([line(f"S-{number}", pdf) for number, pdf in enumerate(pdfs[:4])])
    part = zipped({f"S-{number}.pdf": pdf for number, pdf in enumerate(pdfs[:4])})
    cut = part.index(b"PK\x03\x04", len(pdfs[0]))
    db, audit = world.wiring.db, world.wiring.audit

    async def body() -> AsyncIterator[bytes]:
        yield part[:cut]
        while await office.states(batch_id) == {"awaiting": 4}:
            await asyncio.sleep(0.02)
        await suspend(db, audit, INTERIOR, reason="under-review", officer="test")
        yield part[cut:]

    try:
        told, end = await office.sent(batch_id, body())
        refused = await office.get(batch_id)
        assert (refused.status_code, refused.json()["code"]) == (401, "administration-suspended")
    finally:
        await resume(db, audit, INTERIOR, officer="test")
    assert told[0]["state"] == "deposited"
    assert {one["code"] for one in told[1:]} == {"administration-suspended"}
    assert (end["complete"], end["code"]) == (False, "administration-suspended")
    assert await office.missing(batch_id) == ["S-1", "S-2", "S-3"]
    told, _ = await office.sent(batch_id, part)
    assert [one["state"] for one in told] == ["deposited"] * 4


async def test_what_cannot_be_judged_yet_is_shown_as_quarantined(world: World, office: Office) -> None:
    rows = await world.rows("DELETE FROM locker.trust_material WHERE kind = 'crl' RETURNING *")
    await world.rows("UPDATE locker.trust_version SET version = version + 1 RETURNING version")
    try:
        pdf = world.sealed(text="without revocation data")
        batch_id = await office.registered([line("waits", pdf)])
        told, _ = await office.sent(batch_id, zipped({"waits.pdf": pdf}))
        assert [one["state"] for one in told] == ["quarantined"]
        assert await office.states(batch_id) == {"quarantined": 1}
        [shown] = await office.results(batch_id)
        assert (shown["state"], "receipt" in shown) == ("quarantined", False)
        again, _ = await office.sent(batch_id, zipped({"waits.pdf": pdf}))
        assert again[0]["document_id"] == told[0]["document_id"]
        await world.rows(
            """
            UPDATE locker.quarantine SET state = 'refused', refusal = 'not-authentic'
             WHERE document_id = $1 RETURNING 1""",
            told[0]["document_id"],
        )
        assert await office.states(batch_id) == {"refused": 1}
        [shown] = await office.results(batch_id)
        assert (shown["state"], shown["code"]) == ("refused", "not-authentic")
    finally:
        for row in rows:
            await world.rows(
                """
                INSERT INTO locker.trust_material (sha256, kind, der, issuer, this_update, next_update)
                VALUES ($1, $2, $3, $4, $5, $6) RETURNING 1""",
                *(row[name] for name in ("sha256", "kind", "der", "issuer", "this_update", "next_update")),
            )
        await world.rows("UPDATE locker.trust_version SET version = version + 1 RETURNING version")


async def test_nothing_of_a_citizen_stands_in_the_rows(world: World, office: Office, pdfs: list[bytes]) -> None:
    batch_id = await office.registered(
        [line("secret", pdfs[0], fields={"family_name": "Canary"}), line("b", pdfs[1]), b'{"item": "Canary2"}\n']
    )
    said = str(await world.rows("SELECT * FROM locker.deposit_batch_item WHERE batch_id = $1", batch_id))
    assert "Canary" not in said
    assert AMINA not in said
    await office.sent(batch_id, zipped({"secret.pdf": pdfs[0]}))
    rows = await world.rows("SELECT state, sealed FROM locker.deposit_batch_item WHERE batch_id = $1", batch_id)
    assert {row["state"] for row in rows if row["sealed"]} == {"awaiting"}


async def test_an_expired_batch_takes_nothing_and_is_forgotten(world: World, office: Office, pdfs: list[bytes]) -> None:
    batch_id = await office.registered([line(f"E-{number}", pdfs[number]) for number in range(2)])
    await office.sent(batch_id, zipped({"E-0.pdf": pdfs[0]}))
    await world.rows(
        "UPDATE locker.deposit_batch SET expires_at = now() - interval '1 second' WHERE batch_id = $1 RETURNING 1",
        batch_id,
    )
    assert (await office.send(batch_id, zipped({"E-1.pdf": pdfs[1]}))).status_code == 404
    before = await documents(world)
    assert await forget_expired(world.wiring.db) >= 1
    assert await world.rows("SELECT FROM locker.deposit_batch_item WHERE batch_id = $1", batch_id) == []
    assert await world.rows("SELECT FROM locker.deposit_batch WHERE batch_id = $1", batch_id) == []
    assert await documents(world) == before


async def test_a_manifest_that_breaks_off_or_is_empty_leaves_nothing(world: World, office: Office) -> None:
    batches = "SELECT count(*) AS n FROM locker.deposit_batch"
    before = await world.rows(batches)
    empty = await office.register(b"\n\n")
    assert (empty.status_code, empty.json()["code"]) == (422, "manifest-empty")
    missing_key = await world.locker.post("/v1/deposits/batches", content=b"{}\n", headers=world.machine())
    assert (missing_key.status_code, missing_key.json()["code"]) == (400, "idempotency-key-missing")
    assert await world.rows(batches) == before


async def test_a_batch_whose_opening_was_not_heard_of_stays(world: World, office: Office, pdfs: list[bytes]) -> None:
    """Its commit went through and its answer was lost: what cleans up after a refused manifest leaves it alone."""
    batch_id = await office.registered([line("heard", pdfs[0])])
    await drop(world.wiring.db, batch_id)
    assert await office.missing(batch_id) == ["heard"]
    await world.owner_db.execute("UPDATE locker.deposit_batch SET state = 'receiving' WHERE batch_id = $1", batch_id)
    await drop(world.wiring.db, batch_id)
    assert await world.rows("SELECT FROM locker.deposit_batch WHERE batch_id = $1", batch_id) == []


async def test_a_sub_is_of_the_client_that_wrote_it_whoever_hands_the_document_over(
    world: World, office: Office, pdfs: list[bytes]
) -> None:
    """The same sub means somebody else to another client of the administration."""
    second = "ma.gov.interieur-second"
    world.provider.foreign_subjects |= {
        (client_of(INTERIOR), "their-name"): world.subs[AMINA],
        (second, "their-name"): world.subs[YOUSSEF],
    }
    await world.owner_db.execute(
        "INSERT INTO locker.administration_client (client_id, administration) VALUES ($1, $2)", second, INTERIOR
    )
    batch_id = await office.registered([line("pairwise", pdfs[0], subject={"sub": "their-name"})])
    token = world.provider.token(sub=second, client_id=second, scope="documents:deposit")
    answer = await world.locker.post(
        f"/v1/deposits/batches/{batch_id}/parts",
        content=zipped({"pairwise.pdf": pdfs[0]}),
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/zip"},
    )
    [told, _] = read(answer)
    assert told["state"] == "deposited"
    [row] = await world.rows("SELECT owner FROM locker.document WHERE document_id = $1", told["document_id"])
    assert row["owner"] == world.subs[AMINA]


async def test_everything_has_a_maximum(world: World, office: Office, pdfs: list[bytes]) -> None:
    async def batches() -> list[dict[str, Any]]:
        return await world.rows("SELECT batch_id FROM locker.deposit_batch ORDER BY batch_id")

    limits = world.wiring.batches.limits
    small = msgspec.structs.replace(
        limits, items_max=3, part_entries_max=2, part_max_bytes=len(pdfs[0]) * 4, manifest_max_bytes=5_000
    )
    object.__setattr__(world.wiring.batches, "limits", small)
    try:
        before = await batches()
        four = await office.register([line(f"M-{number}", pdfs[0]) for number in range(4)])
        assert (four.status_code, four.json()["code"], four.json()["max_items"]) == (413, "manifest-too-large", 3)
        long = await office.register([line("L", pdfs[0], fields={"family_name": "x" * 5_000})])
        assert (long.status_code, long.json()["code"], long.json()["max_bytes"]) == (413, "manifest-too-large", 5_000)
        assert await batches() == before
        batch_id = await office.registered([line(f"M-{number}", pdf) for number, pdf in enumerate(pdfs[:3])])
        told, end = await office.sent(batch_id, zipped({f"M-{number}.pdf": pdfs[number] for number in range(3)}))
        assert [one["state"] for one in told] == ["deposited"] * 2
        assert (end["complete"], end["code"]) == (False, "part-has-too-many-entries")
        part = zipped({"pad": b"x" * (len(pdfs[0]) * 4), "M-2.pdf": pdfs[2]})

        async def arriving() -> AsyncIterator[bytes]:
            for start in range(0, len(part), 1_000):
                yield part[start : start + 1_000]

        heavy, end = await office.sent(batch_id, arriving())
        assert (end["complete"], end["code"]) == (False, "part-too-large")
        assert [one["code"] for one in heavy] == ["not-in-manifest"]
        full = msgspec.structs.replace(limits, per_administration_max=1)
        object.__setattr__(world.wiring.batches, "limits", full)
        refused = await office.register([line("F", pdfs[0])])
        assert (refused.status_code, refused.json()["code"], refused.json()["max"]) == (409, "batches-full", 1)
    finally:
        object.__setattr__(world.wiring.batches, "limits", limits)


async def test_who_is_refused_is_heard_out_so_that_the_answer_can_be_read(
    world: World, office: Office, pdfs: list[bytes]
) -> None:
    """A server that closes over what is still being sent takes its answer along."""
    limits = world.wiring.batches.limits
    small = msgspec.structs.replace(
        limits, items_max=2, part_entries_max=2, part_max_bytes=100_000, manifest_max_bytes=100_000
    )
    heard = 0

    async def arriving(body: bytes, *, times: int = 1) -> AsyncIterator[bytes]:
        nonlocal heard
        for start in [*range(0, len(body), 1_000)] * times:
            yield body[start : start + 1_000]
            heard += 1_000

    batch_id = await office.registered([line("heard", pdfs[0])])
    many, pad = zipped({f"{number}.pdf": bytes(1_000) for number in range(50)}), zipped({"pad": bytes(60_000)})
    manifest = ndjson([line(f"heard-{number}", pdfs[0]) for number in range(100)])
    object.__setattr__(world.wiring.batches, "limits", small)
    try:
        _, end = await office.sent(batch_id, arriving(many))
        assert (end["code"], heard) == ("part-has-too-many-entries", -(-len(many) // 1_000) * 1_000)
        heard = 0
        unknown = await office.send(batch_id[::-1], arriving(pad))
        assert (unknown.status_code, heard) == (404, -(-len(pad) // 1_000) * 1_000)
        heard = 0
        refused = await office.register(arriving(manifest))
        assert (refused.status_code, heard) == (413, -(-len(manifest) // 1_000) * 1_000)
        # So far and no further.
        heard = 0
        _, end = await office.sent(batch_id, arriving(many, times=100))
        assert end["code"] == "part-has-too-many-entries"
        assert 100_000 <= heard <= 210_000
    finally:
        object.__setattr__(world.wiring.batches, "limits", limits)


async def test_a_client_that_changes_sides_in_the_middle_deposits_nothing_more(
    world: World, office: Office, pdfs: list[bytes]
) -> None:
    turncoat = "ma.gov.interieur-turncoat"
    await world.owner_db.execute(
        "INSERT INTO locker.administration_client (client_id, administration) VALUES ($1, $2)", turncoat, INTERIOR
    )
    batch_id = await office.registered([line(f"side-{number}", pdfs[number]) for number in range(2)])
    part = zipped({f"side-{number}.pdf": pdfs[number] for number in range(2)})
    cut = part.index(b"PK\x03\x04", len(pdfs[0]))

    async def body() -> AsyncIterator[bytes]:
        yield part[:cut]
        while await office.states(batch_id) == {"awaiting": 2}:
            await asyncio.sleep(0.02)
        await world.owner_db.execute(
            "UPDATE locker.administration_client SET administration = $2 WHERE client_id = $1", turncoat, JUSTICE
        )
        yield part[cut:]

    token = world.provider.token(sub=turncoat, client_id=turncoat, scope="documents:deposit")
    answer = await world.locker.post(
        f"/v1/deposits/batches/{batch_id}/parts",
        content=body(),
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/zip"},
    )
    [first, second, end] = read(answer)
    assert (first["state"], second["state"], second["code"]) == ("deposited", "awaiting", "not-an-administration")
    assert end["complete"] is False
    assert await office.missing(batch_id) == ["side-1"]


async def test_long_results_have_every_line_once(office: Office, pdfs: list[bytes]) -> None:
    batch_id = await office.registered([line(f"long-{number}", pdfs[0]) for number in range(120)])
    assert [one["line"] for one in await office.results(batch_id)] == list(range(1, 121))
    assert await office.missing(batch_id) == [f"long-{number}" for number in range(120)]


async def test_one_administration_never_has_all_places(world: World, office: Office, pdfs: list[bytes]) -> None:
    """Whose bodies trickle keeps out itself alone."""
    batch_id = await office.registered([line("trickle", pdfs[0])])
    go_on, reading = asyncio.Event(), asyncio.Semaphore(0)

    async def trickle() -> AsyncIterator[bytes]:
        yield b"PK"
        reading.release()
        await go_on.wait()

    slow = [asyncio.create_task(office.send(batch_id, trickle())) for _ in range(3)]
    for _ in slow:
        await reading.acquire()
    refused = await office.send(batch_id, zipped({"trickle.pdf": pdfs[0]}))
    assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
    other = Office(world, JUSTICE)
    theirs = world.sealed(JUSTICE)
    others = await other.registered([line("other", theirs, type=RECORD)])
    told, _ = await other.sent(others, zipped({"other.pdf": theirs}))
    assert told[0]["state"] == "deposited"
    go_on.set()
    assert {answer.status_code for answer in await asyncio.gather(*slow)} == {400}
    told, _ = await office.sent(batch_id, zipped({"trickle.pdf": pdfs[0]}))
    assert told[0]["state"] == "deposited"


async def test_what_is_no_part_is_refused_as_a_whole(office: Office, pdfs: list[bytes]) -> None:
    batch_id = await office.registered([line("z", pdfs[0])])
    for body in (b"", pdfs[0], b"PK", ndjson([line("z", pdfs[0])])):
        answer = await office.send(batch_id, body)
        assert (answer.status_code, answer.json()["code"]) == (400, "part-malformed"), body[:9]
    for form, content_type in (
        (b"no boundary at all" * 10_000, MULTIPART),
        (b"", MULTIPART),
        (multipart({}), MULTIPART),
        (b"x" * 100, "multipart/form-data"),
        (b"x" * 100, 'multipart/mixed; boundary="x"'),
        (multipart({"n" * 100_000: pdfs[0]}), MULTIPART),
    ):
        answer = await office.send(batch_id, form, content_type)
        assert (answer.status_code, answer.json()["code"]) == (400, "part-malformed"), form[:40]
    empty = await office.send(batch_id, zipped({}))
    assert read(empty) == [{"entries": 0, "complete": True, "code": None}]


@pytest.mark.parametrize("file", ["results", "missing"])
async def test_without_the_database_a_file_of_a_batch_is_a_503(
    world: World, office: Office, pdfs: list[bytes], file: str
) -> None:
    """It goes when the batch was found and its lines were not yet read: no 200 is on its way then."""
    batch_id = await office.registered([line("A-0", pdfs[0])])
    async with world.owner_db.transaction() as tx:
        await tx.execute("LOCK TABLE locker.deposit_batch_item IN ACCESS EXCLUSIVE MODE")
        answer = await office.get(batch_id, f"/{file}")
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert "retry-after" in answer.headers
    assert (await office.get(batch_id, f"/{file}")).status_code == 200
