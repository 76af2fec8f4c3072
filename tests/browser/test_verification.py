"""The verification by itself, in Chromium without scripts: a file is brought, looked at, and each report is taken."""

from collections.abc import Iterator
from pathlib import Path

import pypdfium2
import pytest
from lxml import etree
from playwright.sync_api import Page

from tests.browser.conftest import NewPage
from tests.browser.page_checks import check_page, press
from tests.locker_world import INTERIOR, sealed
from tests.unit.locker.reports.etsi_schema import schema
from tests.verification_service import VerificationService, verification_service

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VerificationService]:
    with verification_service(tmp_path_factory.mktemp("verification")) as running:
        yield running


@pytest.mark.parametrize("locale", ["ar", "fr"])
def test_a_file_is_verified_and_its_reports_are_taken(
    service: VerificationService, new_page: NewPage, tmp_path: Path, locale: str
) -> None:
    page = new_page(locale)
    sound = sealed(service.pki, service.pki.seals[INTERIOR])
    altered = bytearray(sound)
    altered[400] ^= 1
    for name, pdf, at in (("altered", bytes(altered), ""), ("too-early", sound, "2020-05-17"), ("sound", sound, "")):
        file = tmp_path / f"{name}.pdf"
        file.write_bytes(pdf)
        page.goto(f"{service.url}/verify")
        page.locator("details.more summary").click()
        check_page(page, "verification-form", locale)
        page.set_input_files("#document", file)
        page.fill("#at", at)
        press(page, "#verify-submit")
        for summary in page.locator("details.more summary").all():
            summary.click()
        check_page(page, f"verification-{name}", locale)
    assert page.locator(".verdict.tone-wait").count() == 1
    text = pypdfium2.PdfDocument(_download(page, "pdf"))[0].get_textpage().get_text_range()
    assert "شهادة التحقق" in text
    schema().assertValid(etree.fromstring(_download(page, "etsi")))
    assert b'"report": "simple"' in _download(page, "simple")
    assert b'"report": "detailed"' in _download(page, "detailed")


def _download(page: Page, kind: str) -> bytes:
    with page.expect_download() as downloading:
        page.click(f"#download-{kind}")
    return Path(downloading.value.path()).read_bytes()
