"""A sign-in from somewhere new is told, and can be disowned without signing in."""

import re

import httpx
import pytest

from tests.people import Person, active, letters, post, rested, sign_in
from tests.provider import ORIGIN, Provider

pytestmark = pytest.mark.asyncio(loop_scope="module")

FIREFOX = "Mozilla/5.0 (Android 14; Mobile; rv:125.0) Gecko/125.0 Firefox/125.0"
CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Safari/537.36"


def browser_at(idp: Provider, address: str, agent: str) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=idp.transport.app, client=(address, 1))
    headers = {"Accept": "text/html", "User-Agent": agent}
    return httpx.AsyncClient(transport=transport, base_url=ORIGIN, headers=headers)


async def told(idp: Provider, person: Person) -> list[str]:
    return [one.letter.text for one in await letters(idp, person.citizen_id) if one.kind == "sign-in.new"]


async def signs_in(idp: Provider, person: Person, address: str, agent: str) -> httpx.AsyncClient:
    await rested(idp, person)
    browser = browser_at(idp, address, agent)
    assert (await sign_in(browser, person)).status_code == 303
    return browser


async def test_each_new_browser_and_each_new_network_is_told_once(idp: Provider) -> None:
    person = await active(idp)
    for address, agent, sum_so_far in (
        ("196.200.1.1", FIREFOX, 2),
        ("196.200.1.1", FIREFOX, 2),
        ("196.200.250.9", FIREFOX, 2),
        ("196.200.1.1", CHROME, 4),
        ("41.140.3.3", FIREFOX, 6),
        ("41.140.3.3", FIREFOX, 6),
    ):
        await signs_in(idp, person, address, agent)
        assert len(await told(idp, person)) == sum_so_far, (address, agent)
    assert "Firefox, Android" in (await told(idp, person))[0]


async def test_this_was_not_me_ends_that_session_and_no_other_once(idp: Provider) -> None:
    person = await active(idp)
    mine = await signs_in(idp, person, "196.200.1.1", FIREFOX)
    thief = await signs_in(idp, person, "8.8.8.8", CHROME)
    found = re.search(r"https://id\.test(/idp/not-me\?token=([\w-]+))", (await told(idp, person))[0])
    assert found
    async with browser_at(idp, "105.66.1.1", CHROME) as phone:
        # Opening the link ends nothing: programs that look through mail open links too.
        assert (await phone.get(found[1])).status_code == 200
        assert (await thief.get("/idp/account")).status_code == 200
        for token, status in (("A" * 43, 404), (found[2], 200), (found[2], 404)):
            answer = await post(phone, "/idp/not-me", page=found[1], token=token)
            assert answer.status_code == status
            if status == 200:
                assert re.search(r"\d\d:\d\d:\d\d", answer.text)
        assert (await phone.get("/idp/account")).headers["location"] == "/idp/sign-in"
    assert (await thief.get("/idp/account")).headers["location"] == "/idp/sign-in"
    assert (await mine.get("/idp/account")).status_code == 200
    rows = await idp.owner("SELECT token_sha256 FROM idp.sign_in_alert WHERE citizen_id = $1", person.citizen_id)
    assert all(found[2].encode() != row["token_sha256"] for row in rows)


async def test_a_link_that_is_too_old_ends_nothing(idp: Provider) -> None:
    person = await active(idp)
    browser = await signs_in(idp, person, "196.200.1.1", FIREFOX)
    await idp.owner("UPDATE idp.sign_in_alert SET expires_at = now() - interval '1 second'")
    found = re.search(r"/idp/not-me\?token=([\w-]+)", (await told(idp, person))[0])
    assert found
    async with idp.browser() as phone:
        assert (await post(phone, "/idp/not-me", page=found[0], token=found[1])).status_code == 404
    assert (await browser.get("/idp/account")).status_code == 200


async def test_whoever_answered_freezes_the_account_and_nobody_else_does(idp: Provider) -> None:
    person = await active(idp)
    browser = await signs_in(idp, person, "196.200.1.1", FIREFOX)
    found = re.search(r"/idp/not-me\?token=([\w-]+)", (await told(idp, person))[0])
    assert found
    async with idp.browser() as phone, idp.browser() as stranger:
        assert (await post(stranger, "/idp/not-me/freeze", page="/idp/not-me")).status_code == 404
        assert (await post(phone, "/idp/not-me/freeze", page="/idp/not-me")).status_code == 404
        await post(phone, "/idp/not-me", page=found[0], token=found[1], expect=200)
        assert (await post(stranger, "/idp/not-me/freeze", page="/idp/not-me")).status_code == 404
        assert (await post(phone, "/idp/not-me/freeze", page="/idp/not-me")).status_code == 200
        assert (await post(phone, "/idp/not-me/freeze", page="/idp/not-me")).status_code == 404
    rows = await idp.owner("SELECT state FROM idp.citizen WHERE citizen_id = $1", person.citizen_id)
    assert rows[0]["state"] == "frozen"
    assert (await browser.get("/idp/account")).headers["location"] == "/idp/sign-in"
