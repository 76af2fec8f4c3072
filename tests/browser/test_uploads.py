"""Citizens' own files on an old phone: with a script and without one, in Arabic and in French."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Page, Route, async_playwright

from tests.browser.conftest import chromium_path, launch_arguments
from tests.browser.page_checks import SCREENS, WCAG_2_2_AA, axe_source
from tests.citizen_browser import Browser, CitizenWorld, open_citizen_world
from tests.locker_world import LOCKER
from tests.own_files import jpeg

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]
PHONE = {"width": 360, "height": 640}
SELF_DECLARED = {"ar": "مصرَّح به من صاحبه", "fr": "Auto-déclaré"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(dsns: Any, s3: Any, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[CitizenWorld]:
    async with open_citizen_world(dsns, s3, tmp_path_factory.mktemp("uploads-browser")) as opened:
        yield opened


@asynccontextmanager
async def served(citizen: Browser, language: str) -> AsyncIterator[int]:
    """The app behind a port, for the bodies that Chromium shows to no interception: those with files."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            method, path, _version = head[0].split(" ")
            headers = dict(line.split(": ", 1) for line in head[1:] if line)
            headers = {name.lower(): value for name, value in headers.items()}
            body = await reader.readexactly(int(headers.pop("content-length", "0")))
            headers |= {
                "cookie": "; ".join(f"{name}={value}" for name, value in citizen.cookies.items()),
                "accept-language": language,
                "host": "localhost:8000",
                "accept-encoding": "identity",
                # To the browser the port is another origin's, here and for what the answer says of origins.
                "sec-fetch-site": "same-origin",
            }
            transport = httpx.ASGITransport(citizen.home.app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url=LOCKER, timeout=60) as client:
                found = await client.request(method, path, headers=headers, content=body)
            said = {name: value for name, value in found.headers.items() if name != "cross-origin-resource-policy"}
            said |= {"content-length": str(len(found.content)), "connection": "close"}
            lines = [f"HTTP/1.1 {found.status_code} X", *(f"{name}: {value}" for name, value in said.items()), "", ""]
            writer.write("\r\n".join(lines).encode("latin-1") + found.content)
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


@pytest.mark.parametrize("language", ["ar", "fr"])
@pytest.mark.parametrize("scripts", [True, False], ids=["script", "no-script"])
async def test_a_photo_from_a_phone(place: CitizenWorld, tmp_path: Path, language: str, scripts: bool) -> None:
    path = chromium_path()
    if path is None:
        pytest.skip("NO CHROMIUM on the PATH")
    photo, other = tmp_path / "بطاقتي.jpg", tmp_path / "page.html"
    photo.write_bytes(jpeg(6, size=(1600, 1200)))
    other.write_bytes(b"<!doctype html><script>alert(1)</script>")
    citizen = await place.signed_in()
    async with served(citizen, language) as port, async_playwright() as playwright:

        async def elsewhere(route: Route) -> None:
            await route.continue_(url=route.request.url.replace(LOCKER, f"http://localhost:{port}", 1))

        browser = await playwright.chromium.launch(executable_path=path, args=launch_arguments())
        context = await browser.new_context(viewport=PHONE, java_script_enabled=scripts, bypass_csp=True)  # type: ignore[arg-type]
        page = await context.new_page()
        await page.route(f"{LOCKER}/**", elsewhere)
        await page.goto(f"{LOCKER}/wallet/uploads")
        await looked_at(page, language, "uploads-first", scripts)
        await page.set_input_files("#file", other)
        await page.click("#upload-submit")
        await page.wait_for_selector("#error-summary")
        assert await page.is_visible("#file-error")
        await looked_at(page, language, "uploads-refused", scripts)
        await page.set_input_files("#file", photo)
        await page.click("#upload-submit")
        await page.wait_for_selector("#download")
        assert "بطاقتي" in await page.inner_text("h1")
        assert SELF_DECLARED[language] in await page.inner_text("main")
        assert await page.locator(".tone-good").count() == 0
        await page.wait_for_load_state("networkidle")
        await looked_at(page, language, "upload", scripts)
        await page.click("#delete")
        await page.click("#bin")
        await page.wait_for_selector(".documents")
        await looked_at(page, language, "uploads-bin", scripts)
        await page.click(".documents a")
        await page.wait_for_selector("#restore")
        await looked_at(page, language, "upload-in-bin", scripts)
        await page.click("#restore")
        await page.wait_for_selector("#share")
        await page.click("#share")
        await page.wait_for_selector("#share-documents-submit")
        await looked_at(page, language, "uploads-share", scripts)
        await browser.close()


async def looked_at(page: Page, language: str, name: str, scripts: bool) -> None:
    """A picture of it is kept; axe and the width have nothing to say."""
    assert await page.get_attribute("html", "dir") == ("rtl" if language == "ar" else "ltr")
    folder = SCREENS / language
    folder.mkdir(parents=True, exist_ok=True)
    await page.screenshot(path=folder / f"{name}-phone.png", full_page=True)
    if not scripts:
        return
    await page.evaluate(axe_source())
    options = json.dumps({"runOnly": {"type": "tag", "values": WCAG_2_2_AA}, "resultTypes": ["violations"]})
    result: dict[str, Any] = await page.evaluate(f"axe.run(document, {options})")
    assert [f"{one['id']}: {one['nodes'][0]['html'][:200]}" for one in result["violations"]] == []
    assert await page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
