"""A sheet with a code as paper: A4, one page where the fields are few, a code of its size that says what was signed."""

import io
import re
from urllib.parse import urlsplit

import httpx
import pypdfium2
import segno
from playwright.sync_api import Page

from tests.browser.page_checks import SCREENS

MM_PER_CSS_PX = 25.4 / 96
A4_POINTS = (595, 842)
_QUIET = 4


def check_sheet(page: Page, url: str, locale: str) -> None:
    """The page that is shown is a sheet; its picture as paper is kept beside those of the screens."""
    address = page.locator("#code-address").get_attribute("href") or ""
    code = segno.make(address, error="l", micro=False, boost_error=False)
    side_mm = (len(code.matrix) + 2 * _QUIET) / 2

    page.emulate_media(media="print")
    box = page.locator("#code svg").bounding_box()
    page.emulate_media(media="null")
    assert box is not None
    assert abs(box["width"] * MM_PER_CSS_PX - side_mm) < 0.2
    assert abs(box["height"] * MM_PER_CSS_PX - side_mm) < 0.2

    drawn = page.locator("#code svg path.qrline").get_attribute("d")
    svg = io.BytesIO()
    code.save(svg, kind="svg", border=_QUIET, light="#fff", unit="mm", scale=0.5)
    expected = re.search(rb'class="qrline"[^>]* d="([^"]+)"', svg.getvalue())
    assert expected is not None
    assert drawn == expected[1].decode(), "the code on the sheet says another thing than its address"

    checked = httpx.post(f"{url}/v1/printed/checks", json={"text": address}).json()
    assert checked["authentic"], checked
    said = page.locator(".sheet-says dd").all_inner_texts()
    assert len(said) >= len(checked["claims"]["fields"]) > 0
    short = page.locator("#status-address").inner_text()
    assert short == f"{url}/p/{checked['claims']['printed_id']}"
    assert httpx.get(url + urlsplit(short).path).json()["standing"] == checked["status"]["standing"]

    pdf = pypdfium2.PdfDocument(page.pdf(prefer_css_page_size=True, print_background=True))
    assert {tuple(map(round, sheet.get_size())) for sheet in pdf} == {A4_POINTS}
    assert len(pdf) <= (1 if len(said) <= 8 else 2)
    last = pdf[len(pdf) - 1]
    text = last.get_textpage().get_text_bounded()
    assert short in text.replace("\r\n", ""), "the address stands beside the code"
    last.render(scale=2).to_pil().save(SCREENS / locale / "printed-sheet-paper.png")
