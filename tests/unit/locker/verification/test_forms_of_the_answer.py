"""One verdict, asked for in each form, through the API and from the page."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
import pytest_asyncio
from lxml import etree

from locker.reports.schema import DetailedReport, SimpleReport
from tests.citizen_browser import CitizenWorld, form_of, open_citizen_world
from tests.locker_world import plain_pdf
from tests.unit.locker.reports.etsi_schema import schema
from tests.unit.locker.reports.test_reports import hostile_names
from tests.unit.locker.signatures.data_signatures import jades

pytestmark = pytest.mark.asyncio(loop_scope="module")
PDF = {"Content-Type": "application/pdf"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(dsns: Any, s3: Any, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[CitizenWorld]:
    async with open_citizen_world(
        dsns, s3, tmp_path_factory.mktemp("locker"), verifications_per_address_per_minute=500
    ) as opened:
        yield opened


async def test_each_report_is_asked_for_by_name(place: CitizenWorld) -> None:
    pdf = place.world.sealed(text="forms")
    locker = place.world.locker
    simple = await locker.post("/v1/verifications?report=simple", content=pdf, headers=PDF)
    assert msgspec.json.decode(simple.content, type=SimpleReport).indication == "TOTAL-PASSED"
    detailed = await locker.post("/v1/verifications?report=detailed", content=pdf, headers=PDF)
    assert msgspec.json.decode(detailed.content, type=DetailedReport).signatures[0].checks[0].status == "passed"
    etsi = await locker.post("/v1/verifications?report=etsi", content=pdf, headers=PDF)
    assert etsi.headers["content-type"].startswith("application/xml")
    schema().assertValid(etree.fromstring(etsi.content))
    page = await locker.post("/v1/verifications?report=pdf", content=pdf, headers=PDF)
    assert page.headers["content-type"] == "application/pdf"
    assert page.content.startswith(b"%PDF-")


async def test_a_media_type_asks_as_well(place: CitizenWorld) -> None:
    for accept, begins in (("application/xml", b"<?xml"), ("application/pdf;q=0.9, */*;q=0.1", b"%PDF-")):
        answer = await place.world.locker.post(
            "/v1/verifications", content=plain_pdf(), headers={**PDF, "Accept": accept}
        )
        assert answer.content.startswith(begins)
    plain = await place.world.locker.post("/v1/verifications", content=plain_pdf(), headers={**PDF, "Accept": "*/*"})
    assert set(plain.json()) == {"answer", "report", "signed_answer"}


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("report=gold", 400, "report-unknown"),
        ("at=tomorrow", 400, "at-unreadable"),
        ("at=2026-01-01T00:00:00", 400, "at-unreadable"),
        ("at=" + "9" * 60, 400, "at-unreadable"),
        ("at=0001-01-01T00:00:00%2B14:00", 400, "at-unreadable"),
        ("at=9999-12-31", 422, "at-in-future"),
        ("at=9999-12-31T00:00:00Z", 422, "at-in-future"),
    ],
)
async def test_what_cannot_be_answered_is_refused(place: CitizenWorld, query: str, status: int, code: str) -> None:
    answer = await place.world.locker.post(f"/v1/verifications?{query}", content=plain_pdf(), headers=PDF)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_the_page_hands_out_each_report_of_what_we_signed_and_of_nothing_else(place: CitizenWorld) -> None:
    browser = place.browser()
    pdf = place.world.sealed(text="page")
    shown = await browser.post("/verify", files={"document": ("d.pdf", pdf, "application/pdf")})
    action, hidden = form_of(shown)
    assert action == "/verify/answer"
    names = {}
    for kind in ("pdf", "simple", "detailed", "etsi"):
        assert f'value="{kind}"' in shown.text
        handed = await browser.post("/verify/answer", {**hidden, "kind": kind})
        assert handed.status_code == 200, handed.text
        names[kind] = handed.headers["content-disposition"].split('"')[1]
    assert names == {
        "pdf": "verification.pdf",
        "simple": "verification-simple.json",
        "detailed": "verification-detailed.json",
        "etsi": "verification-ts119102-2.xml",
    }
    forged = {**hidden, "report": hidden["report"].replace("TOTAL-PASSED", "TOTAL-FAILED"), "kind": "pdf"}
    assert (await browser.post("/verify/answer", forged)).status_code == 400
    assert (await browser.post("/verify/answer", {**hidden, "kind": "gold"})).status_code == 400


async def test_a_certificate_s_seal_can_be_recognised(place: CitizenWorld) -> None:
    answer = await place.world.locker.get("/verify/seal.crt")
    assert answer.text.startswith("-----BEGIN CERTIFICATE-----")


async def test_a_verdict_says_what_it_means_and_what_to_do(place: CitizenWorld) -> None:
    altered = bytearray(place.world.sealed(text="means"))
    altered[400] ^= 1
    page = await place.browser().post(
        "/verify?lang=en", files={"document": ("d.pdf", bytes(altered), "application/pdf")}
    )
    assert "Ask the issuer for a new copy, and do not rely on this one." in page.text


async def test_the_page_asks_about_an_earlier_day(place: CitizenWorld) -> None:
    browser = place.browser()
    file = {"document": ("d.pdf", place.world.sealed(text="day"), "application/pdf")}
    earlier = await browser.post("/verify?lang=en", {"at": "2020-05-17"}, files=file)
    assert "it did not exist then" in earlier.text
    later = await browser.post("/verify?lang=en", {"at": "9999-01-01"}, files=file)
    assert later.status_code == 422
    assert 'id="at-error"' in later.text


async def test_names_with_markup_are_text_in_every_form(place: CitizenWorld) -> None:
    """A signer whom nobody vouches for can be called anything."""
    pdf = hostile_names()
    page = await place.browser().post("/verify?lang=ar", files={"document": ("<b>.pdf", pdf, "application/pdf")})
    assert page.status_code == 200
    assert "<script>" not in page.text
    assert "&lt;script&gt;" in page.text
    assert "\u202e" not in page.text
    _action, hidden = form_of(page)
    for kind in ("simple", "detailed", "etsi", "pdf"):
        handed = await place.browser().post("/verify/answer", {**hidden, "kind": kind})
        assert handed.status_code == 200, handed.text
        assert "\u202e".encode() not in handed.content
    root = etree.fromstring((await place.browser().post("/verify/answer", {**hidden, "kind": "etsi"})).content)
    assert not root.findall(".//{*}script")


@pytest.mark.parametrize("claimed", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
async def test_a_signer_may_claim_any_time_and_breaks_nothing(place: CitizenWorld, claimed: str) -> None:
    signed = jades(sigT=claimed)
    for report in ("simple", "detailed", "etsi", "pdf"):
        answer = await place.world.locker.post(
            f"/v1/verifications?report={report}", content=signed, headers={"Content-Type": "application/octet-stream"}
        )
        assert answer.status_code == 200, (report, answer.text)
    shown = await place.browser().post("/verify", files={"document": ("d.jws", signed, "application/jose")})
    assert shown.status_code == 200
