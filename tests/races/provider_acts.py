"""What is done at the provider, each on a citizen of its own."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from idp.citizens.change_state import change_state
from idp.erasing import store as erasing
from idp.erasing.erase_account import erase_account
from kit.db import Database
from tests.interleaving import Act, Order, orders_of
from tests.people import Person, active, first_factor, post
from tests.provider import CALLBACK, Provider, RelyingParty, csrf_of
from tests.races.scene import unavailable

Prepare = Callable[["Scene"], Awaitable[Act]]
FIRSTS: dict[str, Prepare] = {}
SECONDS: dict[str, Prepare] = {}


@dataclass
class Scene:
    idp: Provider
    party: RelyingParty
    person: Person
    browser: httpx.AsyncClient
    """Where the citizen is signed in."""
    browsers: list[httpx.AsyncClient] = field(default_factory=list)
    """Which may have become signed in."""

    async def consent(self) -> str:
        page = await self.browser.get("/idp/account/services")
        found = re.search(r'name="consent" value="([^"]+)"', page.text)
        assert found, page.text
        return found[1]


async def scene(idp: Provider, party: RelyingParty, *, whole: bool) -> Scene:
    """``whole``: with a password and an authenticator app; else one for whom sessions are started."""
    if whole:
        person = await active(idp)
    else:
        citizen_id = await idp.citizen()
        [row] = await idp.owner("SELECT uid FROM idp.citizen WHERE citizen_id = $1", citizen_id)
        person = Person(row["uid"], citizen_id, "", None)
    return Scene(idp, party, person, await idp.signed_in(person.citizen_id))


def first(prepare: Prepare) -> Prepare:
    FIRSTS[prepare.__name__] = prepare
    return prepare


def second(prepare: Prepare) -> Prepare:
    SECONDS[prepare.__name__] = prepare
    return prepare


@first
async def exchange(s: Scene) -> Act:
    code = await s.idp.code(s.browser, s.party, scope="openid profile offline_access")
    return lambda: s.idp.exchange(s.party, code)


@first
async def refresh(s: Scene) -> Act:
    tokens = await s.idp.tokens(s.browser, s.party, scope="openid profile offline_access")
    return lambda: s.idp.refresh(s.party, tokens["refresh_token"])


@first
async def userinfo(s: Scene) -> Act:
    tokens = await s.idp.tokens(s.browser, s.party)
    return lambda: s.idp.userinfo(tokens["access_token"])


@first
async def authorize(s: Scene) -> Act:
    """The citizen allowed it before."""
    await s.idp.tokens(s.browser, s.party)
    return lambda: s.browser.get("/idp/authorize", params=s.party.request())


@first
async def allow(s: Scene) -> Act:
    shown = await s.browser.get("/idp/authorize", params=s.party.request(scope="openid profile"))
    location = shown.headers["location"]
    page = await s.browser.get(location)
    return lambda: s.browser.post(location, data={"csrf": csrf_of(page), "decision": "allow"})


@first
async def account(s: Scene) -> Act:
    return lambda: s.browser.get("/idp/account")


@first
async def sign_out(s: Scene) -> Act:
    page = await s.browser.get("/idp/account")
    return lambda: s.browser.post("/idp/sign-out", data={"csrf": csrf_of(page)})


@first
async def password(s: Scene) -> Act:
    browser = s.idp.browser()
    s.browsers.append(browser)
    page = await browser.get("/idp/sign-in")
    said = {"csrf": csrf_of(page), "username": s.person.uid, "password": s.person.password}
    return lambda: browser.post("/idp/sign-in", data=said)


@first
async def wrong_password(s: Scene) -> Act:
    browser = s.idp.browser()
    page = await browser.get("/idp/sign-in")
    said = {"csrf": csrf_of(page), "username": s.person.uid, "password": "not this one at all"}
    return lambda: browser.post("/idp/sign-in", data=said)


@first
async def otp(s: Scene) -> Act:
    browser = s.idp.browser()
    s.browsers.append(browser)
    answer = await first_factor(browser, s.person)
    assert answer.status_code == 303, answer.text
    page = await browser.get("/idp/sign-in/second-factor")
    said = {"csrf": csrf_of(page), "otp": s.person.otp()}
    return lambda: browser.post("/idp/sign-in/second-factor", data=said)


@first
async def codes_by_message(s: Scene) -> Act:
    return lambda: post(s.browser, "/idp/account/codes", channel="sms")


@second
async def freeze(s: Scene) -> Act:
    return lambda: change_state(
        s.idp.wiring.db, s.idp.wiring.audit, s.person.uid, "freeze", actor_kind="officer", actor="o", reason="R"
    )


@second
async def erase(s: Scene) -> Act:
    return lambda: erase_account(s.idp.wiring.db, s.idp.wiring.audit, s.person.uid, officer="o", reference="R")


@second
async def disconnect(s: Scene) -> Act:
    consent = await s.consent()
    page = await s.browser.get("/idp/account/services")
    return lambda: s.browser.post("/idp/account/services", data={"csrf": csrf_of(page), "consent": consent})


async def wrong(s: Scene, order: Order, *, second: str) -> list[str]:
    found = []
    for answer in (order.first, order.second):
        if isinstance(answer, httpx.Response) and answer.status_code >= 500:
            found.append(f"answered {answer.status_code}: {answer.text[:200]}")
        elif isinstance(answer, Exception):
            found.append(f"raised {answer!r}")
    if isinstance(answer := order.first, httpx.Response):
        found += await _what_lives(s, answer)
    if second != "disconnect":
        for browser in (s.browser, *s.browsers):
            if (await browser.get("/idp/account")).status_code == 200:
                found.append("a session lives on")
    if second == "erase":
        await erasing.sweep(s.idp.wiring.db, settled_s=0)
        found += await _left(s)
    return found


async def _what_lives(s: Scene, answer: httpx.Response) -> list[str]:
    tokens: dict[str, Any] = {}
    if answer.headers.get("content-type", "").startswith("application/json") and answer.status_code == 200:
        tokens = answer.json()
    location = answer.headers.get("location", "")
    if location.startswith(CALLBACK) and "code=" in location:
        code = httpx.URL(location).params["code"]
        given = await s.idp.exchange(s.party, code)
        tokens = given.json() if given.status_code == 200 else {}
    found = []
    if "access_token" in tokens and (await s.idp.userinfo(tokens["access_token"])).status_code == 200:
        found.append("an access token lives on")
    if "refresh_token" in tokens and (await s.idp.refresh(s.party, tokens["refresh_token"])).status_code == 200:
        found.append("a refresh token lives on")
    return found


async def _left(s: Scene) -> list[str]:
    rows = await s.idp.owner("SELECT * FROM public.tables_with('idp', $1) AS name", [str(s.person.citizen_id)])
    return [f"something is left in {row['name']}" for row in rows if row["name"] != "idp.citizen"]


WITH_PASSWORD = frozenset({"password", "wrong_password", "otp", "codes_by_message"})


async def race(idp: Provider, rows: Database, first: str, second: str) -> tuple[int, list[str]]:
    """How many orders, and what went wrong. Steps do stop (``steps_stop``)."""
    party = await idp.client()
    made: Scene | None = None
    many, found = 0, list[str]()

    async def make() -> tuple[Act, Act]:
        nonlocal made
        made = await scene(idp, party, whole=first in WITH_PASSWORD)
        return await FIRSTS[first](made), await SECONDS[second](made)

    async for order in orders_of(make, rows=rows, cut=unavailable):
        assert made is not None
        many += 1
        found += [f"{first} / {second}, {order}: {one}" for one in await wrong(made, order, second=second)]
    return many, found
