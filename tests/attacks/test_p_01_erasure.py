"""A citizen is erased: canaries that stood everywhere stand nowhere, and everybody else's proofs go on to verify."""

import asyncio
import base64
import gzip
import json
import logging
import re
import zlib
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from examples.verify_proof import verify as verify_proof

from khizana.embedded.s3 import EmbeddedS3
from khizana.rounds import export_desk, opened_sequencer
from kit.audit import AuditEvent
from kit.ids import new_id
from locker.erasing import erase as erase_module
from locker.erasing.ask import ask
from locker.erasing.erase import erase_again, erase_due
from locker.erasing.resume import resume
from locker.erasing.schema import Erased
from locker.exporting.ask import ask as ask_for_export
from locker.exporting.make import make_due
from locker.log.checkpoint import LogKey
from locker.log.objects import LogObjects
from locker.log.prove import Prover
from locker.log.sequence import sequence
from locker.log.verify import verify as verify_log
from locker.retention.hold import place_hold, release_hold
from locker.vault.keys import REMEMBERED_S
from locker.vault.refusals import Erased as ErasedRefusal
from tests.citizen_browser import CitizenWorld, open_citizen_world
from tests.locker_world import YOUSSEF, plain_pdf

pytestmark = pytest.mark.asyncio(loop_scope="module")

CANARIES = [f"Canari{number:02}Zibouane" for number in range(20)]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(dsns: Any, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[CitizenWorld]:
    # A store of its own, which is read whole.
    s3 = EmbeddedS3.start(tmp_path_factory.mktemp("s3"))
    try:
        async with open_citizen_world(dsns, s3, tmp_path_factory.mktemp("locker")) as opened:
            yield opened
    finally:
        s3.stop()


async def due(place: CitizenWorld, **parts: Any) -> Erased:
    wiring = place.world.wiring
    return await erase_due(wiring.db, wiring.audit, wiring.vault, settled_s=0, **parts)


async def asked(place: CitizenWorld, uid: str, *, wait_s: int = 0) -> str:
    wiring, owner = place.world.wiring, place.world.subs[uid]
    await ask(wiring.db, wiring.audit, owner=owner, by="officer", actor="test", wait_s=wait_s, reference="R 1")
    return owner


async def erased(place: CitizenWorld, uid: str) -> str:
    owner = await asked(place, uid)
    assert (await due(place)).finished == 1
    return owner


async def newcomer(place: CitizenWorld, uid: str) -> str:
    place.world.subs[uid] = place.world.provider.enrol(uid)
    return uid


async def everything(place: CitizenWorld) -> str:
    """Every row of every table as text, what is packed in it opened as far as it goes, and every object."""
    world, said = place.world, []
    tables = await world.rows(
        """SELECT c.oid::regclass::text AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE n.nspname IN ('locker', 'idp') AND c.relkind = 'r'"""
    )
    assert len(tables) > 30
    for table in tables:
        for row in await world.rows(f"SELECT t::text AS row FROM {table['name']} t"):
            said += [table["name"], row["row"]]
            for packed in re.findall(r"\\\\?\\\\x([0-9a-f]{16,})", row["row"]):
                said += readable(bytes.fromhex(packed[: len(packed) // 2 * 2]))
    for key in await world.objects():
        blob = await world.wiring.vault.blobs.get(key, start=0, length=30_000_000)
        said += [key, *readable(blob.data)]
    return "\n".join(said)


def readable(data: bytes) -> list[str]:
    found = [data.decode("utf-8", "replace"), data.decode("utf-16-be", "replace")]
    for open_ in (zlib.decompress, gzip.decompress, lambda it: base64.b64decode(it, validate=True)):
        try:
            found.append(open_(data).decode("utf-8", "replace"))
        except (ValueError, OSError, EOFError, zlib.error):
            continue
    return found


def tables_with(text: str, word: str) -> set[str]:
    return set(re.findall(rf"^(locker\.\w+)\n[^\n]*{re.escape(word)}", text, re.MULTILINE))


def seen(text: str) -> set[str]:
    return {canary for canary in CANARIES if canary in text}


@pytest.fixture
def logs() -> Any:
    lines: list[str] = []

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(json.dumps({**vars(record), "said": record.getMessage()}, default=repr))

    kept, root = Kept(logging.DEBUG), logging.getLogger()
    # The test's own HTTP client is no part of the product, and says the addresses that it asks for.
    outside = [logging.getLogger(name) for name in ("httpx", "httpcore", "asyncio")]
    for logger in outside:
        logger.propagate = False
    before, root.level = root.level, logging.DEBUG
    root.addHandler(kept)
    yield lines
    root.removeHandler(kept)
    root.setLevel(before)
    for logger in outside:
        logger.propagate = True


async def test_p_01_twenty_canaries_of_an_erased_citizen_are_nowhere(place: CitizenWorld, logs: list[str]) -> None:
    world, uid = place.world, await newcomer(place, "2000000011")
    # In files, fields, data, links, drafts, a session, notes: wherever a citizen's words or an administration's stand.
    documents = []
    for number in range(4):
        pdf = world.sealed(text=CANARIES[number])
        fields = {"family_name": CANARIES[4 + number]}
        documents.append(await place.document(uid, pdf=pdf, fields=fields))
    for number in range(4):
        _, path = await place.share(
            documents[number], uid=uid, recipient=CANARIES[8 + number], purpose=CANARIES[12 + number]
        )
        await place.open(path)
    browser = await place.signed_in(uid)
    chosen = await browser.submit(await browser.get("/wallet/shares/new"), document=[documents[0]])
    said = await browser.submit(
        await browser.get(chosen.headers["location"]), recipient=CANARIES[16], purpose=CANARIES[17]
    )
    assert said.status_code == 303
    # And one that asked for what is not there.
    assert (await browser.get(f"/wallet/documents/{'0' * 25}")).status_code == 404
    owner, wiring = world.subs[uid], world.wiring
    # A copy of all of it, ready to be taken.
    await ask_for_export(wiring.db, wiring.audit, wiring.throttle, owner=owner, by="citizen", actor=owner)
    assert await make_due(export_desk(wiring.db, wiring.vault, wiring.signing, wiring.settings)) == 1
    await world.owner_db.execute(
        "UPDATE locker.session SET names = jsonb_build_object('name', $2::text) WHERE owner = $1", owner, CANARIES[18]
    )
    await world.owner_db.execute(
        "UPDATE locker.document SET state_reason = $2 WHERE owner = $1 AND document_id = $3",
        owner, CANARIES[19], documents[1],
    )  # fmt: skip
    held = await world.objects()
    neighbour = await place.document(YOUSSEF, fields={"family_name": "Voisin"})
    before = await everything(place)
    # What is sealed is not readable before either: files and fields.
    assert seen(before) == set(CANARIES[8:])
    assert owner in before

    await erased(place, uid)

    after = await everything(place)
    assert seen(after) == set()
    assert seen("\n".join(logs)) == set()
    # The tombstone alone says that there was somebody, by a random identifier; no row leads to it.
    assert tables_with(after, owner) == {"locker.citizen_key"}
    # Administrations know what they were answered, for a day.
    assert set().union(*(tables_with(after, each) for each in documents)) == {"locker.idempotency"}
    assert len(held - await world.objects()) == len(documents) + 1
    kept = await world.locker.get(f"/v1/documents/{neighbour}", headers=world.citizen(YOUSSEF))
    assert kept.json()["fields"]["family_name"] == "Voisin"
    rows = await world.rows("SELECT * FROM locker.audit WHERE action = 'citizen.erased'")
    assert rows[-1]["owner"] is None


async def test_p_01_leaves_stay_without_meaning_and_all_other_proofs_verify(place: CitizenWorld) -> None:
    world, uid = place.world, await newcomer(place, "2000000031")
    await place.document(uid)
    await place.document(YOUSSEF)
    mine, theirs = await proofs(place, uid), await proofs(place, YOUSSEF)
    assert mine
    assert theirs
    key = (await world.locker.get("/log/key")).text.strip()
    before = await world.rows("SELECT size FROM locker.log_head")
    leaves = await world.rows("SELECT leaf_index, commitment FROM locker.log_leaf ORDER BY leaf_index")
    await erased(place, uid)
    again = await proofs(place, YOUSSEF)
    assert again.keys() >= theirs.keys()
    for proof in (*theirs.values(), *again.values()):
        assert verify_proof(key, proof)["owner"] == world.subs[YOUSSEF]
    # Of the erased one nothing is left that opens a leaf; the leaves are where they were.
    assert await proofs(place, uid) == {}
    for audit_id in mine:
        lost = await world.locker.get(f"/v1/history/{audit_id}/proof", headers=world.citizen(uid))
        assert lost.status_code == 410
    after = await world.rows(
        "SELECT leaf_index, commitment FROM locker.log_leaf WHERE leaf_index < $1 ORDER BY leaf_index",
        before[0]["size"],
    )
    assert after == leaves
    settings = world.wiring.settings
    log_key = LogKey.load_or_create(settings.keys_folder, settings.locker_url)
    whole = await verify_log(
        world.wiring.db,
        LogObjects(world.wiring.vault.blobs, settings.s3_log_prefix),
        verifier_keys=log_key.verifier_keys,
    )
    assert whole.findings == []


async def proofs(place: CitizenWorld, uid: str) -> dict[str, str]:
    """Of every line of this citizen, by its id, once all are in the log."""
    wiring = place.world.wiring
    async with opened_sequencer(wiring.db, wiring.vault, wiring.settings) as sequencer:
        await sequence(sequencer)
    owner = place.world.subs[uid]
    rows = await place.world.rows("SELECT audit_id::text FROM locker.log_entry WHERE owner = $1", owner)
    return await (await Prover.of(wiring.db)).proofs(owner=owner, audit_ids=[row["audit_id"] for row in rows])


async def test_p_01_who_was_erased_cannot_come_back_and_nothing_is_put_in(place: CitizenWorld) -> None:
    uid = await newcomer(place, "2000000012")
    document_id = await place.document(uid)
    browser = await place.signed_in(uid)
    _, link = await place.share(document_id, uid=uid)
    await erased(place, uid)
    assert (await browser.get("/wallet")).status_code == 303
    started = await browser.get("/sign-in")
    back = place.provider.authorize(started.headers["location"], uid)
    refused = await browser.get(back.removeprefix("http://localhost:8000"))
    assert refused.status_code == 410
    assert (await place.world.deposit(uid=uid)).status_code == 410
    assert (await place.open(link)).status_code == 404
    # Nor does a wallet app, whose tokens the provider goes on to give, leave anything here.
    reader = place.world.citizen(uid)
    for path in (
        f"/v1/documents/{document_id}",
        f"/v1/documents/{document_id}/original",
        "/v1/documents",
        "/v1/history",
    ):
        answer = await place.world.locker.get(path, headers=reader)
        assert (answer.status_code, answer.json()["code"]) == (410, "erased")
    assert (await place.world.locker.post("/v1/erasure", headers=token(place, uid))).status_code == 410
    wiring, owner = place.world.wiring, place.world.subs[uid]
    with pytest.raises(ErasedRefusal):
        await ask_for_export(wiring.db, wiring.audit, wiring.throttle, owner=owner, by="citizen", actor=owner)
    # What the deposit that came too late was about to write, for the sweeper.
    assert tables_with(await everything(place), owner) == {"locker.citizen_key", "locker.deposit_intent"}
    await wiring.db.execute("DELETE FROM locker.deposit_intent WHERE owner = $1", owner)


async def test_p_01_what_a_request_still_writes_after_the_erasure_goes_too(place: CitizenWorld) -> None:
    """A worker that was stopped for an hour, say: its rows come when nobody goes through this citizen any more."""
    world, uid = place.world, await newcomer(place, "2000000034")
    await place.document(uid)
    wiring, owner = world.wiring, world.subs[uid]
    async with wiring.db.transaction() as late:
        event = AuditEvent(action="share.opened", actor_kind="client", owner=owner, purpose="Zibouane")
        await wiring.audit.append(late, event)
        await late.execute("INSERT INTO locker.outbox (owner, outbox_id, topic, body) VALUES ($1, $2, 'x', '{}')",
                           owner, new_id())  # fmt: skip
        await erased(place, uid)
        assert await world.rows("SELECT 1 FROM locker.erasure WHERE owner = $1", owner) == []
    assert "Zibouane" in await everything(place)
    async with opened_sequencer(wiring.db, wiring.vault, wiring.settings) as sequencer:
        await sequence(sequencer)
    assert (await due(place)).finished == 1
    left = await everything(place)
    assert "Zibouane" not in left
    assert tables_with(left, owner) == {"locker.citizen_key"}


async def test_p_01_what_comes_while_a_worker_ends_an_erasure_is_not_left_behind(place: CitizenWorld) -> None:
    """Its row is found after this worker looked and before it says that it is done."""
    uid = await newcomer(place, "2000000035")
    await place.document(uid)
    wiring, owner = place.world.wiring, await asked(place, uid)
    objects = erase_module._remove_objects
    looked = 0

    async def looks(*parts: Any, **more: Any) -> int:
        nonlocal looked
        looked += 1
        if looked == 2:
            assert await resume(wiring.db, owners=[owner, "nobody"]) == 1
        return await objects(*parts, **more)

    erase_module._remove_objects = looks
    try:
        assert (await due(place, erasures_max=2)).finished == 0
    finally:
        erase_module._remove_objects = objects
    assert (await due(place)).finished == 1


async def away(*_parts: Any, **_more: Any) -> None:
    raise SystemError("killed")


async def test_p_01_the_key_is_gone_first_whatever_dies_after(place: CitizenWorld) -> None:
    world, uid = place.world, await newcomer(place, "2000000013")
    documents = [await place.document(uid) for _ in range(3)]
    objects = await world.objects()
    _, link = await place.share(documents[0], uid=uid)
    browser = await place.signed_in(uid)
    owner = await asked(place, uid)
    blobs = world.wiring.vault.blobs
    put = blobs.put
    blobs.put = away  # type: ignore[method-assign]
    try:
        with pytest.raises(SystemError):
            await due(place)
    finally:
        blobs.put = put  # type: ignore[method-assign]
    # The rows are all there, and open nothing.
    assert len(await world.rows("SELECT 1 FROM locker.document WHERE document_id = ANY($1)", documents)) == 3
    original = await world.locker.get(f"/v1/documents/{documents[0]}/original", headers=world.citizen(uid))
    assert original.status_code == 410
    assert (await place.open(link)).status_code == 404
    assert (await browser.get("/wallet")).headers["location"].startswith("/sign-in")
    await world.owner_db.execute("UPDATE locker.erasure SET next_attempt_at = now()")
    deleted = blobs.delete

    async def dies(key: str) -> None:
        raise SystemError("killed")

    blobs.delete = dies  # type: ignore[method-assign]
    try:
        with pytest.raises(SystemError):
            await due(place)
    finally:
        blobs.delete = deleted  # type: ignore[method-assign]
    # Nothing of it can be read, though each object is still there.
    assert objects <= await world.objects()
    assert await world.rows("SELECT 1 FROM locker.document WHERE document_id = ANY($1)", documents) == []
    key = await world.rows("SELECT wrapped_key FROM locker.citizen_key WHERE owner = $1", owner)
    assert key == [{"wrapped_key": None}]
    # Its lease is over; the next worker goes on.
    await world.owner_db.execute("UPDATE locker.erasure SET next_attempt_at = now()")
    again = await due(place)
    assert (again.finished, again.objects) == (1, 3)
    assert len(objects - await world.objects()) == 3
    assert await world.rows("SELECT 1 FROM locker.erasure") == []


async def test_a_deposit_beside_an_erasure_is_whole_or_refused(place: CitizenWorld) -> None:
    uid = await newcomer(place, "2000000014")
    await place.document(uid)
    pdfs = [place.world.sealed(text=f"P {number}") for number in range(6)]
    owner = await asked(place, uid)
    answers, _ = await asyncio.gather(
        asyncio.gather(*(place.world.deposit(pdf, uid=uid) for pdf in pdfs)), due(place, erasures_max=1)
    )
    assert {answer.status_code for answer in answers} <= {201, 410}
    await place.world.owner_db.execute("UPDATE locker.erasure SET next_attempt_at = now()")
    await due(place)
    for table in ("document", "document_uri", "archived", "holding", "outbox", "deposit_intent", "erasure"):
        assert await place.world.rows(f"SELECT 1 FROM locker.{table} WHERE owner = $1", owner) == [], table


async def test_p_01_what_is_asked_for_while_its_rows_go_is_not_there_and_no_fault(place: CitizenWorld) -> None:
    world, uid = place.world, await newcomer(place, "2000000071")
    owner, document_id = world.subs[uid], await place.document(uid)
    headers = world.citizen(uid, scope="documents:read documents:share documents:upload")
    sent = await world.locker.post(
        "/v1/uploads", headers={**headers, "Idempotency-Key": '"u1"'}, files={"file": ("a.pdf", plain_pdf())}
    )
    assert sent.status_code == 201, sent.text
    share = {"recipient": "R", "purpose": "P"}
    bodies = [
        ("/v1/shares", {**share, "documents": [document_id]}),
        ("/v1/shares", {**share, "uploads": [sent.json()["upload_id"]]}),
        (f"/v1/documents/{document_id}/printed", {"fields": []}),
    ]
    # From here on this node remembers the key that opens the fields.
    assert (await world.locker.get(f"/v1/documents/{document_id}", headers=headers)).status_code == 200
    async with world.owner_db.transaction() as tx:
        await tx.execute(
            "UPDATE locker.citizen_key SET wrapped_key = NULL, destroyed_at = now() WHERE owner = $1", owner
        )
        await tx.execute("SELECT locker.erase_rows_of($1)", owner)
        asking = [asyncio.create_task(world.locker.post(to, headers=headers, json=body)) for to, body in bodies]
        async with asyncio.timeout(5):
            while await world.owner_db.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted") < len(asking):
                await asyncio.sleep(0.02)
    assert [answer.status_code for answer in await asyncio.gather(*asking)] == [404, 404, 404]
    assert await resume(world.wiring.db, owners=[owner]) == 1
    assert (await due(place)).finished == 1
    for table in ("share", "share_document", "share_upload", "printed", "deposit_intent", "erasure"):
        assert await world.rows(f"SELECT 1 FROM locker.{table} WHERE owner = $1", owner) == [], table


async def test_the_waiting_time_can_be_used_to_undo(place: CitizenWorld) -> None:
    uid = await newcomer(place, "2000000015")
    document_id = await place.document(uid)
    headers = token(place, uid)
    made = await place.world.locker.post("/v1/erasure", headers=headers)
    assert made.status_code == 202, made.text
    assert (await due(place)).begun == 0
    again = await place.world.locker.post("/v1/erasure", headers=headers)
    assert again.json() == made.json(), "the first stands"
    assert (await place.world.locker.get("/v1/erasure", headers=headers)).json() == made.json()
    assert (await place.world.locker.delete("/v1/erasure", headers=headers)).status_code == 204
    for method in ("DELETE", "GET"):
        nothing = await place.world.locker.request(method, "/v1/erasure", headers=headers)
        assert (nothing.status_code, nothing.json()["code"]) == (404, "no-erasure")
    read = await place.world.locker.get(f"/v1/documents/{document_id}", headers=place.world.citizen(uid))
    assert read.status_code == 200
    told = [(each["action"], each["actor_kind"]) for each in await history(place, uid)]
    # An app's doing is not the citizen's own.
    assert told[:3] == [("document.viewed", "client"), ("erasure.withdrawn", "client"), ("erasure.asked", "client")]


async def test_an_old_sign_in_is_not_enough_rfc9470(place: CitizenWorld) -> None:
    uid = await newcomer(place, "2000000016")
    for age in (301, None, -3600):
        refused = await place.world.locker.post("/v1/erasure", headers=token(place, uid, age=age))
        assert refused.status_code == 401
        assert 'error="insufficient_user_authentication", max_age="300"' in refused.headers["www-authenticate"]
    narrow = place.world.citizen(uid, scope="documents:read documents:share")
    assert (await place.world.locker.post("/v1/erasure", headers=narrow)).status_code == 403


async def test_at_the_page_a_citizen_signs_in_again_confirms_and_may_undo(place: CitizenWorld) -> None:
    uid = await newcomer(place, "2000000017")
    place.provider.changes["auth_time"] = 1_000_000_000
    browser = await place.signed_in(uid)
    page = await browser.get("/wallet/erasure")
    assert "again=true" in page.text
    assert 'id="erase"' not in page.text
    csrf = re.search(r'name="csrf" value="([^"]+)"', page.text)
    assert csrf
    sent = await browser.post("/wallet/erasure", {"csrf": csrf[1], "sure": "on"})
    assert sent.status_code == 303
    assert sent.headers["location"].startswith("/sign-in?return_to=%2Fwallet%2Ferasure&again=true")
    # A provider that did not ask again changes nothing.
    await browser.sign_in(uid, at=sent.headers["location"])
    assert 'id="erase"' not in (await browser.get("/wallet/erasure")).text
    del place.provider.changes["auth_time"]
    started = await browser.get(sent.headers["location"])
    assert "max_age=0" in started.headers["location"]
    finished = await browser.sign_in(uid, at=sent.headers["location"])
    assert finished.headers["location"] == "/wallet/erasure"
    page = await browser.get("/wallet/erasure")
    assert (await browser.submit(page)).status_code == 422
    assert (await browser.submit(page, sure="on")).status_code == 303
    waiting = await browser.get("/wallet/erasure")
    assert 'id="undo"' in waiting.text
    assert (await browser.submit(waiting)).status_code == 303
    assert 'id="erase"' in (await browser.get("/wallet/erasure")).text


async def test_a_hold_keeps_what_is_held_and_nothing_else_and_says_so(place: CitizenWorld) -> None:
    world, uid = place.world, await newcomer(place, "2000000018")
    wiring, kept = world.wiring, await place.document(uid)
    others = [await place.document(uid, fields={"family_name": CANARIES[0]}), await place.document(uid, replaces=kept)]
    _, link = await place.share(kept, others[0], uid=uid, recipient=CANARIES[1], purpose=CANARIES[2])
    await place.share(others[0], uid=uid, purpose=CANARIES[3])
    objects = await world.objects()
    hold = {"document_id": kept, "reference": "TPI 12/2026"}
    await place_hold(wiring.db, wiring.audit, wiring.vault, officer="clerk", **hold)
    made = await world.locker.post("/v1/erasure", headers=token(place, uid))
    assert (made.status_code, made.json()["held"], made.json()["erased_at"]) == (202, [hold], None)
    owner = await asked(place, uid)
    browser = await place.signed_in(uid)
    assert 'id="undo"' in (await browser.get("/wallet/erasure")).text

    done = await due(place)
    assert (done.begun, done.held) == (0, 1)
    assert (await due(place)).held == 0, "not before tomorrow"
    # What is held reads as before, and its history too; of all else nothing is left.
    read = await world.locker.get(f"/v1/documents/{kept}/original", headers=world.citizen(uid))
    assert read.status_code == 200
    shown = (await world.locker.get(f"/v1/documents/{kept}", headers=world.citizen(uid))).json()
    assert (shown["replaced_by"], shown["standing"]) == (None, "superseded")
    for document_id in others:
        gone = await world.locker.get(f"/v1/documents/{document_id}", headers=world.citizen(uid))
        assert gone.status_code == 404
    left = await everything(place)
    assert not seen(left) & {CANARIES[0], CANARIES[1], CANARIES[3]}
    held = ("archived", "audit_default", "citizen_key", "document", "document_uri", "erasure", "holding", "legal_hold")
    assert tables_with(left, owner) <= {f"locker.{name}" for name in (*held, "log_entry")}
    assert len(objects - await world.objects()) == 2
    assert (await place.open(link)).status_code == 404
    holding = await world.rows("SELECT documents FROM locker.holding WHERE owner = $1", owner)
    assert holding == [{"documents": 1}]
    assert {each["object_id"] for each in await history(place, uid) if each["action"] == "document.deposited"} == {kept}
    # Nothing is put in any more, and nothing can be undone.
    assert (await world.deposit(uid=uid)).status_code == 410
    assert (await world.locker.delete("/v1/erasure", headers=token(place, uid))).status_code == 404
    said = (await world.locker.get("/v1/erasure", headers=token(place, uid))).json()
    assert (said["held"], bool(said["erased_at"])) == ([hold], True)
    assert (await browser.get("/wallet")).headers["location"].startswith("/sign-in"), "signed out with all else"
    page = await (await place.signed_in(uid)).get("/wallet/erasure")
    assert "TPI 12/2026" in page.text
    assert 'id="undo"' not in page.text
    assert 'id="erase"' not in page.text
    # When the hold ends the rest goes with the next round.
    await release_hold(wiring.db, wiring.audit, officer="clerk", **hold)
    assert (await due(place)).finished == 1
    assert tables_with(await everything(place), owner) == {"locker.citizen_key"}
    settings = wiring.settings
    log_key = LogKey.load_or_create(settings.keys_folder, settings.locker_url)
    async with opened_sequencer(wiring.db, wiring.vault, settings) as sequencer:
        await sequence(sequencer)
    whole = await verify_log(wiring.db, wiring.log_objects, verifier_keys=log_key.verifier_keys)
    assert whole.findings == []


@pytest.mark.parametrize("dies_at", ["forget_unheld", "_remove_objects"])
async def test_p_01_a_worker_that_dies_while_it_keeps_what_is_held_is_followed(
    place: CitizenWorld, monkeypatch: pytest.MonkeyPatch, dies_at: str
) -> None:
    world, uid = place.world, await newcomer(place, f"20000000{50 + len(dies_at)}")
    wiring, kept = world.wiring, await place.document(uid)
    await place.document(uid)
    hold = {"document_id": kept, "reference": "R"}
    await place_hold(wiring.db, wiring.audit, wiring.vault, officer="clerk", **hold)
    objects, owner = await world.objects(), await asked(place, uid)
    with monkeypatch.context() as patch:
        patch.setattr(erase_module, dies_at, away)
        with pytest.raises(SystemError):
            await due(place)
    await world.owner_db.execute("UPDATE locker.erasure SET next_attempt_at = now() WHERE owner = $1", owner)
    assert (await due(place)).held == 1
    assert len(objects - await world.objects()) == 1
    assert {each["object_id"] for each in await history(place, uid)} <= {kept}
    await release_hold(wiring.db, wiring.audit, officer="clerk", **hold)
    assert (await due(place)).finished == 1


async def test_the_app_erases_nothing_of_one_whose_erasure_is_not_due(place: CitizenWorld) -> None:
    uid = await newcomer(place, "2000000019")
    await place.document(uid)
    owner = await asked(place, uid, wait_s=3_600)
    for function in ("erase_unheld_of($1)", "forget_unheld_log_of($1, 10)"):
        with pytest.raises(Exception, match="needs an owner"):
            await place.world.wiring.db.fetchval(f"SELECT locker.{function}", owner)


async def test_of_a_hold_and_an_erasure_at_the_same_moment_one_wins(place: CitizenWorld) -> None:
    wiring = place.world.wiring
    for number in range(4):
        uid = await newcomer(place, f"200000002{number}")
        document_id, owner = await place.document(uid), await asked(place, uid)
        placing = place_hold(
            wiring.db, wiring.audit, wiring.vault, document_id=document_id, reference="R", officer="clerk"
        )
        placed, round_ = await asyncio.gather(placing, due(place), return_exceptions=True)
        assert isinstance(round_, Erased)
        alive = await place.world.rows(
            "SELECT 1 FROM locker.citizen_key WHERE owner = $1 AND wrapped_key IS NOT NULL", owner
        )
        assert bool(alive) == (placed is None), "held and kept, or refused and erased"


async def test_the_app_erases_no_one_whose_key_stands(place: CitizenWorld) -> None:
    owner = place.world.subs[YOUSSEF]
    await place.document(YOUSSEF)
    with pytest.raises(Exception, match="needs an owner whose key is destroyed"):
        await place.world.wiring.db.fetchval("SELECT locker.erase_rows_of($1)", owner)
    for table in ("document", "share", "citizen_key", "audit"):
        with pytest.raises(Exception, match="permission denied"):
            await place.world.wiring.db.execute(f"DELETE FROM locker.{table}")


async def test_a_restored_backup_is_erased_again(place: CitizenWorld) -> None:
    world, uid = place.world, await newcomer(place, "2000000030")
    wiring, owner = world.wiring, world.subs[uid]
    await place.document(uid)
    backup = await world.rows("SELECT epoch, wrapped_key FROM locker.citizen_key WHERE owner = $1", owner)
    await erased(place, uid)
    # The database as it was before; the object store as it is now.
    await world.owner_db.execute(
        "UPDATE locker.citizen_key SET wrapped_key = $2, destroyed_at = NULL WHERE owner = $1",
        owner, backup[0]["wrapped_key"],
    )  # fmt: skip
    assert await erase_again(wiring.db, wiring.audit, wiring.vault, officer="test") == 1
    assert (await due(place)).finished == 1
    assert await erase_again(wiring.db, wiring.audit, wiring.vault, officer="test") == 0
    key = await world.rows("SELECT wrapped_key FROM locker.citizen_key WHERE owner = $1", owner)
    assert key == [{"wrapped_key": None}]


async def test_an_administration_is_no_citizen(place: CitizenWorld) -> None:
    wiring = place.world.wiring
    for owner in ("ma.gov.interieur", "seals:ma.gov.interieur"):
        with pytest.raises(Exception, match="administration"):
            await ask(wiring.db, wiring.audit, owner=owner, by="officer", actor="x", wait_s=0)


async def test_nobody_looks_through_all_again_before_the_last_node_forgot() -> None:
    from locker.erasing.erase import LEASE_S, SETTLED_S

    assert min(LEASE_S, SETTLED_S) > REMEMBERED_S


def token(place: CitizenWorld, uid: str, *, age: int | None = 0) -> dict[str, str]:
    import time

    claims = {} if age is None else {"auth_time": int(time.time()) - age}
    made = place.provider.token(
        sub=place.world.subs[uid], client_id="wallet", scope="documents:erase", acr="substantial", **claims
    )
    return {"Authorization": f"Bearer {made}"}


async def history(place: CitizenWorld, uid: str) -> list[dict[str, Any]]:
    answer: httpx.Response = await place.world.locker.get("/v1/history", headers=place.world.citizen(uid))
    events: list[dict[str, Any]] = answer.json()["events"]
    return events
