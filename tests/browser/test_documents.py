"""A printed address, and a document that its administration keeps, as people see them."""

import hashlib
import json
import secrets
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Page, Route, async_playwright

from tests.browser.conftest import chromium_path, launch_arguments
from tests.browser.page_checks import SCREENS, WCAG_2_2_AA, axe_source
from tests.citizen_browser import Browser, CitizenWorld, open_citizen_world
from tests.locker_world import AMINA, BIRTH, INTERIOR, LOCKER
from tests.sites import Site, authority_files, running_site

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]
NAMES = {"ar": "نسخة من رسم الولادة", "fr": "Extrait d’acte de naissance", "zgh": "ⴰⵎⵙⴽⴰⵏ", "en": "Birth extract"}
ISSUER_NAMES = {"ar": "وزارة الداخلية", "fr": "Ministère de l’Intérieur", "zgh": "ⵜⴰⵎⴰⵡⴰⵙⵜ", "en": "Interior"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site() -> AsyncIterator[Site]:
    async with running_site() as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(
    site: Site, dsns: Any, s3: Any, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[CitizenWorld]:
    folder = tmp_path_factory.mktemp("documents-browser")
    async with open_citizen_world(
        dsns, s3, folder, outbound_ca_file=authority_files()[0], outbound_loopback=True
    ) as opened:
        world = opened.world
        world.wiring.references.fetcher._resolve_blocking = lambda host, port: ["127.0.0.1"]
        await world.owner_db.execute(
            "UPDATE locker.administration SET names = $2 WHERE administration = $1", INTERIOR, ISSUER_NAMES
        )
        await world.owner_db.execute(
            "INSERT INTO locker.administration_domain (administration, domain) VALUES ($1, 'site.test')", INTERIOR
        )
        await world.owner_db.execute("UPDATE locker.document_type SET names = $2 WHERE type = $1", BIRTH, NAMES)
        yield opened


@pytest.mark.parametrize("language", ["ar", "fr"])
async def test_a_printed_address_is_a_page_for_everybody(place: CitizenWorld, language: str) -> None:
    uri = (await place.world.deposit()).json()["uri"]
    typed = uri.lower().replace("0", "o")
    async with _page(place.browser(), language) as page:
        await page.goto(f"{LOCKER}/d/{typed}")
        text = await page.inner_text("main")
        assert ISSUER_NAMES[language] in text
        assert NAMES[language] in text
        assert uri in text
        await _shot(page, language, "printed-address")
        assert await _violations(page) == []
        await page.goto(f"{LOCKER}/d/{uri[:-1]}0")
        await _shot(page, language, "printed-address-unknown")
        assert await _violations(page) == []


@pytest.mark.parametrize("language", ["ar", "fr"])
async def test_a_document_that_its_administration_keeps_says_so_and_is_copied_by_a_button(
    place: CitizenWorld, site: Site, language: str
) -> None:
    pdf, path = place.world.sealed(text=language), f"/{language}.pdf"
    site.serve(path, pdf, "application/pdf")
    request = {
        "type": BIRTH,
        "subject": {"uid": AMINA},
        "fields": {"family_name": "العلوي Alaoui"},
        "url": site.url(path, host="docs.site.test"),
        "sha256": hashlib.sha256(pdf).hexdigest(),
    }
    answer = await place.world.locker.post(
        "/v1/deposits/references",
        headers={**place.world.machine(), "Idempotency-Key": f'"{secrets.token_hex(8)}"'},
        json=request,
    )
    document_id = answer.json()["document_id"]
    async with _page(await place.signed_in(), language) as page:
        await page.goto(f"{LOCKER}/wallet/documents/{document_id}")
        await _shot(page, language, "kept-by-the-administration")
        assert await _violations(page) == []
        await _two_hours_later(place, document_id)
        site.refuse(path, 503)
        original = f"/v1/documents/{document_id}/original"
        assert (await place.world.locker.get(original, headers=place.world.citizen())).status_code == 503
        await page.goto(f"{LOCKER}/wallet/documents/{document_id}")
        await _shot(page, language, "kept-and-away")
        assert await _violations(page) == []
        site.serve(path, pdf, "application/pdf")
        await _two_hours_later(place, document_id)
        await page.click("#copy")
        await page.goto(f"{LOCKER}/wallet/documents/{document_id}")
        await _shot(page, language, "kept-copy")
        assert await page.locator("#copy").count() == 0
        assert await page.locator("#kept").count() == 1


async def _two_hours_later(place: CitizenWorld, document_id: str) -> None:
    await place.world.owner_db.execute(
        """UPDATE locker.reference SET confirmed_at = confirmed_at - interval '2 hours',
                  failed_at = failed_at - interval '2 hours' WHERE document_id = $1""",
        document_id,
    )


class _page:
    """Chromium, whose requests go to the app in this process as ``citizen`` would send them."""

    def __init__(self, citizen: Browser, language: str) -> None:
        self._citizen, self._language = citizen, language

    async def __aenter__(self) -> Page:
        path = chromium_path()
        if path is None:
            pytest.skip("NO CHROMIUM on the PATH")
        self._playwright = await async_playwright().start()
        browser = await self._playwright.chromium.launch(executable_path=path, args=launch_arguments())
        context = await browser.new_context(viewport={"width": 375, "height": 700})
        page = await context.new_page()
        await page.route("**/*", self._serve)
        return page

    async def __aexit__(self, *_: object) -> None:
        await self._playwright.stop()

    async def _serve(self, route: Route) -> None:
        request = route.request
        headers = {
            **{name: value for name, value in request.headers.items() if name not in ("cookie", "host")},
            "Accept-Language": self._language,
            "Accept": request.headers.get("accept", "*/*"),
        }
        found = await self._citizen._send(
            request.method, request.url.removeprefix(LOCKER), headers=headers, content=request.post_data_buffer
        )
        if found.status_code == 303:
            found = await self._citizen._send("GET", found.headers["location"], headers=headers)
        await route.fulfill(status=found.status_code, headers=dict(found.headers), body=found.content)


async def _shot(page: Page, language: str, name: str) -> None:
    folder = SCREENS / language
    folder.mkdir(parents=True, exist_ok=True)
    await page.wait_for_load_state("networkidle")
    await page.screenshot(path=folder / f"{name}.png", full_page=True)


async def _violations(page: Page) -> list[str]:
    await page.evaluate(axe_source())
    options = json.dumps({"runOnly": {"type": "tag", "values": WCAG_2_2_AA}, "resultTypes": ["violations"]})
    result: dict[str, Any] = await page.evaluate(f"axe.run(document, {options})")
    return [f"{one['id']}: {one['nodes'][0]['html'][:200]}" for one in result["violations"]]
