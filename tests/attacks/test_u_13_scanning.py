"""Attack group U at the scanner: what is harmful is served to nobody, and neither is what no scanner has looked at."""

import secrets
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from khizana.rounds import quarantine_desk, scan_desk, sweep_locker
from kit.ids import new_id
from locker.deposits.judge_again import JudgedAgain, judge_again
from locker.exporting import store as exporting
from locker.scanning.scanner import Scanner
from locker.uploads import store
from locker.uploads.scan_again import ScannedAgain, scan_again
from tests.citizen_browser import CitizenWorld, open_citizen_world
from tests.clamd import EICAR, Clamd, FaultyScanner, running_clamd
from tests.locker_world import AMINA, plain_pdf
from tests.own_files import jpeg

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def clamd() -> Iterator[Clamd]:
    with tempfile.TemporaryDirectory(prefix="clamd-") as folder, running_clamd(Path(folder)) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(
    clamd: Clamd, dsns: Any, s3: Any, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[CitizenWorld]:
    async with open_citizen_world(
        dsns,
        s3,
        tmp_path_factory.mktemp("locker"),
        clamav=clamd.address,
        quarantine_first_wait_s=0,
        quarantine_wait_max_s=0,
        deposit_intent_grace_s=0,
    ) as opened:
        yield opened


@pytest.fixture
def stopped(clamd: Clamd, place: CitizenWorld) -> Iterator[Clamd]:
    """``start`` it when it is to be back."""
    clamd.stop()
    yield clamd
    if clamd.process is None:
        clamd.start()
    # That it rests after it was away is not what is tested here.
    rested(place)


def rested(place: CitizenWorld) -> Scanner:
    scanner = place.world.wiring.uploads.scanner
    assert scanner is not None
    scanner._rests_until = 0.0
    return scanner


def mine(place: CitizenWorld) -> dict[str, str]:
    return place.world.citizen(AMINA, scope="documents:upload")


async def uploaded(place: CitizenWorld, content: bytes) -> dict[str, Any]:
    answer = await place.world.locker.post(
        "/v1/uploads",
        headers={**mine(place), "Idempotency-Key": f'"{secrets.token_hex(8)}"'},
        files={"file": ("a.pdf", content)},
    )
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def read(place: CitizenWorld, upload_id: str, what: str = "") -> httpx.Response:
    return await place.world.locker.get(f"/v1/uploads/{upload_id}{what}", headers=mine(place))


async def scanned_again(place: CitizenWorld) -> ScannedAgain:
    await place.world.rows("UPDATE locker.upload SET next_scan_at = now() WHERE next_scan_at IS NOT NULL")
    wiring = place.world.wiring
    return await scan_again(scan_desk(wiring.db, wiring.vault, rested(place), wiring.settings))


async def judged_again(place: CitizenWorld, scanner: Scanner | None) -> JudgedAgain:
    await place.world.rows("UPDATE locker.quarantine SET next_attempt_at = now() WHERE state = 'waiting'")
    wiring = place.world.wiring
    desk = quarantine_desk(wiring.db, wiring.vault, wiring.judge, wiring.settings, scanner=scanner)
    return await judge_again(desk, batch_max=1)


def infected_pdf() -> bytes:
    """A PDF that shows a page, and holds EICAR in a comment."""
    pdf = plain_pdf()
    return pdf + b"%" + EICAR + b"\n" + pdf[pdf.rindex(b"startxref") :]


async def served_by_nobody(place: CitizenWorld, upload_id: str, code: str, status: int) -> None:
    refused = await read(place, upload_id, "/file")
    assert (refused.status_code, refused.json()["code"]) == (status, code)
    citizen = await place.signed_in()
    for path in ("file", "picture.png"):
        shown = await citizen.get(f"/wallet/uploads/{upload_id}/{path}")
        assert shown.status_code == status
        assert b"%PDF" not in shown.content
        assert not shown.content.startswith(b"\x89PNG")
    told = {"uploads": [upload_id], "recipient": "B", "purpose": "C"}
    shared = await place.world.locker.post("/v1/shares", headers=place.share_headers(), json=told)
    assert (shared.status_code, shared.json()["code"]) == (404, "upload-unknown")
    choice = await citizen.get("/wallet/shares/new")
    assert upload_id not in choice.text
    owner = place.world.subs[AMINA]
    assert upload_id not in await exporting.upload_ids(place.world.wiring.db, owner=owner, after="", limit=1_000)
    assert (await place.world.locker.get(f"/d/ma.gov.interieur-BIRTHEXTRACT-{upload_id}")).status_code == 404
    reading = place.world.citizen(AMINA)
    assert (await place.world.locker.get(f"/v1/documents/{upload_id}/original", headers=reading)).status_code == 404


async def test_what_is_clean_is_held(place: CitizenWorld) -> None:
    upload = await uploaded(place, jpeg())
    assert upload["state"] == "held"
    assert (await read(place, upload["upload_id"], "/file")).content == jpeg()
    deposit = await place.world.deposit()
    assert deposit.status_code == 201, deposit.text


async def test_u_13_eicar_is_quarantined_told_and_never_served(place: CitizenWorld) -> None:
    upload = await uploaded(place, infected_pdf())
    assert upload["state"] == "quarantined"
    assert upload["gone_after"] is not None
    await served_by_nobody(place, upload["upload_id"], "quarantined", 403)
    [event] = await place.world.rows(
        "SELECT action, owner, detail FROM locker.audit WHERE object_id = $1 AND action LIKE 'upload.q%'",
        upload["upload_id"],
    )
    assert event["owner"] == place.world.subs[AMINA]
    assert event["detail"]["signature"].startswith("Eicar-Test")
    citizen = await place.signed_in()
    page = await citizen.get(f"/wallet/uploads/{upload['upload_id']}?lang=en")
    assert "A scanner found harmful software in this file." in page.text
    assert "tone-good" not in page.text
    history = await citizen.get("/wallet/history?lang=en")
    assert "Put a file with harmful software apart" in history.text
    # Through the bin and back it stays what it is.
    path = f"/v1/uploads/{upload['upload_id']}"
    await place.world.locker.delete(path, headers=mine(place))
    restored = await place.world.locker.post(f"{path}/restore", headers=mine(place))
    assert restored.json()["state"] == "quarantined"
    assert restored.json()["gone_after"] == upload["gone_after"]


async def test_u_13_a_deposit_with_eicar_is_refused_and_written_down(place: CitizenWorld) -> None:
    before = await place.world.counts()
    answer = await place.world.deposit(place.world.sealed_from(infected_pdf()))
    assert (answer.status_code, answer.json()["code"]) == (422, "infected")
    assert answer.json()["signature"].startswith("Eicar-Test")
    assert await place.world.counts() == before
    rows = await place.world.rows("SELECT detail FROM locker.audit WHERE action = 'deposit.refused'")
    assert any(row["detail"].get("signature", "").startswith("Eicar-Test") for row in rows)


async def test_u_15_clamd_stopped_an_upload_waits_and_is_lost_by_nobody(place: CitizenWorld, stopped: Clamd) -> None:
    clean, harmful = await uploaded(place, jpeg(3)), await uploaded(place, infected_pdf())
    for upload in (clean, harmful):
        assert upload["state"] == "pending-scan"
        await served_by_nobody(place, upload["upload_id"], "pending-scan", 409)
    waited = await scanned_again(place)
    assert (waited.away, waited.clean, waited.infected) == (1, 0, 0)
    wiring = place.world.wiring
    await sweep_locker(wiring.db, wiring.vault, wiring.settings)
    stopped.start()
    done = await scanned_again(place)
    assert (done.clean, done.infected, done.waiting, done.away) == (1, 1, 0, 0)
    assert (await read(place, clean["upload_id"], "/file")).content == jpeg(3)
    await served_by_nobody(place, harmful["upload_id"], "quarantined", 403)


async def test_u_15_one_that_the_scanner_cannot_judge_does_not_hold_up_the_others(
    place: CitizenWorld, stopped: Clamd, tmp_path: Path
) -> None:
    first, second = await uploaded(place, jpeg(4)), await uploaded(place, jpeg(5))
    async with FaultyScanner(str(tmp_path / "s")) as faulty:
        faulty.answers = [b"INSTREAM size limit exceeded. ERROR\0", b"stream: OK\0"]
        wiring = place.world.wiring
        await place.world.rows("UPDATE locker.upload SET next_scan_at = now() WHERE next_scan_at IS NOT NULL")
        desk = scan_desk(wiring.db, wiring.vault, Scanner(faulty.address, answer_max_s=5.0), wiring.settings)
        done = await scan_again(desk)
    assert (done.waiting, done.clean) == (1, 1)
    states = {(await read(place, one["upload_id"])).json()["state"] for one in (first, second)}
    assert states == {"pending-scan", "held"}


async def test_u_15_a_worker_that_died_over_a_scan_loses_none_and_decides_nothing_late(
    place: CitizenWorld, stopped: Clamd
) -> None:
    upload = await uploaded(place, infected_pdf())
    dead = await store.take_pending(place.world.wiring.db, attempt=new_id(), lease_s=60)
    assert dead is not None
    stopped.start()
    assert (await scanned_again(place)).infected == 1
    late = await store.scanned(
        place.world.wiring.db,
        owner=dead.upload.owner,
        upload_id=dead.upload.upload_id,
        attempt=dead.attempt,
        signature=None,
        quarantine_days=1,
    )
    assert not late
    assert (await read(place, upload["upload_id"])).json()["state"] == "quarantined"


async def test_u_15_clamd_stopped_a_deposit_waits_and_becomes_a_document(place: CitizenWorld, stopped: Clamd) -> None:
    world, pdf = place.world, place.world.sealed(text="waits for the scan")
    answer = await world.deposit(pdf, key="waits")
    assert (answer.status_code, answer.json()["state"]) == (202, "pending-scan")
    again = await world.deposit(pdf, key="waits")
    assert (again.status_code, again.json()) == (202, answer.json())
    document_id = answer.json()["document_id"]
    reading = world.citizen(AMINA)
    assert (await world.locker.get(f"/v1/documents/{document_id}/original", headers=reading)).status_code == 404
    record = await world.locker.get(f"/v1/deposits/{document_id}", headers=world.machine())
    assert record.json()["state"] == "pending-scan"
    assert await judged_again(place, rested(place)) == JudgedAgain(waiting=1)
    # A scanner that somebody took out of the settings lets nothing through that waits for one.
    assert await judged_again(place, None) == JudgedAgain(waiting=1)
    await sweep_locker(world.wiring.db, world.wiring.vault, world.wiring.settings)
    stopped.start()
    assert await judged_again(place, rested(place)) == JudgedAgain(passed=1)
    original = await world.locker.get(f"/v1/documents/{document_id}/original", headers=reading)
    assert original.content == pdf


async def test_u_15_what_waited_and_is_harmful_becomes_no_document(place: CitizenWorld, stopped: Clamd) -> None:
    world = place.world
    answer = await world.deposit(world.sealed_from(infected_pdf()))
    assert (answer.status_code, answer.json()["state"]) == (202, "pending-scan")
    stopped.start()
    assert await judged_again(place, rested(place)) == JudgedAgain(refused=1)
    document_id = answer.json()["document_id"]
    record = (await world.locker.get(f"/v1/deposits/{document_id}", headers=world.machine())).json()
    assert (record["state"], record["state_reason"]) == ("refused", "infected")
    [row] = await world.rows("SELECT wrapped_key FROM locker.quarantine WHERE document_id = $1", document_id)
    assert row["wrapped_key"] is None
    [event] = await world.rows(
        "SELECT detail FROM locker.audit WHERE action = 'deposit.refused' AND object_id = $1", document_id
    )
    assert event["detail"]["signature"].startswith("Eicar-Test")
    listed = await world.locker.get("/v1/documents", headers=world.citizen(AMINA))
    assert document_id not in listed.text
