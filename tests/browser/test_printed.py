"""A printed code is opened by a telephone: the script takes the claims from the fragment, which no request carries."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Page, Route, async_playwright

from tests.browser.conftest import chromium_path, launch_arguments
from tests.browser.page_checks import SCREENS, WCAG_2_2_AA, axe_source
from tests.locker_world import AMINA, LOCKER, World, open_world

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]
FIELDS = {"family_name": "العلوي Alaoui", "birthdate": "1990-05-17", "record_number": "1234/1990"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(dsns: Any, s3: Any, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with open_world(dsns, s3, tmp_path_factory.mktemp("printed-browser")) as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def address(world: World) -> str:
    document_id = (await world.deposit(fields=FIELDS)).json()["document_id"]
    made = await world.locker.post(
        f"/v1/documents/{document_id}/printed", json={}, headers=world.citizen(AMINA, scope="documents:share")
    )
    found: str = made.json()["address"]
    return found


@pytest.mark.parametrize("language", ["ar", "fr"])
@pytest.mark.parametrize("scripts", [True, False], ids=["script", "no-script"])
async def test_a_code_is_opened_and_says_what_it_says(world: World, address: str, language: str, scripts: bool) -> None:
    path, sent = chromium_path(), []
    if path is None:
        pytest.skip("NO CHROMIUM on the PATH")

    async def serve(route: Route) -> None:
        request = route.request
        sent.append(f"{request.method} {request.url}")
        headers = {**request.headers, "accept-language": language, "origin": LOCKER}
        body = request.post_data_buffer
        found = await world.locker.request(
            request.method, request.url.removeprefix(LOCKER), headers=headers, content=body
        )
        await route.fulfill(status=found.status_code, headers=dict(found.headers), body=found.content)

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=launch_arguments())
        context = await browser.new_context(viewport={"width": 375, "height": 700}, java_script_enabled=scripts)
        page = await context.new_page()
        await page.route("**/*", serve)
        await page.goto(address)
        if not scripts:
            await _shot(page, language, "printed-form")
            await page.fill("#text", address)
            await page.click("#printed-submit")
        await page.wait_for_selector("#claims")
        assert FIELDS["record_number"] in await page.inner_text("#claims")
        assert await page.get_attribute("html", "dir") == ("rtl" if language == "ar" else "ltr")
        assert page.url == f"{LOCKER}/p", "the claims do not stay in the history of the browser"
        await _shot(page, language, "printed-checked")
        assert not [one for one in sent if "#" in one or "0oR" in one], "in no address that a server saw"
        if scripts:
            assert await _violations(page) == []
        await browser.close()


async def _shot(page: Page, language: str, name: str) -> None:
    folder = SCREENS / language
    folder.mkdir(parents=True, exist_ok=True)
    await page.screenshot(path=folder / f"{name}-phone.png", full_page=True)


async def _violations(page: Page) -> list[str]:
    await page.evaluate(axe_source())
    options = json.dumps({"runOnly": {"type": "tag", "values": WCAG_2_2_AA}, "resultTypes": ["violations"]})
    result: dict[str, Any] = await page.evaluate(f"axe.run(document, {options})")
    return [f"{one['id']}: {one['nodes'][0]['html'][:200]}" for one in result["violations"]]
