"""Any file gets two answers: what its signature is worth, and whether its issuer stands by it today."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from jose import jws

from tests.citizen_browser import CitizenWorld, form_of, open_citizen_world
from tests.locker_world import INTERIOR, LOCKER, plain_pdf
from tests.unit.locker.signatures.data_signatures import cades, container, jades, xades, xades_detached
from tests.unit.locker.signatures.signature_pki import Holder, issue, name, signed_by_other_software
from tests.windows import in_one_window

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(dsns: Any, s3: Any, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[CitizenWorld]:
    async with open_citizen_world(
        dsns, s3, tmp_path_factory.mktemp("locker"), verifications_per_address_per_minute=500
    ) as opened:
        yield opened


async def verify(place: CitizenWorld, pdf: bytes) -> dict[str, Any]:
    answer = await place.world.locker.post("/v1/verifications", files={"document": ("d.pdf", pdf, "application/pdf")})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def checks(found: dict[str, Any]) -> dict[str, bool | None]:
    return {check["name"]: check["passed"] for check in found["answer"]["checks"]}


async def test_a_deposited_document_passes_every_check(place: CitizenWorld) -> None:
    pdf = place.world.sealed(text="one")
    await place.document(pdf=pdf)
    found = await verify(place, pdf)
    assert found["answer"]["signature"]["indication"] == "TOTAL-PASSED"
    assert found["answer"]["standing"] == "valid"
    assert found["answer"]["document"]["administration"] == "ma.gov.interieur"
    assert set(checks(found).values()) == {True}
    assert found["answer"]["sha256"] == hashlib.sha256(pdf).hexdigest()


async def test_a_sound_document_that_nobody_deposited_has_no_standing(place: CitizenWorld) -> None:
    found = await verify(place, place.world.sealed(text="two"))
    assert found["answer"]["signature"]["indication"] == "TOTAL-PASSED"
    assert found["answer"]["standing"] == "unknown"
    assert found["answer"]["signer_administration"]["fr"] == "ma.gov.interieur"
    assert checks(found) == {
        "whole": True,
        "signature": True,
        "entitled": None,
        "not-revoked": None,
        "in-dates": None,
    }


async def test_one_changed_byte_is_altered(place: CitizenWorld) -> None:
    pdf = bytearray(place.world.sealed(text="three"))
    pdf[400] ^= 1
    found = await verify(place, bytes(pdf))
    assert found["answer"]["signature"]["indication"] in ("TOTAL-FAILED", "INDETERMINATE")
    assert checks(found)["whole"] is not True
    page = await place.browser().post("/verify", files={"document": ("d.pdf", bytes(pdf), "application/pdf")})
    assert 'class="verdict tone-good"' not in page.text


@pytest.mark.parametrize(
    "pdf", [plain_pdf(), b"nonsense", b"%PDF-1.7", b"\x00" * 5_000], ids=["unsigned", "a", "b", "c"]
)
async def test_a_negative_verdict_is_a_200(place: CitizenWorld, pdf: bytes) -> None:
    found = await verify(place, pdf)
    assert found["answer"]["signature"]["indication"] != "TOTAL-PASSED"
    page = await place.browser().post("/verify?lang=en", files={"document": ("d.pdf", pdf, "application/pdf")})
    assert page.status_code == 200
    assert "tone-good" not in page.text.split("<footer")[0].split("verdict")[1].split("</div>")[0]


async def test_the_revoked_the_suspended_and_the_superseded_are_told_apart(place: CitizenWorld) -> None:
    for verb, standing in (("suspend", "suspended"), ("revoke", "revoked")):
        pdf = place.world.sealed(text=verb)
        document_id = await place.document(pdf=pdf)
        reason = "under-review" if verb == "suspend" else "issued-in-error"
        done = await place.world.locker.post(
            f"/v1/documents/{document_id}/{verb}", headers=place.world.machine(), json={"reason": reason}
        )
        assert done.status_code == 200, done.text
        found = await verify(place, pdf)
        assert found["answer"]["standing"] == standing
        assert found["answer"]["signature"]["indication"] == "TOTAL-PASSED"
        assert checks(found)["not-revoked"] is False
    pdf = place.world.sealed(text="old")
    old = await place.document(pdf=pdf)
    await place.document(replaces=old)
    assert (await verify(place, pdf))["answer"]["standing"] == "superseded"


async def test_an_expired_document_is_authentic_and_not_in_its_dates(place: CitizenWorld) -> None:
    pdf = place.world.sealed(text="expired")
    await place.document(pdf=pdf, valid_from="2020-01-01", valid_until="2020-12-31")
    found = await verify(place, pdf)
    assert found["answer"]["standing"] == "expired"
    assert checks(found)["in-dates"] is False


async def test_the_signed_answer_verifies_with_another_library(place: CitizenWorld) -> None:
    pdf = place.world.sealed(text="signed")
    found = await verify(place, pdf)
    [key] = (await place.world.locker.get("/.well-known/jwks.json")).json()["keys"]
    claims = json.loads(jws.verify(found["signed_answer"], key, algorithms=["ES256"]))
    assert claims["iss"] == LOCKER
    assert claims["verification"]["sha256"] == hashlib.sha256(pdf).hexdigest()
    assert jws.get_unverified_header(found["signed_answer"])["typ"] == "khizana-verification+jwt"


async def test_only_what_we_signed_is_handed_out_as_a_file_of_ours(place: CitizenWorld) -> None:
    browser = place.browser()
    pdf = place.world.sealed(text="handed")
    _action, hidden = form_of(await browser.post("/verify", files={"document": ("d.pdf", pdf, "application/pdf")}))
    report = await browser.post("/verify/answer", hidden)
    claims = json.loads(jws.get_unverified_claims(hidden["jws"]))
    assert hashlib.sha256(report.content).hexdigest() == claims["report_sha256"]
    for forged in (
        {"jws": hidden["jws"][:-4] + "AAAA"},
        {"jws": "x"},
        {},
        {"jws": hidden["jws"], "report": hidden["report"] + " "},
        {"jws": hidden["jws"], "report": "<script>alert(1)</script>"},
    ):
        refused = await browser.post("/verify/answer", forged, headers={"Accept": "application/json"})
        assert (refused.status_code, refused.json()["code"]) == (400, "answer-refused"), forged


async def test_the_holder_sees_that_somebody_verified(place: CitizenWorld) -> None:
    pdf = place.world.sealed(text="seen")
    document_id = await place.document(pdf=pdf)
    await verify(place, pdf)
    events = (await place.world.locker.get("/v1/history", headers=place.world.citizen())).json()["events"]
    assert (events[0]["action"], events[0]["object_id"]) == ("document.verified", document_id)


async def test_d_12_whoever_has_the_file_cannot_fill_its_holders_history(place: CitizenWorld) -> None:
    async def asks(number: int) -> int:
        pdf = place.world.sealed(text=f"often {number}")
        document_id = await place.document(pdf=pdf)
        await place.world.owner_db.execute(
            """INSERT INTO locker.throttle (bucket, window_starts_at, attempts)
               VALUES ($1, to_timestamp(floor(extract(epoch FROM now()) / 3600) * 3600), 58)""",
            f"verified:{document_id}",
        )
        for _ in range(4):
            assert (await verify(place, pdf))["answer"]["standing"] == "valid"
        rows = await place.world.rows(
            "SELECT 1 FROM locker.audit WHERE action = 'document.verified' AND object_id = $1", document_id
        )
        return len(rows)

    assert await in_one_window(3_600, asks) == 2


async def test_a_bare_body_is_judged_as_well(place: CitizenWorld) -> None:
    answer = await place.world.locker.post(
        "/v1/verifications", content=plain_pdf(), headers={"Content-Type": "application/pdf"}
    )
    assert answer.json()["answer"]["signature"]["indication"] == "NO_SIGNATURE_FOUND"


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        (b"", "application/pdf"),
        (b"x", "text/html"),
        (b"x", "multipart/form-data"),
        (b"--b\r\n", "multipart/form-data; boundary=b"),
        (
            b'--b\r\nContent-Disposition: form-data; name="other"\r\n\r\nx\r\n--b--\r\n',
            "multipart/form-data; boundary=b",
        ),
        (bytes(range(128, 228)), "multipart/form-data; boundary=b"),
    ],
)
async def test_what_brings_no_file_is_refused_early(place: CitizenWorld, content: bytes, content_type: str) -> None:
    answer = await place.world.locker.post("/v1/verifications", content=content, headers={"Content-Type": content_type})
    assert (answer.status_code, answer.json()["code"]) == (400, "file-missing"), answer.text


async def test_a_file_that_stops_arriving_is_given_up(place: CitizenWorld) -> None:
    over = asyncio.Event()

    async def stalling() -> AsyncIterator[bytes]:
        yield b"%PDF-1.7"
        await over.wait()

    desk = place.world.app.state.desk
    before = desk.receive_max_s
    object.__setattr__(desk, "receive_max_s", 0.05)
    try:
        answer = await place.world.locker.post(
            "/v1/verifications", content=stalling(), headers={"Content-Type": "application/pdf"}
        )
    finally:
        object.__setattr__(desk, "receive_max_s", before)
        over.set()
    assert (answer.status_code, answer.json()["code"]) == (408, "request-timeout")
    assert answer.headers["connection"] == "close"


async def test_a_file_over_the_cap_is_cut_while_it_arrives(place: CitizenWorld) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 200_000_000:
            sent += 1_000_000
            yield bytes(1_000_000)

    answer = await place.world.locker.post(
        "/v1/verifications", content=endless(), headers={"Content-Type": "application/pdf"}
    )
    assert (answer.status_code, answer.json()["code"]) == (413, "file-too-large")
    assert answer.json()["max_bytes"] == 25_000_000
    browser = await place.browser().post("/verify", files={"document": ("d.pdf", bytes(25_000_001), "application/pdf")})
    assert browser.status_code == 413
    assert 'id="document-error"' in browser.text


async def test_a_prober_is_slowed(place: CitizenWorld) -> None:
    limited = httpx.ASGITransport(place.app, client=("203.0.113.77", 1))
    await place.world.owner_db.execute(
        """INSERT INTO locker.throttle (bucket, window_starts_at, attempts)
           VALUES ('verify:203.0.113.77', to_timestamp(floor(extract(epoch FROM now()) / 60) * 60), 500)"""
    )
    async with httpx.AsyncClient(transport=limited, base_url=LOCKER) as client:
        answer = await client.post("/v1/verifications", content=b"x", headers={"Content-Type": "application/pdf"})
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 0


async def test_files_of_other_software_get_an_answer_and_never_a_green_one_that_they_must_not(
    place: CitizenWorld, fixtures_dir: Path
) -> None:
    """A sample over HTTP; the judge's own tests take every file."""
    for path in sorted((fixtures_dir / "pdf").rglob("*.pdf"))[::25]:
        found = await verify(place, path.read_bytes())
        # Made by strangers: whatever the signature is worth, nobody here stands by the document.
        assert found["answer"]["standing"] == "unknown", path
        page = await place.browser().post(
            "/verify", files={"document": ("d.pdf", path.read_bytes(), "application/pdf")}
        )
        assert page.status_code == 200, path
        assert 'class="verdict tone-good"' not in page.text, path


def seal_holder(place: CitizenWorld) -> Holder:
    issued, issuing = place.world.pki.seals[INTERIOR], place.world.pki.issuing
    key: Any = load_pem_private_key(issued.key_pem, None)
    authority = Holder(key, x509.load_der_x509_certificate(issuing.der))
    return Holder(key, x509.load_der_x509_certificate(issued.der), (authority,))


async def verify_with(place: CitizenWorld, document: bytes, **parts: bytes) -> dict[str, Any]:
    files = {"document": ("d", document, "application/octet-stream")}
    files |= {name: (name, content, "application/octet-stream") for name, content in parts.items()}
    answer = await place.world.locker.post("/v1/verifications", files=files)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_the_administration_is_the_one_of_the_signature_that_is_shown(place: CitizenWorld) -> None:
    stranger = issue(name("A stranger"), by=None)
    by_both = signed_by_other_software(plain_pdf(), seal_holder(place))
    by_both = signed_by_other_software(by_both, stranger, field="Second")
    found = await verify(place, by_both)
    assert found["answer"]["signature"]["indication"] != "TOTAL-PASSED"
    assert found["answer"]["signature"]["signer"] == "A stranger"
    assert found["answer"]["signer_administration"] is None


async def test_a_signature_beside_a_document_is_judged_over_it(place: CitizenWorld) -> None:
    by, data = seal_holder(place), b'{"family_name": "Alaoui"}'
    for signature in (cades(data, by), jades(data, by, detached=True)):
        found = await verify_with(place, data, signature=signature)
        assert found["answer"]["signature"]["indication"] == "TOTAL-PASSED", found["answer"]["signature"]["reasons"]
        assert found["answer"]["signer_administration"]["fr"] == "ma.gov.interieur"
        assert found["answer"]["sha256"] == hashlib.sha256(data).hexdigest()
        other = await verify_with(place, data + b" ", signature=signature)
        assert other["answer"]["signature"]["indication"] == "TOTAL-FAILED"
        # Its certificate is registered; this file it did not sign.
        assert other["answer"]["signer_administration"] is None
        assert checks(other)["whole"] is False


async def test_a_signed_xml_document_and_a_container_are_judged(place: CitizenWorld) -> None:
    by = seal_holder(place)
    found = await verify_with(place, xades(by=by))
    assert found["answer"]["signature"]["indication"] == "TOTAL-PASSED", found["answer"]["signature"]["reasons"]
    assert found["answer"]["signature"]["level"] == "XAdES-BASELINE-B"
    packed = container({"a.txt": b"a", "META-INF/signatures.xml": xades_detached({"a.txt": b"a"}, by)})
    found = await verify_with(place, packed)
    assert found["answer"]["signature"]["indication"] == "TOTAL-PASSED", found["answer"]["signature"]["reasons"]
    report = await place.world.locker.post(
        "/v1/verifications?report=detailed",
        files={"document": ("d", packed, "application/octet-stream")},
    )
    assert report.status_code == 200


async def test_a_signature_larger_than_any_is_cut_while_it_arrives(place: CitizenWorld) -> None:
    files = {"document": ("d", b"x", "text/plain"), "signature": ("s", b"0" * 1_000_001, "text/plain")}
    answer = await place.world.locker.post("/v1/verifications", files=files)
    assert answer.status_code == 413


async def test_an_administration_deposits_pdfs_and_nothing_that_only_looks_signed(place: CitizenWorld) -> None:
    answer = await place.world.deposit(xades(by=seal_holder(place)))
    assert answer.status_code in (415, 422)
