"""A citizen takes everything along: the ZIP says what the database and the API say, and anybody can check it."""

import asyncio
import hashlib
import io
import json
import os
import pickle
import signal
import subprocess
import sys
import time
import tracemalloc
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import msgspec
import pytest
import pytest_asyncio
from examples.verify_proof import verify as verify_proof
from jose import jws as other_library

from khizana.embedded.postgres import PORT, EmbeddedPostgres
from khizana.embedded.s3 import EmbeddedS3
from khizana.rounds import export_desk, opened_sequencer
from kit.db import Database
from kit.errors import Unavailable
from kit.ids import new_public_id
from locker.exporting import store
from locker.exporting.make import ATTEMPTS_MAX, LAPSES_MAX, ExportDesk, end_expired, make_due
from locker.log.sequence import sequence
from locker.sweeping.reconcile import reconcile
from locker.sweeping.sweep import sweep
from locker.vault import BlobDamaged, BlobStoreUnavailable, new_object_key
from tests.citizen_browser import CitizenWorld, open_citizen_world
from tests.conftest import ROOT
from tests.fault_proxy import before_socket
from tests.locker_world import AMINA, YOUSSEF
from tests.unit.locker.deposits.signed_parts import signed, stamped_by

PART_MAX = 20_000
MAKER = """
import asyncio, pathlib, pickle, sys
import msgspec
from khizana.databases import connected, opened_vault
from khizana.rounds import export_desk
from locker.exporting.make import make_due
from locker.signing.ring import SigningKeys

async def main():
    settings = pickle.loads(pathlib.Path(sys.argv[1]).read_bytes())
    async with connected(settings.database_url) as db, opened_vault(db, settings) as vault:
        keys = SigningKeys(settings.keys_folder)
        await keys.start()
        desk = export_desk(db, vault, keys, settings)
        await make_due(msgspec.structs.replace(desk, part_max_bytes=int(sys.argv[2])))

asyncio.run(main())
"""

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(dsns: Any, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[CitizenWorld]:
    # A store of its own, whose objects are counted.
    s3 = EmbeddedS3.start(tmp_path_factory.mktemp("s3"))
    try:
        async with open_citizen_world(dsns, s3, tmp_path_factory.mktemp("locker")) as opened:
            yield opened
    finally:
        s3.stop()


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def clean(place: CitizenWorld) -> None:
    """Each test begins a day of its own, with citizens whom nobody knew before: nothing of another test is theirs."""
    place.provider.subjects.clear()
    for uid in (AMINA, YOUSSEF):
        place.world.subs[uid] = place.provider.enrol(uid)
    await place.world.owner_db.execute("DELETE FROM locker.throttle")
    await place.world.owner_db.execute("DELETE FROM locker.export_part")
    await place.world.owner_db.execute("DELETE FROM locker.export")


def fresh(place: CitizenWorld, uid: str = AMINA, *, age: int | None = 0) -> dict[str, str]:
    claims = {} if age is None else {"auth_time": int(time.time()) - age}
    scope = "documents:export documents:upload"
    made = place.provider.token(sub=place.world.subs[uid], client_id="wallet", scope=scope, **claims)
    return {"Authorization": f"Bearer {made}"}


async def ask(place: CitizenWorld, uid: str = AMINA) -> httpx.Response:
    return await place.world.locker.post("/v1/export", headers=fresh(place, uid))


async def filled(place: CitizenWorld, documents: int) -> None:
    """Documents of Amina's; each makes about one more part."""
    for number in range(documents):
        await place.document(pdf=place.world.sealed(text=f"Acte {number}"))


def desk(place: CitizenWorld) -> ExportDesk:
    """So small that an export has many parts."""
    wiring = place.world.wiring
    whole = export_desk(wiring.db, wiring.vault, wiring.signing, wiring.settings)
    return msgspec.structs.replace(whole, part_max_bytes=PART_MAX)


async def make(place: CitizenWorld) -> int:
    return await make_due(desk(place))


async def taken(place: CitizenWorld, uid: str = AMINA) -> zipfile.ZipFile:
    answer = await place.world.locker.get("/v1/export/file", headers=fresh(place, uid))
    assert answer.status_code == 200, answer.text
    return zipfile.ZipFile(io.BytesIO(answer.content))


async def remove(place: CitizenWorld, uid: str = AMINA) -> int:
    return (await place.world.locker.delete("/v1/export", headers=fresh(place, uid))).status_code


def lines(archive: zipfile.ZipFile, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in archive.read(name).splitlines()]


async def test_p_03_the_zip_is_the_database_s_truth(place: CitizenWorld, tmp_path: Path) -> None:
    world = place.world
    left = set((await reconcile(world.wiring.db, world.wiring.audit, world.wiring.vault, grace_s=0)).unknown)
    pdfs = {await place.document(pdf=pdf): pdf for pdf in (world.sealed(text="Un"), world.sealed(text="Deux"))}
    with stamped_by(world):
        parts = signed(world, "jades")
        with_data = await place.document(pdf=(pdf := world.sealed(text="Trois")), **parts)
    pdfs[with_data] = pdf
    neighbour = await place.document(YOUSSEF)
    share_id, path = await place.share(next(iter(pdfs)), recipient="Banque é", purpose="Prêt")
    opened = (await place.open(path)).json()
    photo = b"%PDF-1.4\n" + world.sealed()[9:]
    uploaded = await world.locker.post(
        "/v1/uploads",
        headers={**fresh(place), "Idempotency-Key": '"u1"'},
        files={"file": ("facture.pdf", photo, "application/octet-stream")},
    )
    assert uploaded.status_code == 201, uploaded.text
    async with opened_sequencer(world.wiring.db, world.wiring.vault, world.wiring.settings) as sequencer:
        await sequence(sequencer)
    assert (await ask(place)).status_code == 202
    assert (await world.locker.get("/v1/export", headers=fresh(place))).json()["state"] == "waiting"
    assert (await world.locker.get("/v1/export/file", headers=fresh(place))).status_code == 404
    assert await make(place) == 1
    archive = await taken(place)
    assert archive.testzip() is None

    manifest = json.loads(archive.read("manifest.json"))
    listed = {each["name"]: each for each in manifest["files"]}
    assert set(archive.namelist()) == set(listed) | {"manifest.json", "manifest.jws", "keys.json"}
    for name, each in listed.items():
        content = archive.read(name)
        assert (hashlib.sha256(content).hexdigest(), len(content)) == (each["sha256"], each["length"]), name
    assert (manifest["documents"], manifest["uploads"], manifest["shares"]) == (3, 1, 1)
    assert neighbour not in " ".join(archive.namelist())

    # Documents as the API says them, bytes as they were deposited.
    rows = await world.rows("SELECT document_id FROM locker.document WHERE owner = $1", world.subs[AMINA])
    assert {row["document_id"] for row in rows} == set(pdfs)
    for document_id, pdf in pdfs.items():
        assert archive.read(f"documents/{document_id}/original.pdf") == pdf
        said = (await world.locker.get(f"/v1/documents/{document_id}", headers=world.citizen())).json()
        assert json.loads(archive.read(f"documents/{document_id}/document.json")) == said
        receipt = other_library.verify(
            archive.read(f"documents/{document_id}/receipt.jws").decode(), keys(archive), "ES256"
        )
        assert json.loads(receipt)["sha256"] == hashlib.sha256(pdf).hexdigest()
    assert archive.read(f"documents/{with_data}/data.json") == parts["data"]
    assert archive.read(f"documents/{with_data}/data.signature.jws") == parts["data_signature"]
    upload_id = uploaded.json()["upload_id"]
    assert archive.read(f"uploads/{upload_id}/file.pdf") == photo
    assert json.loads(archive.read(f"uploads/{upload_id}/upload.json"))["name"] == "facture"
    shares = lines(archive, "shares.jsonl")
    assert shares == [(await world.locker.get(f"/v1/shares/{share_id}", headers=place.share_headers())).json()]
    assert (shares[0]["recipient"], shares[0]["openings_used"]) == ("Banque é", 1)

    # And of each opening the twin of what the opener has.
    [opening] = lines(archive, "openings.jsonl")
    twin, own = (
        json.loads(other_library.verify(jws, keys(archive), "ES256")) for jws in (opening["receipt"], opened["receipt"])
    )
    assert (opening["share_id"], opening["opening_id"]) == (share_id, opened["opening_id"])
    assert {**twin, "for": "opener"} == own

    # Every row of the audit, and each proof of those that are in the log verifies without us.
    *events, end = lines(archive, "history.jsonl")
    logged = await world.rows(
        "SELECT audit_id::text, action FROM locker.audit WHERE owner = $1 ORDER BY at DESC, audit_id DESC",
        world.subs[AMINA],
    )
    later = ("export.made", "export.downloaded", "document.viewed")
    assert [line["event"]["audit_id"] for line in events] == [
        row["audit_id"] for row in logged if row["action"] not in later or row["audit_id"] in str(events)
    ]
    proven = [line for line in events if line["proof"]]
    assert len(proven) >= len(events) - 1, "all but the asking itself"
    key = (await world.locker.get("/log/key")).text.strip()
    for line in proven:
        assert verify_proof(key, line["proof"])["action"] == line["event"]["action"]
    claims = json.loads(other_library.verify(end["signature"], keys(archive), "ES256"))
    assert (claims["lines"], claims["whole"]) == (len(events), True)

    # The signature, with another library and with openssl and a shell.
    signed_claims = json.loads(other_library.verify(archive.read("manifest.jws").decode(), keys(archive), "ES256"))
    assert signed_claims["manifest_sha256"] == hashlib.sha256(archive.read("manifest.json")).hexdigest()
    assert (signed_claims["iss"], signed_claims["sub"]) == (world.wiring.settings.locker_url, world.subs[AMINA])
    (tmp_path / "keys.json").write_bytes((await world.locker.get("/.well-known/jwks.json")).content)
    whole = (await world.locker.get("/v1/export/file", headers=fresh(place))).content
    (tmp_path / "khizana.zip").write_bytes(whole)
    checked = shell(tmp_path, "khizana.zip")
    assert checked.returncode == 0, checked.stderr
    assert json.loads(checked.stdout.partition("\n")[2])["export_id"] == manifest["export_id"]
    forge(tmp_path, "khizana.zip", "forged.zip", changed=next(iter(listed)))
    assert shell(tmp_path, "forged.zip").returncode != 0

    seen = (await world.locker.get("/v1/history", headers=world.citizen())).json()["events"]
    actions = [event["action"] for event in seen if event["action"].startswith("export.")]
    assert actions == ["export.downloaded", "export.downloaded", "export.made", "export.asked"]
    # Sealed as everything is: the object says nothing.
    stored = await world.rows("SELECT object_key FROM locker.export_part ORDER BY number")
    blobs = [await world.wiring.vault.blobs.get(one["object_key"], start=0, length=30_000_000) for one in stored]
    assert b"PK\x03\x04" not in blobs[0].data[:100]
    assert not any(b"%PDF" in blob.data for blob in blobs)
    reconciled = await reconcile(world.wiring.db, world.wiring.audit, world.wiring.vault, grace_s=0)
    assert (reconciled.missing, set(reconciled.unknown) - left) == ([], set())
    assert await remove(place) == 204


def keys(archive: zipfile.ZipFile) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(archive.read("keys.json"))
    return found["keys"][0]


def shell(folder: Path, name: str) -> "subprocess.CompletedProcess[str]":
    command = ["sh", str(ROOT / "examples" / "verify_export.sh"), name, "keys.json"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def forge(folder: Path, name: str, into: str, *, changed: str) -> None:
    with zipfile.ZipFile(folder / name) as old, zipfile.ZipFile(folder / into, "w") as new:
        for each in old.namelist():
            new.writestr(each, old.read(each) + (b"x" if each == changed else b""))


async def test_p_03_what_an_app_asked_took_and_removed_stands_under_its_name(place: CitizenWorld) -> None:
    await ask(place)
    await make(place)
    await taken(place)
    assert await remove(place) == 204
    listed = await place.world.locker.get("/v1/history?of=others&limit=10", headers=place.world.citizen())
    told = [
        (event["action"], event["actor_kind"], event["actor"])
        for event in listed.json()["events"]
        if event["action"] in ("export.asked", "export.downloaded", "export.removed")
    ]
    assert told[:3] == [
        ("export.removed", "client", "wallet"),
        ("export.downloaded", "client", "wallet"),
        ("export.asked", "client", "wallet"),
    ]


async def test_it_is_one_at_a_time_and_bounded_a_day(place: CitizenWorld) -> None:
    for number in range(5):
        assert (await ask(place)).status_code == 202, number
        stands = await ask(place)
        assert (stands.status_code, stands.json()["code"]) == (409, "export-stands")
        assert await make(place) == 1
        assert (await ask(place)).status_code == 409
        assert await remove(place) == 204
        assert await remove(place) == 404
    assert (await ask(place)).status_code == 429


async def test_asking_and_taking_need_a_fresh_sign_in(place: CitizenWorld) -> None:
    assert (await ask(place)).status_code == 202
    assert await make(place) == 1
    for method, path in (("POST", "/v1/export"), ("GET", "/v1/export/file")):
        for age in (301, None):
            refused = await place.world.locker.request(method, path, headers=fresh(place, age=age))
            assert refused.status_code == 401
            assert "insufficient_user_authentication" in refused.headers["www-authenticate"]
    other = await place.world.locker.get("/v1/export/file", headers=fresh(place, YOUSSEF))
    assert (other.status_code, other.json()["code"]) == (404, "no-export")
    narrow = await place.world.locker.get("/v1/export/file", headers=place.world.citizen())
    assert narrow.status_code == 403
    part = await place.world.locker.get("/v1/export/file", headers={**fresh(place), "Range": "bytes=0-3"})
    assert (part.status_code, part.content) == (206, b"PK\x03\x04")
    assert await remove(place) == 204


async def test_at_the_page_it_is_asked_for_taken_and_destroyed(place: CitizenWorld) -> None:
    browser = await place.signed_in()
    page = await browser.get("/wallet/export")
    assert (await browser.submit(page)).status_code == 303
    assert 'id="make"' not in (await browser.get("/wallet/export")).text
    assert await make(place) == 1
    page = await browser.get("/wallet/export")
    assert 'id="download"' in page.text
    file = await browser.get("/wallet/export/file")
    assert zipfile.ZipFile(io.BytesIO(file.content)).testzip() is None
    assert file.headers["content-disposition"].startswith("attachment")
    await place.world.owner_db.execute("UPDATE locker.session SET auth_time = now() - interval '6 minutes'")
    stale = await browser.get("/wallet/export/file")
    assert stale.headers["location"] == "/sign-in?return_to=%2Fwallet%2Fexport&again=true"
    assert 'id="again"' in (await browser.get("/wallet/export")).text
    assert (await browser.submit(await browser.get("/wallet/export"))).status_code == 303
    assert (await place.world.locker.get("/v1/export", headers=fresh(place))).status_code == 404


async def test_after_its_day_it_is_destroyed(place: CitizenWorld) -> None:
    world = place.world
    await filled(place, 4)
    assert (await ask(place)).status_code == 202
    assert await make(place) == 1
    await world.owner_db.execute("UPDATE locker.export SET expires_at = now() - interval '1 second'")
    assert (await world.locker.get("/v1/export/file", headers=fresh(place))).status_code == 404
    # Also before the worker came by, there is room for another.
    keys = {part["object_key"] for part in await parts(place)}
    assert (await ask(place)).status_code == 202
    assert await parts(place) == []
    assert await make(place) == 1
    keys |= {part["object_key"] for part in await parts(place)}
    assert len(keys) > 6
    await world.owner_db.execute("UPDATE locker.export SET expires_at = now() - interval '1 second'")
    assert await end_expired(desk(place)) == 1
    assert await world.rows("SELECT 1 FROM locker.export UNION ALL SELECT 1 FROM locker.export_part") == []
    assert keys <= await intended(place)


async def parts(place: CitizenWorld) -> list[dict[str, Any]]:
    return await place.world.rows("SELECT * FROM locker.export_part ORDER BY number")


async def intended(place: CitizenWorld) -> set[str]:
    return {row["object_key"] for row in await place.world.rows("SELECT object_key FROM locker.deposit_intent")}


async def download(place: CitizenWorld, span: str | None = None) -> httpx.Response:
    return await place.world.locker.get(
        "/v1/export/file", headers={**fresh(place), **({"Range": span} if span else {})}
    )


async def test_a_large_export_is_several_objects_that_are_taken_as_one(place: CitizenWorld) -> None:
    await filled(place, 6)
    assert (await ask(place)).status_code == 202
    assert await make(place) == 1
    made = await parts(place)
    assert len(made) > 4
    for part in made:
        length = await place.world.wiring.vault.blobs.length(part["object_key"])
        assert length is not None
        assert length < PART_MAX + 8_000, "its index behind it"
        assert part["zip_length"] <= PART_MAX
    whole = await download(place)
    said = (await place.world.locker.get("/v1/export", headers=fresh(place))).json()
    assert int(whole.headers["content-length"]) == len(whole.content) == said["length"]
    assert hashlib.sha256(whole.content).hexdigest() == said["sha256"]
    assert whole.headers["etag"] == f'"{said["sha256"]}"'
    # A range that begins in one part and ends in another, or is a part, or the last byte.
    place_of_second, third = made[0]["zip_length"], made[0]["zip_length"] + made[1]["zip_length"]
    last = len(whole.content) - 1
    for start, stop in (
        (place_of_second - 3, place_of_second + 3), (place_of_second, third - 1), (5, third + 100), (last, last),
        (0, last),
    ):  # fmt: skip
        part = await download(place, f"bytes={start}-{stop}")
        assert part.status_code == 206
        assert part.headers["content-range"] == f"bytes {start}-{stop}/{len(whole.content)}"
        assert part.content == whole.content[start : stop + 1]
    assert await remove(place) == 204
    assert {part["object_key"] for part in made} <= await intended(place)


async def made_as_one(place: CitizenWorld) -> tuple[bytes, str]:
    """An export as it was made before migration 0145: one object, named in the row of the export itself. Its ZIP and
    the object's key."""
    world, owner = place.world, place.world.subs[AMINA]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("manifest.json", "{}")
        # More than one segment of the sealed file.
        archive.writestr("documents/1/original.pdf", os.urandom(200_000))
    whole, export_id, object_key = buffer.getvalue(), new_public_id(), new_object_key()

    async def frames() -> AsyncIterator[bytes]:
        yield whole

    stored = await world.wiring.vault.put(
        owner=owner, document_id=f"export-{export_id}", version=1, object_key=object_key, frames=frames(),
        length=len(whole),
    )  # fmt: skip
    await world.owner_db.execute(
        """INSERT INTO locker.export (owner, export_id, state, object_key, wrapped_key, epoch, sha256, length,
                  ciphertext_sha256, format, expires_at)
           VALUES ($1, $2, 'ready', $3, $4, $5, $6, $7, $8, $9, now() + interval '1 day')""",
        owner, export_id, object_key, stored.wrapped_key, stored.epoch, stored.plaintext_sha256, stored.length,
        stored.ciphertext_sha256, stored.format,
    )  # fmt: skip
    return whole, object_key


async def test_an_export_that_was_made_as_one_object_is_still_taken_whole_and_by_ranges(place: CitizenWorld) -> None:
    whole, object_key = await made_as_one(place)
    said = (await place.world.locker.get("/v1/export", headers=fresh(place))).json()
    assert (said["state"], said["length"], said["sha256"]) == ("ready", len(whole), hashlib.sha256(whole).hexdigest())
    answer = await download(place)
    assert (answer.status_code, answer.content) == (200, whole)
    assert answer.headers["etag"] == f'"{said["sha256"]}"'
    assert (await taken(place)).testzip() is None
    last = len(whole) - 1
    for span, start, stop in (
        ("0-0", 0, 0), ("65000-140000", 65_000, 140_000), ("150000-", 150_000, last), ("-7", last - 6, last),
        (f"{last}-{last}", last, last),
    ):  # fmt: skip
        part = await download(place, f"bytes={span}")
        assert (part.status_code, part.content) == (206, whole[start : stop + 1]), span
        assert part.headers["content-range"] == f"bytes {start}-{stop}/{len(whole)}"
    assert (await download(place, f"bytes={len(whole)}-")).status_code == 416
    # Nobody takes the object for one that nothing promises, and it goes with its row.
    vault = place.world.wiring.vault
    reconciled = await reconcile(place.world.wiring.db, place.world.wiring.audit, vault, grace_s=0)
    assert object_key not in {*reconciled.missing, *reconciled.unknown}
    assert await remove(place) == 204
    assert object_key in await intended(place)


async def test_an_export_that_was_made_as_one_object_ends_after_its_day(place: CitizenWorld) -> None:
    _whole, object_key = await made_as_one(place)
    await place.world.owner_db.execute("UPDATE locker.export SET expires_at = now() - interval '1 second'")
    assert (await download(place)).status_code == 404
    assert await end_expired(desk(place)) == 1
    assert await place.world.rows("SELECT 1 FROM locker.export") == []
    assert object_key in await intended(place)


FORGED = {
    "swapped": [
        "UPDATE locker.export_part SET number = 1001 WHERE number = 1",
        "UPDATE locker.export_part SET number = 1 WHERE number = 2",
        "UPDATE locker.export_part SET number = 2 WHERE number = 1001",
    ],
    "the last dropped": [
        """UPDATE locker.export e SET parts = parts - 1, length = e.length - p.zip_length
             FROM locker.export_part p WHERE p.number = e.parts - 1""",
        "DELETE FROM locker.export_part p WHERE number = (SELECT max(number) FROM locker.export_part)",
    ],
    "one in the middle dropped": [
        """UPDATE locker.export e SET parts = parts - 1, length = e.length - p.zip_length
             FROM locker.export_part p WHERE p.number = 2""",
        "DELETE FROM locker.export_part WHERE number = 2",
    ],
    "a row away": ["DELETE FROM locker.export_part WHERE number = 2"],
    "one twice": [
        """UPDATE locker.export_part p SET (object_key, wrapped_key, sha256, length, zip_length, ciphertext_sha256) =
                  (q.object_key, q.wrapped_key, q.sha256, q.length, p.zip_length, q.ciphertext_sha256)
             FROM locker.export_part q WHERE p.number = 2 AND q.number = 1"""
    ],
}


@pytest.mark.parametrize("how", FORGED)
async def test_v_15_parts_that_were_swapped_dropped_or_doubled_do_not_open(place: CitizenWorld, how: str) -> None:
    await filled(place, 5)
    assert (await ask(place)).status_code == 202
    assert await make(place) == 1
    assert len(await parts(place)) > 3
    whole = (await download(place)).content
    for statement in FORGED[how]:
        await place.world.owner_db.execute(statement)
    given = b""
    try:
        async with place.world.locker.stream("GET", "/v1/export/file", headers=fresh(place)) as answer:
            if answer.status_code == 200:
                async for frame in answer.aiter_bytes():
                    given += frame
                assert len(given) < int(answer.headers["content-length"])
    except (httpx.HTTPError, BlobDamaged):
        pass
    assert len(given) < len(whole)
    assert whole.startswith(given), "what left was verified"


async def test_f_03_a_maker_is_killed_again_and_again_and_its_parts_are_gone_on_from(
    place: CitizenWorld, tmp_path: Path
) -> None:
    world = place.world
    await filled(place, 26)
    (tmp_path / "maker.py").write_text(MAKER)
    (tmp_path / "settings").write_bytes(pickle.dumps(world.wiring.settings))
    # The bucket has objects of other databases too.
    before = set((await reconcile(world.wiring.db, world.wiring.audit, world.wiring.vault, grace_s=0)).unknown)
    assert (await ask(place)).status_code == 202
    left: list[dict[str, Any]] = []
    for kill in range(3):
        maker = subprocess.Popen(
            [sys.executable, str(tmp_path / "maker.py"), str(tmp_path / "settings"), str(PART_MAX)],
            env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
            start_new_session=True,
        )
        try:
            async with asyncio.timeout(60):
                while len(made := await parts(place)) < len(left) + 6:
                    assert maker.poll() is None, "it ended before it was killed"
                    await asyncio.sleep(0.005)
        finally:
            os.killpg(maker.pid, signal.SIGKILL)
            maker.wait()
        made = await parts(place)
        # What it was in the middle of, of three parts at the most, is made again.
        behind = max(0, len(left) - 4)
        assert made[:behind] == left[:behind], (kill, "made again from the beginning")
        left = made
        state = (await world.locker.get("/v1/export", headers=fresh(place))).json()["state"]
        assert state == "waiting"
        assert await make(place) == 0, "its lease is not over"
        await world.owner_db.execute("UPDATE locker.export SET next_attempt_at = now()")
    assert await make(place) == 1
    made = await parts(place)
    assert made[: len(left) - 4] == left[: len(left) - 4]
    whole = (await download(place)).content
    said = (await world.locker.get("/v1/export", headers=fresh(place))).json()
    assert hashlib.sha256(whole).hexdigest() == said["sha256"]
    archive = zipfile.ZipFile(io.BytesIO(whole))
    assert archive.testzip() is None
    manifest = json.loads(archive.read("manifest.json"))
    assert len(set(archive.namelist())) == len(archive.namelist()) == len(manifest["files"]) + 3
    for each in manifest["files"]:
        assert hashlib.sha256(archive.read(each["name"])).hexdigest() == each["sha256"], each["name"]
    # Beyond the grace nothing is left but what the rows know.
    settings = world.wiring.settings
    await sweep(
        world.wiring.db, world.wiring.audit, world.wiring.throttle, world.wiring.vault, grace_s=0,
        outbox_lifetime_s=settings.outbox_lifetime_s, refused_lifetime_s=settings.quarantine_refused_lifetime_s,
    )  # fmt: skip
    reconciled = await reconcile(world.wiring.db, world.wiring.audit, world.wiring.vault, grace_s=0)
    assert (reconciled.missing, set(reconciled.unknown) - before) == ([], set())
    assert {part["object_key"] for part in made} <= await world.objects()
    assert await remove(place) == 204


async def test_an_export_whose_part_is_lost_is_made_from_the_beginning(place: CitizenWorld) -> None:
    await filled(place, 7)
    assert (await ask(place)).status_code == 202
    await dying(place, after=4)
    before = await parts(place)
    await place.world.wiring.vault.delete(before[0]["object_key"])
    assert await make(place) == 1
    assert {part["object_key"] for part in before} <= await intended(place)
    assert (await taken(place)).testzip() is None
    assert await remove(place) == 204


async def test_what_is_removed_while_it_is_made_leaves_no_part(place: CitizenWorld) -> None:
    await filled(place, 6)
    assert (await ask(place)).status_code == 202
    await dying(place, after=3)
    made = {part["object_key"] for part in await parts(place)}
    assert len(made) == 3
    assert await remove(place) == 204
    assert await parts(place) == []
    assert made <= await intended(place)


async def dying(place: CitizenWorld, *, after: int) -> None:
    """A worker that dies when it put ``after`` parts and one more that it did not record."""
    put, many = place.world.wiring.vault.put, 0

    async def dies(**members: Any) -> Any:
        nonlocal many
        stored = await put(**members)
        many += 1
        if many > after:
            raise SystemError("killed")
        return stored

    place.world.wiring.vault.put = dies  # type: ignore[method-assign]
    try:
        with pytest.raises(SystemError):
            await make(place)
    finally:
        place.world.wiring.vault.put = put  # type: ignore[method-assign]
    await place.world.owner_db.execute("UPDATE locker.export SET next_attempt_at = now()")


async def test_f_03_a_worker_killed_in_the_middle_is_followed_by_the_next(place: CitizenWorld) -> None:
    world = place.world
    assert (await ask(place)).status_code == 202
    put = world.wiring.vault.put
    before = await world.rows("SELECT count(*) AS n FROM locker.deposit_intent")

    async def dies(**parts: Any) -> Any:
        await put(**parts)
        raise SystemError("killed")

    world.wiring.vault.put = dies  # type: ignore[method-assign]
    try:
        with pytest.raises(SystemError):
            await make(place)
    finally:
        world.wiring.vault.put = put  # type: ignore[method-assign]
    assert await make(place) == 0, "its lease is not over"
    await world.owner_db.execute("UPDATE locker.export SET next_attempt_at = now()")
    assert await make(place) == 1
    assert (await taken(place)).testzip() is None
    after = await world.rows("SELECT count(*) AS n FROM locker.deposit_intent")
    assert after[0]["n"] == before[0]["n"] + 1, "the object of the dead one is the sweeper's"
    assert await remove(place) == 204


async def test_f_03_an_export_that_kills_whoever_makes_it_fails_and_is_told(place: CitizenWorld) -> None:
    world = place.world
    await filled(place, 5)
    assert (await ask(place)).status_code == 202
    await dying(place, after=2)
    assert len(await parts(place)) == 2
    await world.owner_db.execute(
        "UPDATE locker.export SET attempts = $1, next_attempt_at = now()", ATTEMPTS_MAX + LAPSES_MAX
    )
    assert await make(place) == 0
    assert (await world.locker.get("/v1/export", headers=fresh(place))).json()["state"] == "failed"
    assert await parts(place) == [], "they wait for nobody"
    assert (await ask(place)).status_code == 202, "asked for again"
    assert await make(place) == 1
    assert await remove(place) == 204


async def test_the_object_store_away_on_the_last_attempt_is_no_attempt(place: CitizenWorld) -> None:
    world, put = place.world, place.world.wiring.vault.put
    assert (await ask(place)).status_code == 202
    await world.owner_db.execute("UPDATE locker.export SET attempts = $1", ATTEMPTS_MAX - 1)

    async def away(**_: Any) -> Any:
        raise BlobStoreUnavailable("put")

    world.wiring.vault.put = away  # type: ignore[method-assign]
    try:
        assert await make(place) == 0
        assert await make(place) == 0, "not at once again"
    finally:
        world.wiring.vault.put = put  # type: ignore[method-assign]
    [row] = await world.rows("SELECT state, attempts FROM locker.export")
    assert (row["state"], row["attempts"]) == ("waiting", ATTEMPTS_MAX - 1)
    await world.owner_db.execute("UPDATE locker.export SET next_attempt_at = now()")
    assert await make(place) == 1
    assert await remove(place) == 204


async def test_the_database_away_in_an_attempt_is_waited_for(
    place: CitizenWorld, postgres: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Behind the last attempt too, and the worker asks for nothing else meanwhile: there is nobody to ask."""
    world, put = place.world, place.world.wiring.vault.put
    proxy = before_socket(f"{postgres.address.socket_folder}/.s.PGSQL.{PORT}")
    asked_again = asyncio.Event()
    give_back = store.give_back

    async def seen(*args: Any, **members: Any) -> None:
        try:
            await give_back(*args, **members)
        except Unavailable:
            asked_again.set()
            raise

    async def cut(**_: Any) -> Any:
        proxy.turn("refused")
        return await put(**_)

    assert (await ask(place)).status_code == 202
    await world.owner_db.execute("UPDATE locker.export SET attempts = $1", ATTEMPTS_MAX - 1)
    dsn = urlsplit(world.wiring.settings.database_url)
    behind = await Database.connect(
        f"postgresql://{dsn.username}:{dsn.password}@127.0.0.1:{proxy.port}{dsn.path}?sslmode=disable"
    )
    monkeypatch.setattr(store, "give_back", seen)
    monkeypatch.setattr(world.wiring.vault, "put", cut)
    try:
        making = asyncio.create_task(make_due(msgspec.structs.replace(desk(place), db=behind)))
        await asyncio.wait_for(asked_again.wait(), 20)
        proxy.turn("none")
        assert await making == 0
    finally:
        await behind.close()
        proxy.close()
    [row] = await world.rows("SELECT state, attempts FROM locker.export")
    assert (row["state"], row["attempts"]) == ("waiting", ATTEMPTS_MAX - 1)
    assert await remove(place) == 204


async def test_a_document_that_cannot_be_read_makes_no_export(place: CitizenWorld) -> None:
    world = place.world
    document_id = await place.document()
    await world.owner_db.execute(
        "UPDATE locker.document SET sha256 = sha256, length = length + 1 WHERE document_id = $1", document_id
    )
    assert (await ask(place)).status_code == 202
    assert await make(place) == 0
    state = await world.locker.get("/v1/export", headers=fresh(place))
    assert state.json()["state"] == "waiting"
    await world.owner_db.execute("UPDATE locker.export SET attempts = 6, next_attempt_at = now()")
    assert await make(place) == 0
    assert (await world.locker.get("/v1/export", headers=fresh(place))).json()["state"] == "failed"
    await world.owner_db.execute("UPDATE locker.document SET length = length - 1 WHERE document_id = $1", document_id)
    assert (await ask(place)).status_code == 202
    assert await make(place) == 1
    assert await remove(place) == 204


async def test_a_large_export_is_never_in_memory_whole(place: CitizenWorld) -> None:
    world, owner, upload_id = place.world, place.world.subs[YOUSSEF], "7" * 25
    length, piece = 48_000_000, bytes(range(256)) * 250

    async def large() -> AsyncIterator[bytes]:
        for _ in range(length // len(piece)):
            yield piece

    stored = await world.wiring.vault.put(
        owner=owner, document_id=upload_id, version=1, object_key=new_object_key(), frames=large(), length=length
    )
    name = await world.wiring.vault.seal_part(
        stored, owner=owner, document_id=upload_id, version=1, part="name", plaintext=b"large"
    )
    await world.owner_db.execute(
        """INSERT INTO locker.upload (owner, upload_id, uploaded_by, media_type, pages, request_sha256, object_key,
                  wrapped_key, epoch, name_sealed, sha256, length, ciphertext_sha256, format, scan)
           VALUES ($1, $2, $1, 'application/pdf', 1, $3, $4, $5, $6, $7, $3, $8, $9, $10, 'none')""",
        owner, upload_id, stored.plaintext_sha256, stored.object_key, stored.wrapped_key, stored.epoch, name, length,
        stored.ciphertext_sha256, stored.format,
    )  # fmt: skip
    assert (await ask(place, YOUSSEF)).status_code == 202
    tracemalloc.start()
    began = time.perf_counter()
    try:
        wiring = world.wiring
        whole = export_desk(wiring.db, wiring.vault, wiring.signing, wiring.settings)
        assert await make_due(msgspec.structs.replace(whole, part_max_bytes=10_000_000)) == 1
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 16_000_000, (peak, time.perf_counter() - began)
    rows = await world.rows("SELECT length FROM locker.export WHERE owner = $1", owner)
    assert rows[0]["length"] > length
    assert len(await parts(place)) == 5
    await world.owner_db.execute("DELETE FROM locker.upload WHERE upload_id = $1", upload_id)
