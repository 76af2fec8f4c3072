"""Items of more than a PDF for one citizen: signed data beside it, several owners, versions of what stands before."""

import asyncio
import hashlib
import secrets
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from khizana.rounds import quarantine_desk
from kit.jose import PublicKeys, verify
from locker.deposits.judge_again import judge_again
from tests.locker_world import AMINA, LOCKER, YOUSSEF, World, open_world
from tests.unit.locker.batches.zips import MULTIPART, Office, line, multipart, zipped
from tests.unit.locker.deposits.signed_parts import signed, stamped_by

pytestmark = pytest.mark.asyncio(loop_scope="module")

BOTH = [{"uid": AMINA}, {"uid": YOUSSEF}]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(dsns: Any, s3: Any, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    folder = tmp_path_factory.mktemp("locker")
    async with open_world(dsns, s3, folder, temporary_folder=tmp_path_factory.mktemp("room")) as opened:
        with stamped_by(opened):
            yield opened


@pytest.fixture(scope="module")
def office(world: World) -> Office:
    return Office(world)


@pytest.fixture(scope="module")
def pdfs(world: World) -> list[bytes]:
    return [world.sealed(text=f"Extrait {number}") for number in range(4)]


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def with_data(item: str, pdf: bytes, parts: dict[str, bytes]) -> tuple[dict[str, Any], dict[str, bytes]]:
    """The line, and the files of it."""
    files = {f"{item}.pdf": pdf, **{f"{item}.{kind}": content for kind, content in parts.items()}}
    members = {f"{kind}_file": f"{item}.{kind}" for kind in parts} | {
        f"{kind}_sha256": sha256(content) for kind, content in parts.items()
    }
    return line(item, pdf, **members), files


def of_several(item: str, pdf: bytes, **members: Any) -> dict[str, Any]:
    return {**{name: said for name, said in line(item, pdf).items() if name != "subject"}, "subjects": BOTH, **members}


async def document(world: World, document_id: str) -> dict[str, Any]:
    [row] = await world.rows("SELECT * FROM locker.document WHERE document_id = $1", document_id)
    return row


async def nothing_left(world: World) -> None:
    folder = world.wiring.batches.limits.folder
    assert folder is not None
    assert list(folder.iterdir()) == []


async def test_a_part_that_is_cancelled_anywhere_leaves_no_file_and_can_be_sent_again(
    world: World, office: Office, pdfs: list[bytes]
) -> None:
    """Its client goes away, or its server stops: between two files of an item, and while another is being kept."""
    said, files = with_data(f"c{secrets.token_hex(2)}", pdfs[0], signed(world, "xades"))
    batch_id = await office.registered([line("cancel", pdfs[1]), said])
    part = zipped({"cancel.pdf": pdfs[1], **files})
    within = part.index(b"PK\x03\x04", part.index(pdfs[0][:200])) + 100
    before = await world.counts()
    for wait_s in (0.0, 0.05, 0.1):
        waiting = asyncio.Event()

        async def arriving(waiting: asyncio.Event = waiting) -> AsyncIterator[bytes]:
            yield part[:within]
            waiting.set()
            await asyncio.Event().wait()

        sending = asyncio.create_task(office.send(batch_id, arriving()))
        await waiting.wait()
        await asyncio.sleep(wait_s)
        sending.cancel()
        await asyncio.wait({sending})
        await nothing_left(world)
    told, _ = await office.sent(batch_id, part)
    assert [one["state"] for one in told] == ["deposited", "deposited"]
    after = await world.counts()
    assert after["document"] == before["document"] + 2
    # Each object has its document, or an intent by which it is swept: one for the data is no document's own.
    assert after["objects"] <= before["objects"] + 3 + after["deposit_intent"] - before["deposit_intent"]


# Signed data beside the PDF


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("form", ["xades", "jades"])
async def test_data_is_deposited_with_its_pdf_in_whatever_order(
    world: World, office: Office, pdfs: list[bytes], form: str, order: int
) -> None:
    item = f"{form}{order}"
    parts = signed(world, form)
    said, files = with_data(item, pdfs[0], parts)
    batch_id = await office.registered([said, line(f"{item}-plain", pdfs[1])])
    [missing, _] = [one for one in (await office.get(batch_id, "/missing")).text.splitlines() if one]
    assert all(name in missing for name in files)
    part = {**dict(list(files.items())[::order]), f"{item}-plain.pdf": pdfs[1]}
    told, end = await office.sent(
        batch_id, multipart(part) if order == 1 else zipped(part), *[MULTIPART] * (order == 1)
    )
    assert [(one["item"], one["state"]) for one in told] == [(item, "deposited"), (f"{item}-plain", "deposited")]
    assert end == {"entries": len(part), "complete": True, "code": None}
    document_id = told[0]["document_id"]
    given = await world.locker.get(f"/v1/documents/{document_id}/data", headers=world.citizen())
    assert given.content == parts["data"]
    record = (await world.locker.get(f"/v1/deposits/{document_id}", headers=world.machine())).json()
    keys = PublicKeys((await world.locker.get("/.well-known/jwks.json")).json())
    again, _ = await office.sent(batch_id, zipped(part))
    for receipt in (told[0]["receipt"], again[0]["receipt"], (await office.results(batch_id))[0]["receipt"]):
        claims = verify(
            receipt, keys, algorithms=["ES256"], typ=["khizana-receipt+jwt"], issuer=LOCKER, require=("sub",)
        )
        assert {name: claims[name] for name in claims if name.startswith("data")} == {
            f"{kind}_sha256": sha256(content) for kind, content in parts.items()
        }
        assert claims["sub"] == record["uri"]
    assert [one["entry"] for one in again] == [list(part).index(f"{item}.pdf") + 1, len(part)]
    await nothing_left(world)


async def test_files_of_an_item_that_do_not_come_together_wait(world: World, office: Office, pdfs: list[bytes]) -> None:
    said, files = with_data("apart", pdfs[0], signed(world, "jades"))
    batch_id = await office.registered([said, line("between", pdfs[1])])
    pdf, data, signature = files.items()
    for part, codes in (
        ([pdf], ["files-missing"]),
        ([pdf, data, ("between.pdf", pdfs[1]), signature], ["files-missing", "deposited", "files-missing"]),
        ([data, signature], ["files-missing"]),
        ([pdf, (data[0], b"other"), signature], ["digest-mismatch"]),
        ([pdf, (data[0], data[1] + bytes(6_000_000)), signature], ["entry-too-large"]),
        ([pdf, ("__MACOSX", b"?"), data, signature], ["deposited", "not-in-manifest"]),
    ):
        told, end = await office.sent(batch_id, zipped(dict(part)))
        assert [one.get("code", one.get("state")) for one in told] == codes
        assert end["complete"]
        await nothing_left(world)


async def test_data_that_is_none_refuses_the_item(world: World, office: Office, pdfs: list[bytes]) -> None:
    for number, (parts, code) in enumerate(
        (
            ({"data": b""}, "deposit-invalid"),
            ({"data": world.sealed()}, "deposit-invalid"),
            ({"data": b'{"nobody": "signed this"}'}, "not-authentic"),
            ({**signed(world, "jades"), "data": b"{}"}, "not-authentic"),
        )
    ):
        said, files = with_data(f"none-{number}", pdfs[0], parts)
        batch_id = await office.registered([said])
        [told], _ = await office.sent(batch_id, zipped(files))
        assert (told["state"], told["code"]) == ("refused", code)


async def test_each_file_has_a_name_of_its_own_and_a_digest(office: Office, pdfs: list[bytes]) -> None:
    digest = sha256(b"x")
    answer = await office.register(
        [
            line("n0", pdfs[0], data_file="data"),
            line("n1", pdfs[0], data_sha256=digest),
            line("n2", pdfs[0], data_signature_file="s", data_signature_sha256=digest),
            line("n3", pdfs[0], data_file="n3.pdf", data_sha256=digest),
            line("n4", pdfs[0], data_file="d4", data_sha256=digest),
            line("n5", pdfs[0], data_file="d4", data_sha256=digest),
            line("n6", pdfs[0], file="d4"),
            line("n7", pdfs[0], data_file="../d", data_sha256=digest),
        ]
    )
    assert [(one["line"], one["code"]) for one in answer.json()["problems"]] == [
        (1, "deposit-invalid"),
        (2, "deposit-invalid"),
        (3, "deposit-invalid"),
        (4, "file-repeated"),
        (6, "file-repeated"),
        (7, "file-repeated"),
        (8, "deposit-invalid"),
    ]


# Several owners


async def test_each_owner_of_an_item_gets_a_document(world: World, office: Office, pdfs: list[bytes]) -> None:
    batch_id = await office.registered([of_several("deed", pdfs[0]), line("alone", pdfs[1])])
    part = zipped({"deed.pdf": pdfs[0], "alone.pdf": pdfs[1]})
    told, _ = await office.sent(batch_id, part)
    again, _ = await office.sent(batch_id, part)
    [deed, alone] = await office.results(batch_id)
    assert [one["state"] for one in told] == ["deposited", "deposited"]
    ids = [one["document_id"] for one in told[0]["documents"]]
    assert told[0]["document_id"] == ids[0]
    owners = [(await document(world, document_id))["owner"] for document_id in ids]
    assert owners == [world.subs[AMINA], world.subs[YOUSSEF]]
    for shown in (again[0], deed):
        assert [one["document_id"] for one in shown["documents"]] == ids
        assert [one["uri"] for one in shown["documents"]] == [one["uri"] for one in told[0]["documents"]]
        assert len({one["receipt"] for one in shown["documents"]}) == 2
    assert "documents" not in alone
    revoked = await world.locker.post(
        f"/v1/documents/{ids[1]}/revoke", headers=world.machine(), json={"reason": "contents-wrong"}
    )
    assert revoked.status_code == 200
    assert [(await document(world, document_id))["state"] for document_id in ids] == ["revoked", "revoked"]


async def test_of_several_owners_one_who_is_nobody_or_full_refuses_the_item(
    world: World, office: Office, pdfs: list[bytes]
) -> None:
    before = await world.counts()
    batch_id = await office.registered(
        [
            of_several("nobody", pdfs[0], subjects=[{"uid": AMINA}, {"uid": "2999999999"}]),
            of_several("twice", pdfs[1], subjects=[{"uid": AMINA}, {"uid": AMINA}]),
        ]
    )
    told, _ = await office.sent(batch_id, zipped({"nobody.pdf": pdfs[0], "twice.pdf": pdfs[1]}))
    assert [(one["state"], one["code"]) for one in told] == [
        ("refused", "subject-unknown"),
        ("refused", "deposit-invalid"),
    ]
    assert (await world.counts())["document"] == before["document"]


async def test_of_several_owners_what_cannot_be_judged_yet_waits_for_all(world: World, office: Office) -> None:
    rows = await world.rows("DELETE FROM locker.trust_material WHERE kind = 'crl' RETURNING *")
    await world.rows("UPDATE locker.trust_version SET version = version + 1 RETURNING version")
    pdf, uid = world.sealed(text="no revocation data yet"), "2000000077"
    world.subs[uid] = world.provider.enrol(uid)
    try:
        batch_id = await office.registered([of_several("waits", pdf, subjects=[{"uid": uid}, {"uid": YOUSSEF}])])
        [told], _ = await office.sent(batch_id, zipped({"waits.pdf": pdf}))
        [shown] = await office.results(batch_id)
        for one in (told, shown):
            assert one["state"] == "quarantined"
            assert [sorted(waiting) for waiting in one["documents"]] == [["document_id", "uri"]] * 2
    finally:
        for row in rows:
            await world.rows(
                """
                INSERT INTO locker.trust_material (sha256, kind, der, issuer, this_update, next_update)
                VALUES ($1, $2, $3, $4, $5, $6) RETURNING 1""",
                *(row[name] for name in ("sha256", "kind", "der", "issuer", "this_update", "next_update")),
            )
        await world.rows("UPDATE locker.trust_version SET version = version + 1 RETURNING version")
    await world.rows("UPDATE locker.quarantine SET next_attempt_at = now()")
    wiring = world.wiring
    judging = quarantine_desk(wiring.db, wiring.vault, wiring.judge, wiring.settings)
    assert (await judge_again(judging)).passed == 1
    owners = await world.rows("SELECT owner FROM locker.document WHERE sha256 = $1", hashlib.sha256(pdf).digest())
    assert {row["owner"] for row in owners} == {world.subs[uid], world.subs[YOUSSEF]}
    [shown] = await office.results(batch_id)
    assert (shown["state"], shown["document_id"]) == ("deposited", told["document_id"])
    assert [one["document_id"] for one in shown["documents"]] == [one["document_id"] for one in told["documents"]]
    assert all(one["receipt"] for one in shown["documents"])
    # The first one's row says nothing any more.
    await wiring.db.transact(lambda tx: wiring.vault.destroy_owner_key(tx, owner=world.subs[uid]))
    await world.rows("SELECT locker.erase_rows_of($1)", world.subs[uid])
    assert await office.states(batch_id) == {"deposited": 1}


# Versions


async def test_an_item_takes_the_place_of_an_earlier_one_of_its_batch(
    world: World, office: Office, pdfs: list[bytes]
) -> None:
    batch_id = await office.registered(
        [
            line("v1", pdfs[0]),
            line("v2", pdfs[1], replaces_item="v1"),
            line("v3", pdfs[2], replaces_item="v2", correction="clerical-error"),
        ]
    )
    told, _ = await office.sent(batch_id, zipped({"v2.pdf": pdfs[1]}))
    assert (told[0]["state"], told[0]["code"], told[0]["members"]) == (
        "awaiting",
        "replaces-awaited",
        {"replaces_item": "v1"},
    )
    told, _ = await office.sent(batch_id, zipped({f"v{number}.pdf": pdfs[number - 1] for number in (1, 2, 3)}))
    assert [one["state"] for one in told] == ["deposited"] * 3
    rows = [await document(world, one["document_id"]) for one in told]
    assert [(row["version"], row["state"], row["state_reason"]) for row in rows] == [
        (1, "superseded", None),
        (2, "superseded", "clerical-error"),
        (3, "valid", None),
    ]
    assert {row["chain_id"] for row in rows} == {rows[0]["document_id"]}


async def test_an_item_takes_the_place_of_what_an_earlier_batch_deposited(
    world: World, office: Office, pdfs: list[bytes]
) -> None:
    first = await office.registered([of_several("old", pdfs[0]), line("single", pdfs[1])])
    told, _ = await office.sent(first, zipped({"old.pdf": pdfs[0], "single.pdf": pdfs[1]}))
    old, single = told
    second = await office.registered(
        [
            of_several("new", pdfs[2], replaces=old["documents"][1]["uri"], subjects=BOTH[::-1]),
            line("stranger", pdfs[3], uid=YOUSSEF, replaces=single["uri"]),
        ]
    )
    told, _ = await office.sent(second, zipped({"new.pdf": pdfs[2], "stranger.pdf": pdfs[3]}))
    assert [(one["state"], one.get("code")) for one in told] == [("deposited", None), ("refused", "replaces-unknown")]
    for one in old["documents"]:
        assert (await document(world, one["document_id"]))["state"] == "superseded"


async def test_what_an_item_cannot_replace(world: World, office: Office, pdfs: list[bytes]) -> None:
    foreign = world.sealed("ma.gov.justice")
    answer = await office.register(
        [
            line("itself", pdfs[0], replaces_item="itself"),
            line("later", pdfs[0], replaces_item="after"),
            line("after", pdfs[1]),
            line("both", pdfs[0], replaces_item="after", replaces="0" * 25),
            line("refused", foreign),
            line("follows", pdfs[2], replaces_item="refused"),
            line("other", pdfs[3], uid=YOUSSEF, replaces_item="after"),
            line("again", pdfs[0], replaces_item="after"),
        ]
    )
    assert [(one["line"], one["code"]) for one in answer.json()["problems"]] == [
        (1, "replaces-unknown"),
        (2, "replaces-unknown"),
        (4, "deposit-invalid"),
        (8, "replaces-repeated"),
    ]
    files = {"after.pdf": pdfs[1], "refused.pdf": foreign, "follows.pdf": pdfs[2], "other.pdf": pdfs[3]}
    told, _ = await office.sent(answer.json()["batch_id"], zipped(files))
    assert [(one["item"], one.get("code", one["state"])) for one in told] == [
        ("after", "deposited"),
        ("refused", "not-authentic"),
        ("follows", "replaces-unknown"),
        # Another citizen's version is not one of theirs.
        ("other", "replaces-unknown"),
    ]


async def test_a_dry_run_of_all_of_it_keeps_nothing(world: World, office: Office, pdfs: list[bytes]) -> None:
    before = await world.counts()
    said, files = with_data(f"d{secrets.token_hex(2)}", pdfs[0], signed(world, "xades"))
    lines = [said, of_several("dry", pdfs[1]), line("dry2", pdfs[2], replaces_item=said["item"])]
    batch_id = await office.registered(lines, dry_run=True)
    told, _ = await office.sent(batch_id, zipped({**files, "dry.pdf": pdfs[1], "dry2.pdf": pdfs[2]}))
    assert [one["state"] for one in told] == ["checked"] * 3
    after = await world.counts()
    assert {**after, "idempotency": 0} == {**before, "idempotency": 0}
