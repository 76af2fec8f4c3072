"""Freezing, acting for others, services and history, as the citizen sees them: axe in both directions, on a phone."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Page, Route, async_playwright

from tests.browser.conftest import chromium_path, launch_arguments
from tests.browser.page_checks import SCREENS, WCAG_2_2_AA, axe_source
from tests.conftest import Dsns
from tests.people import active, signed_in
from tests.provider import ORIGIN, Provider, running_provider
from tests.unit.idp.mandates.test_mandates import recorded

pytestmark = pytest.mark.browser
PHONE = {"width": 375, "height": 700}


@pytest_asyncio.fixture
async def idp(dsns: Dsns) -> AsyncIterator[Provider]:
    async with running_provider(dsns.idp, dsns.owner) as provider:
        yield provider


@pytest_asyncio.fixture
async def phone() -> AsyncIterator[Page]:
    path = chromium_path()
    if path is None:
        pytest.skip("NO CHROMIUM on the PATH")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=launch_arguments())
        context = await browser.new_context(viewport=PHONE, bypass_csp=True)  # type: ignore[arg-type]
        yield await context.new_page()
        await browser.close()


async def checked(page: Page, client: httpx.AsyncClient, path: str, name: str, language: str) -> list[str]:
    """What axe and the width say of one page, which is served by the provider of this process."""

    async def serve(route: Route) -> None:
        found = await client.get(route.request.url.removeprefix(ORIGIN))
        await route.fulfill(status=found.status_code, headers=dict(found.headers), body=found.content)

    await page.route("**/*", serve)
    joint = "&" if "?" in path else "?"
    await page.goto(f"{ORIGIN}{path}{joint}lang={language}")
    folder = SCREENS / language
    folder.mkdir(parents=True, exist_ok=True)
    await page.screenshot(path=folder / f"{name}-phone.png", full_page=True)
    await page.evaluate(axe_source())
    options = json.dumps({"runOnly": {"type": "tag", "values": WCAG_2_2_AA}, "resultTypes": ["violations"]})
    result: dict[str, Any] = await page.evaluate(f"axe.run(document, {options})")
    wrong = [f"{name}: {one['id']}: {one['nodes'][0]['html'][:200]}" for one in result["violations"]]
    if await page.evaluate("document.documentElement.scrollWidth") > PHONE["width"]:
        wrong.append(f"{name}: wider than the phone")
    await page.unroute("**/*")
    return wrong


async def test_the_citizens_own_pages_are_for_everybody(idp: Provider, phone: Page) -> None:
    represented, actor = await active(idp), await active(idp)
    await recorded(idp, represented.uid, actor.uid)
    await recorded(idp, actor.uid, represented.uid, kind="proxy", scopes=("email",))
    party = await idp.client(representation_allowed=True)
    wrong: list[str] = []
    async with signed_in(idp, actor) as browser:
        tokens = await idp.tokens(browser, await idp.client(client_name="Another service"))
        await idp.userinfo(tokens["access_token"])
        act_for = (await browser.get("/idp/authorize", params=party.request())).headers["location"]
        pages = {
            "freeze": "/idp/account/freeze?done=frozen",
            "mandates": "/idp/account/mandates?done=given",
            "act-for": act_for,
            "services": "/idp/account/services",
            "history": "/idp/account/history",
            "frozen": "/idp/frozen",
            "unfreeze": "/idp/unfreeze",
        }
        for language in ("ar", "fr"):
            for name, path in pages.items():
                wrong += await checked(phone, browser, path, name, language)
    assert wrong == []
