"""The page that a citizen prints, and what stands there when there is none."""

import re
from collections.abc import AsyncIterator
from html import unescape
from typing import Any

import httpx
import pytest
import pytest_asyncio

from locker.printed import print_copy
from tests.citizen_browser import Browser, CitizenWorld, open_citizen_world
from tests.locker_world import AMINA, YOUSSEF

FIELDS = {"family_name": "العلوي Alaoui", "birthdate": "1990-05-17", "record_number": "1234/1990"}
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(dsns: Any, s3: Any, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[CitizenWorld]:
    async with open_citizen_world(dsns, s3, tmp_path_factory.mktemp("sheet")) as opened:
        yield opened


async def pressed(browser: Browser, document_id: str) -> httpx.Response:
    """The button on the document's page."""
    page = await browser.get(f"/wallet/documents/{document_id}")
    return await browser.submit(page)


async def said(place: CitizenWorld, sheet: httpx.Response) -> dict[str, Any]:
    """What the checker says of the sheet's code."""
    found = re.search(r'id="code-address" href="([^"]+)"', sheet.text)
    assert found is not None
    answer = await place.world.locker.post("/v1/printed/checks", json={"text": unescape(found[1])})
    assert answer.json()["authentic"], answer.text
    claims: dict[str, Any] = answer.json()["claims"]
    return claims


async def test_the_sheet_says_what_its_code_says_and_the_history_that_it_was_made(place: CitizenWorld) -> None:
    document_id = await place.document(fields=FIELDS)
    citizen = await place.signed_in()
    sheet = await pressed(citizen, document_id)
    assert sheet.status_code == 200, sheet.text
    assert (await said(place, sheet))["fields"] == FIELDS
    assert [value for value in FIELDS.values() if value not in sheet.text] == []
    assert "A préparé une copie imprimée d’un document" in (await citizen.get("/wallet/history")).text


async def test_a_page_of_another_site_prints_nothing(place: CitizenWorld) -> None:
    document_id = await place.document(fields=FIELDS)
    citizen = await place.signed_in()
    answer = await citizen.post(f"/wallet/documents/{document_id}/printed", {"csrf": "x"})
    assert answer.status_code == 403
    assert await place.world.rows("SELECT 1 FROM locker.printed WHERE document_id = $1", document_id) == []


async def test_where_all_does_not_fit_the_citizen_chooses(place: CitizenWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    document_id = await place.document(fields={**FIELDS, "family_name": "ا" * 200})
    citizen = await place.signed_in()
    monkeypatch.setattr(print_copy, "CLAIMS_MAX_BYTES", 400)
    asked = await pressed(citizen, document_id)
    assert asked.status_code == 422
    sheet = await citizen.submit(asked, fields=["birthdate", "record_number"])
    assert sheet.status_code == 200, sheet.text
    assert (await said(place, sheet))["fields"] == {name: FIELDS[name] for name in ("birthdate", "record_number")}
    assert "ا" * 200 not in sheet.text


async def test_k_22_the_limit_is_one_for_pages_and_programs_and_says_so_on_a_page(place: CitizenWorld) -> None:
    of_amina, of_youssef = await place.document(fields=FIELDS), await place.document(uid=YOUSSEF)
    citizen = await place.signed_in()
    wallet_app = place.share_headers(AMINA)
    for _ in range(125):  # the window may turn once meanwhile
        made = await place.world.locker.post(f"/v1/documents/{of_amina}/printed", json={}, headers=wallet_app)
        if made.status_code == 429 and (refused := await pressed(citizen, of_amina)).status_code == 429:
            break
    assert refused.status_code == 429
    assert int(refused.headers["retry-after"]) <= 60
    assert "Plus de copie pour le moment" in refused.text
    other = await place.signed_in(YOUSSEF)
    assert (await pressed(other, of_youssef)).status_code == 200
