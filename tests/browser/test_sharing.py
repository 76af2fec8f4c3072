"""Making a share, showing a code and what the other side sees: on a phone, in both directions, without script."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio
from playwright.async_api import Page, Route, async_playwright

from locker.requests.register_purpose import register_purpose
from locker.requests.schema import PurposeRegistration
from tests.browser.conftest import chromium_path, launch_arguments
from tests.browser.page_checks import SCREENS, WCAG_2_2_AA, axe_source
from tests.citizen_browser import Browser, CitizenWorld, open_citizen_world
from tests.locker_world import BIRTH, LOCKER, RECORD

pytestmark = pytest.mark.browser
PHONE = {"width": 360, "height": 640}
FIELDS = {"family_name": "العلوي الكتاني", "birthdate": "1988-04-17", "record_number": "41/1988"}


@pytest_asyncio.fixture
async def place(new_database: Any, s3: Any, tmp_path: Path) -> AsyncIterator[CitizenWorld]:
    # Each test has a master key of its own, so it must not meet the epoch key of its neighbour.
    async with open_citizen_world(new_database(), s3, tmp_path / "locker") as opened:
        yield opened


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


async def checked(page: Page, browser: Browser, path: str, name: str, language: str) -> list[str]:
    """What axe and the width say of one page, which is served by the locker of this process."""

    async def serve(route: Route) -> None:
        found = await browser.get(route.request.url.removeprefix(LOCKER))
        await route.fulfill(status=found.status_code, headers=dict(found.headers), body=found.content)

    await page.route("**/*", serve)
    answer = await page.goto(f"{LOCKER}{path}?lang={language}")
    assert answer is not None
    assert answer.status == 200, (name, answer.status)
    folder = SCREENS / language
    folder.mkdir(parents=True, exist_ok=True)
    await page.screenshot(path=folder / f"sharing-{name}-phone.png", full_page=True)
    await page.evaluate(axe_source())
    options = json.dumps({"runOnly": {"type": "tag", "values": WCAG_2_2_AA}, "resultTypes": ["violations"]})
    result: dict[str, Any] = await page.evaluate(f"axe.run(document, {options})")
    wrong = [f"{name}: {one['id']}: {one['nodes'][0]['html'][:200]}" for one in result["violations"]]
    if await page.evaluate("document.documentElement.scrollWidth") > PHONE["width"]:
        wrong.append(f"{name} ({language}): wider than the phone")
    await page.unroute("**/*")
    return wrong


async def test_sharing_is_for_everybody(place: CitizenWorld, phone: Page) -> None:
    document_id = await place.document(fields=FIELDS)
    citizen, clerk = await place.signed_in(), place.browser("198.51.100.7")

    async def made(days: str) -> str:
        step = await citizen.submit(await citizen.get("/wallet/shares/new"), document=[document_id])
        step = await citizen.submit(
            await citizen.get(step.headers["location"]), recipient="المكتبة الوطنية", purpose="بطاقة القارئ"
        )
        step = await citizen.submit(await citizen.get(step.headers["location"]), days=days, openings="5")
        check: str = step.headers["location"]
        fields = await citizen.get(check.replace("/check", "/fields"))
        await citizen.submit(fields, **{f"fields-{document_id}": ["birthdate", "family_name"]})
        return check

    first = await made("7")
    share = (await citizen.submit(await citizen.get(first))).headers["location"]
    link = (await citizen.get(share)).text.split('value="' + LOCKER)[1].split('"')[0]
    opened = (await clerk.submit(await clerk.get(link))).headers["location"]
    draft = await made("7")
    now = await made("face-to-face")
    standing = (await citizen.submit(await citizen.get(now))).headers["location"]
    wrong: list[str] = []
    for language in ("ar", "fr"):
        for name, path in {
            "choose": "/wallet/shares/new",
            "limits": draft.replace("/check", "/limits"),
            "fields": draft.replace("/check", "/fields"),
            "check": draft,
            "share": share,
            "face-to-face": standing,
            "shares": "/wallet/shares",
        }.items():
            wrong += await checked(phone, citizen, path, name, language)
        for name, path in {"landing": link, "code": "/code", "opened": opened}.items():
            wrong += await checked(phone, clerk, path, name, language)
    assert wrong == []


async def test_a_request_for_documents_is_for_everybody(place: CitizenWorld, phone: Page) -> None:
    await place.document(fields=FIELDS)
    names = {"ar": "البنك", "fr": "La banque", "zgh": "ⵜⴰⴱⴰⵏⴽⴰ", "en": "The bank"}
    purpose = {"ar": "فتح حساب", "fr": "Ouvrir un compte", "zgh": "ⴰⵔⵣⵣⵓⵎ", "en": "To open an account"}
    citizen = await place.signed_in()
    token = place.provider.token(sub="bank", client_id="bank", scope="documents:request")
    paths = []
    # The second one asks for more than the first, which was declined.
    for asked in (
        [{"type": BIRTH, "fields": ["family_name"]}],
        [{"type": BIRTH, "fields": [*FIELDS]}, {"type": RECORD}],
    ):
        registration = {"client_id": "bank", "purpose_id": "a", "names": names, "purpose": purpose, "documents": asked}
        new = msgspec.convert(registration, PurposeRegistration)
        await register_purpose(place.world.wiring.db, place.world.wiring.audit, new, officer="test")
        made = await place.world.locker.post(
            "/v1/requests", headers={"Authorization": f"Bearer {token}"}, json={"purpose": "a"}
        )
        paths.append(made.json()["url"].removeprefix(LOCKER))
        if len(paths) == 1:
            await citizen.submit(await citizen.get(paths[0]), decision="decline")
    wrong: list[str] = []
    for language in ("ar", "fr"):
        wrong += await checked(phone, citizen, paths[1], "request", language)
        wrong += await checked(phone, citizen, "/wallet/requests/declined", "declined", language)
    assert wrong == []
