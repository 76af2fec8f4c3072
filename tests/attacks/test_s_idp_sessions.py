"""Group S of the attack catalogue, at the provider."""

import math
import re
from collections import Counter

import httpx
import pytest

from idp.app import ROUTES
from idp.sessions.cookies import BROWSER_COOKIE, SESSION_COOKIE
from kit.tokens import digest, new_token
from tests.people import PASSWORD, active, first_factor, post, rested, second_factor, sign_in, signed_in, submit
from tests.provider import Provider, csrf_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

HOST = "id.test"


def set_cookies(response: httpx.Response) -> dict[str, str]:
    return {line.split("=", 1)[0]: line for line in response.headers.get_list("set-cookie")}


async def test_s_01_a_planted_session_cookie_is_worth_nothing_after_sign_in(idp: Provider) -> None:
    person = await active(idp)
    planted = new_token()
    async with idp.browser() as browser:
        browser.cookies.set(SESSION_COOKIE, planted, domain=HOST, path="/")
        await first_factor(browser, person)
        answer = await second_factor(browser, person.otp())
        given = set_cookies(answer)[SESSION_COOKIE]
        assert planted not in given
    async with idp.browser() as attacker:
        attacker.cookies.set(SESSION_COOKIE, planted, domain=HOST, path="/")
        assert (await attacker.get("/idp/account")).headers["location"] == "/idp/sign-in"


async def test_s_01_a_step_up_changes_the_cookie(idp: Provider) -> None:
    person, party = await active(idp), await idp.client(default_acr_values=["low"])
    async with idp.browser() as browser:
        answer = await browser.get("/idp/authorize", params=party.request())
        query = "?" + answer.headers["location"].partition("?")[2]
        answer = await first_factor(browser, person, query=query)
        assert answer.headers["location"].startswith("/idp/authorize/resume"), answer.headers
        low = browser.cookies[SESSION_COOKIE]
        answer = await browser.get("/idp/sign-in")
        answer = await second_factor(browser, person.otp())
        assert answer.status_code == 303
        assert browser.cookies[SESSION_COOKIE] != low
    async with idp.browser() as attacker:
        attacker.cookies.set(SESSION_COOKIE, low, domain=HOST, path="/")
        assert (await attacker.get("/idp/account")).headers["location"] == "/idp/sign-in"


async def test_s_01_a_new_authentication_changes_the_cookie(idp: Provider) -> None:
    person = await active(idp)
    async with signed_in(idp, person) as browser:
        before = browser.cookies[SESSION_COOKIE]
        await rested(idp, person)
        await sign_in(browser, person, query="?to=password")
        assert browser.cookies[SESSION_COOKIE] != before
    async with idp.browser() as attacker:
        attacker.cookies.set(SESSION_COOKIE, before, domain=HOST, path="/")
        assert (await attacker.get("/idp/account")).headers["location"] == "/idp/sign-in"


async def test_s_02_every_cookie_is_host_only_secure_http_only_and_lax(idp: Provider) -> None:
    person = await active(idp)
    async with idp.browser() as browser:
        lines = set_cookies(await browser.get("/idp/sign-in?lang=fr"))
        await first_factor(browser, person)
        lines.update(set_cookies(await second_factor(browser, person.otp())))
        page = await browser.get("/idp/account")
        lines[SESSION_COOKIE + " ended"] = set_cookies(
            await browser.post("/idp/sign-out", data={"csrf": csrf_of(page)})
        )[SESSION_COOKIE]
    assert {BROWSER_COOKIE, SESSION_COOKIE} <= set(lines)
    for line in lines.values():
        attributes = {part.strip().lower() for part in line.split(";")[1:]}
        assert line.startswith("__Host-")
        assert {"secure", "httponly", "samesite=lax", "path=/"} <= attributes
        assert not any(attribute.startswith("domain") for attribute in attributes)


@pytest.mark.parametrize(
    ("sql", "alive"),
    [
        ("seen_at = now() - interval '14 minutes 55 seconds'", True),
        ("seen_at = now() - interval '15 minutes 1 second'", False),
        ("expires_at = expires_at - interval '11 hours 59 minutes'", True),
        ("expires_at = expires_at - interval '12 hours 1 second'", False),
    ],
)
async def test_s_03_a_session_ends_after_a_quarter_of_an_hour_idle_and_after_twelve_hours(
    idp: Provider, sql: str, alive: bool
) -> None:
    person = await active(idp)
    async with signed_in(idp, person) as browser:
        await idp.owner(f"UPDATE idp.session SET {sql} WHERE citizen_id = $1", person.citizen_id)
        answer = await browser.get("/idp/account")
    assert answer.status_code == (200 if alive else 303)
    assert alive or answer.headers["location"] == "/idp/sign-in"


async def test_s_03_use_does_not_move_the_absolute_end(idp: Provider) -> None:
    person = await active(idp)
    async with signed_in(idp, person) as browser:
        await idp.owner(
            "UPDATE idp.session SET seen_at = seen_at - interval '2 minutes' WHERE citizen_id = $1", person.citizen_id
        )
        before = await idp.owner("SELECT expires_at FROM idp.session WHERE citizen_id = $1", person.citizen_id)
        assert (await browser.get("/idp/account")).status_code == 200
        assert before == await idp.owner("SELECT expires_at FROM idp.session WHERE citizen_id = $1", person.citizen_id)


async def test_s_04_a_cookie_replayed_after_sign_out_opens_nothing(idp: Provider) -> None:
    person = await active(idp)
    async with signed_in(idp, person) as browser:
        stolen = browser.cookies[SESSION_COOKIE]
        page = await browser.get("/idp/account")
        await browser.post("/idp/sign-out", data={"csrf": csrf_of(page)})
    async with idp.browser() as thief:
        thief.cookies.set(SESSION_COOKIE, stolen, domain=HOST, path="/")
        assert (await thief.get("/idp/account")).headers["location"] == "/idp/sign-in"
        page = await thief.get("/idp/sign-in")
        answer = await submit(thief, "/idp/account/password", page, password="Le thé du soir à Ifrane")
        assert answer.status_code == 403


async def test_s_06_a_new_password_ends_other_sessions_and_every_refresh_family(idp: Provider) -> None:
    person, party = await active(idp), await idp.client()
    async with signed_in(idp, person) as here, signed_in(idp, person) as there:
        tokens = await idp.tokens(there, party, scope="openid offline_access", prompt="consent")
        answer = await idp.refresh(party, tokens["refresh_token"])
        assert answer.status_code == 200
        tokens = answer.json()
        await post(here, "/idp/account/password", password="Le thé du soir à Ifrane", expect=303)
        assert (await here.get("/idp/account")).status_code == 200
        assert (await there.get("/idp/account")).headers["location"] == "/idp/sign-in"
        answer = await idp.refresh(party, tokens["refresh_token"])
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
        assert (await idp.userinfo(tokens["access_token"])).status_code == 401


async def test_s_08_odd_cookies_are_no_fault_and_no_session(idp: Provider) -> None:
    person = await active(idp)
    async with signed_in(idp, person) as browser:
        token = browser.cookies[SESSION_COOKIE]
    for header in (
        f"{SESSION_COOKIE}={token}; {SESSION_COOKIE}={new_token()}",
        f"{SESSION_COOKIE}={new_token()}; {SESSION_COOKIE}={token}",
        f"{SESSION_COOKIE}={'a' * 8_192}",
        f"{SESSION_COOKIE}=\x80\xff{'b' * 41}",
        f"{SESSION_COOKIE}",
        f"{SESSION_COOKIE}=;;;===; {BROWSER_COOKIE}='\"",
        "; ".join(f"cookie-{number}=1" for number in range(100)),
    ):
        answer = await idp.http.get(
            "/idp/account",
            headers={"Cookie": header.encode("latin-1"), "Accept": "text/html"},  # type: ignore[dict-item]
        )
        assert answer.status_code in (303, 400, 431), header[:60]
        assert answer.headers.get("location", "/idp/sign-in") == "/idp/sign-in"
    alone = "; ".join([*(f"cookie-{number}=1" for number in range(100)), f"{SESSION_COOKIE}={token}"])
    answer = await idp.http.get("/idp/account", headers={"Cookie": alone})
    assert answer.status_code == 200


async def test_s_13_ten_thousand_session_ids_are_random(idp: Provider) -> None:
    person = await active(idp)
    async with signed_in(idp, person) as browser:
        given = browser.cookies[SESSION_COOKIE]
    tokens = [new_token() for _ in range(10_000)]
    assert len(given) == len(tokens[0]) == 43  # 256 bits
    assert len(set(tokens)) == len(tokens)
    for position in range(42):
        counts = Counter(token[position] for token in tokens)
        entropy = -sum(n / 10_000 * math.log2(n / 10_000) for n in counts.values())
        assert entropy > 5.98  # of 6 bits a character
    rows = await idp.owner("SELECT session_sha256, sid FROM idp.session WHERE citizen_id = $1", person.citizen_id)
    assert rows[0]["session_sha256"] == digest(given)
    assert given not in rows[0]["sid"]


async def test_s_13_the_password_stands_nowhere(idp: Provider) -> None:
    person = await active(idp)
    async with signed_in(idp, person):
        pass
    for table in ("password", "session", "sign_in_attempt", "audit", "throttle", "outbox", "citizen"):
        rows = await idp.owner(f"SELECT t::text AS line FROM idp.{table} t")
        assert not any(PASSWORD in row["line"] for row in rows)


def _routes(method: str) -> list[str]:
    """Every address of the provider that takes this method, from its own list."""
    paths = set()
    for handler in ROUTES:
        for path in handler.paths:
            if method in getattr(handler, "http_methods", ()):
                paths.add("/idp" + re.sub(r"\{[^}]+\}", "0" * 25, path).rstrip("/"))
    return sorted(paths)


# Forms of ours; the other POSTs are messages of programs, which carry no cookie's power.
_FORMS = ("account", "sign-in", "sign-out", "activate", "recover", "not-me", "consent", "unfreeze", "upstream")


def _forms() -> list[str]:
    return [path for path in _routes("POST") if path.split("/")[2] in _FORMS]


async def test_s_09_no_form_is_taken_without_the_token_of_this_browser(idp: Provider) -> None:
    assert len(_forms()) >= 35
    person, party = await active(idp), await idp.client()
    async with signed_in(idp, person) as browser, idp.browser() as other:
        foreign = csrf_of(await other.get("/idp/sign-in"))
        own = csrf_of(await browser.get("/idp/account"))
        answer = await browser.get("/idp/authorize", params=party.request(prompt="consent"))
        query = answer.headers["location"].partition("?")[2]
        kept = dict(browser.cookies)
        for path in _forms():
            for data in ({"x": "1"}, {"csrf": ""}, {"csrf": "wrong"}, {"csrf": foreign}):
                answer = await browser.post(f"{path}?{query}", data=data)
                assert answer.status_code == 403, (path, data)
            for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}):
                answer = await browser.post(f"{path}?{query}", data={"csrf": own}, headers=headers)
                assert answer.status_code == 403, (path, headers)
        assert dict(browser.cookies) == kept
        assert (await browser.get("/idp/account")).status_code == 200


async def test_s_15_every_answer_of_every_route_has_the_headers_also_a_refusal(idp: Provider) -> None:
    person = await active(idp)
    wanted = {
        "content-security-policy": "frame-ancestors 'none'",
        "strict-transport-security": "max-age=63072000",
        "x-content-type-options": "nosniff",
        "cross-origin-opener-policy": "same-origin",
        "referrer-policy": "no-referrer",
    }
    async with signed_in(idp, person) as browser, idp.browser() as stranger:
        asked = [("GET", path) for path in _routes("GET")] + [("POST", path) for path in _routes("POST")]
        asked += [("GET", "/idp/nothing"), ("PUT", "/idp/token"), ("GET", "/"), ("POST", "/idp/static/x")]
        assert len(asked) >= 70
        for method, path in asked:
            for one in (stranger, browser):
                answer = await one.request(method, path)
                assert answer.status_code < 500, (method, path, answer.text)
                for name, part in wanted.items():
                    assert part in answer.headers.get(name, ""), (method, path, name)
                assert "unsafe" not in answer.headers["content-security-policy"], (method, path)


async def test_s_14_nothing_personal_is_kept_for_the_back_button(idp: Provider) -> None:
    person = await active(idp)
    async with signed_in(idp, person) as browser:
        paths = [path for path in _routes("GET") if path.startswith("/idp/account")]
        assert len(paths) >= 8
        for path in paths:
            assert "no-store" in (await browser.get(path)).headers["cache-control"], path
        await post(browser, "/idp/sign-out")
        for path in paths:
            answer = await browser.get(path)
            assert answer.status_code in (303, 403, 404), path
            assert person.uid not in answer.text


async def test_s_04_an_end_says_when_it_was_done(idp: Provider) -> None:
    person = await active(idp)
    async with signed_in(idp, person) as mine, signed_in(idp, person) as other:
        answer = await post(mine, "/idp/account/sessions/end", page="/idp/account")
        page = await mine.get(answer.headers["location"] + "&lang=en")
        assert re.search(r"Done at <bdi dir=\"ltr\">\d\d:\d\d:\d\d</bdi>", page.text)
        assert (await other.get("/idp/account")).headers["location"] == "/idp/sign-in"
        # What somebody else wrote into the address is not repeated.
        page = await mine.get("/idp/account?done=session&at=<b>now")
        assert "<b>now" not in page.text
