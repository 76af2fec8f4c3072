"""Attack rows S at the locker: its sessions, its forms, its sign-in as a relying party."""

import re
import time
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec
import pytest
import pytest_asyncio

from khizana.rounds import sweep_locker
from kit.tokens import digest, new_token
from locker.access.sessions import SESSION_COOKIE
from locker.app import ROUTES
from tests.citizen_browser import CitizenWorld, open_citizen_world
from tests.locker_world import AMINA, ISSUER, LOCKER, YOUSSEF

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(dsns: Any, s3: Any, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[CitizenWorld]:
    async with open_citizen_world(dsns, s3, tmp_path_factory.mktemp("locker")) as opened:
        yield opened


async def test_s_01_a_planted_session_is_not_taken_over(place: CitizenWorld) -> None:
    browser = place.browser()
    planted = browser.cookies[SESSION_COOKIE] = new_token()
    await browser.sign_in()
    assert browser.cookies[SESSION_COOKIE] != planted
    first = browser.cookies[SESSION_COOKIE]
    browser.cookies[SESSION_COOKIE] = planted
    assert (await browser.get("/wallet")).status_code == 303
    browser.cookies[SESSION_COOKIE] = first
    await place.world.owner_db.execute("UPDATE locker.session SET last_seen_at = now() - interval '16 minutes'")
    await browser.sign_in()
    assert browser.cookies[SESSION_COOKIE] != first


async def test_s_02_cookies_are_bound_to_this_host_and_hidden_from_scripts(place: CitizenWorld) -> None:
    browser = place.browser()
    started = await browser.get("/sign-in")
    finished = await browser.get(place.provider.authorize(started.headers["location"]).removeprefix(LOCKER))
    for answer in (started, finished):
        for cookie in answer.headers.get_list("set-cookie"):
            assert cookie.startswith("__Host-")
            attributes = {part.strip().lower() for part in cookie.split(";")[1:]}
            assert {"secure", "httponly", "samesite=lax", "path=/"} <= attributes
            assert not any(attribute.startswith("domain") for attribute in attributes)


async def test_a_provider_that_does_not_know_the_claims_parameter_is_asked_by_scope(place: CitizenWorld) -> None:
    started = await place.browser().get("/sign-in")
    asked = dict(parse_qsl(urlsplit(started.headers["location"]).query))
    assert (asked["scope"], "claims" in asked) == ("openid profile", False)
    # Nor does it say where people look after their account.
    assert (await place.browser().get("/account")).headers["location"] == ISSUER


@pytest.mark.parametrize(
    "moved",
    [
        "last_seen_at = now() - interval '15 minutes 1 second'",
        "expires_at = now() - interval '1 second'",
    ],
)
async def test_s_03_a_session_ends_when_idle_and_for_good_after_twelve_hours(place: CitizenWorld, moved: str) -> None:
    browser = await place.signed_in()
    assert (await browser.get("/wallet")).status_code == 200
    sha256 = digest(browser.cookies[SESSION_COOKIE])
    [row] = await place.world.rows(
        "SELECT expires_at - started_at AS life FROM locker.session WHERE session_sha256 = $1", sha256
    )
    assert row["life"].total_seconds() == 12 * 3600
    await place.world.owner_db.execute(f"UPDATE locker.session SET {moved} WHERE session_sha256 = $1", sha256)
    assert (await browser.get("/wallet")).status_code == 303


async def test_s_03_the_sweep_ends_sessions_by_the_same_setting(place: CitizenWorld) -> None:
    wiring = place.world.wiring
    longer = msgspec.structs.replace(wiring.settings, session_idle_s=3_600)
    for minutes, settings, left in (
        (30, longer, 1),
        (61, longer, 0),
        (14, wiring.settings, 1),
        (16, wiring.settings, 0),
    ):
        browser = await place.signed_in()
        sha256 = digest(browser.cookies[SESSION_COOKIE])
        await place.world.owner_db.execute(
            "UPDATE locker.session SET last_seen_at = now() - make_interval(mins => $2) WHERE session_sha256 = $1",
            sha256,
            minutes,
        )
        await sweep_locker(wiring.db, wiring.vault, settings)
        rows = await place.world.rows("SELECT FROM locker.session WHERE session_sha256 = $1", sha256)
        assert len(rows) == left, minutes


async def test_s_04_a_cookie_of_before_the_sign_out_opens_nothing(place: CitizenWorld) -> None:
    browser = await place.signed_in()
    kept = dict(browser.cookies)
    out = await browser.submit_sign_out()
    assert out.status_code == 303
    assert out.headers["location"].startswith(f"{ISSUER}/end_session?")
    assert SESSION_COOKIE not in browser.cookies
    browser.cookies = kept
    assert (await browser.get("/wallet")).headers["location"].startswith("/sign-in?")
    program = await browser.get("/wallet", Accept="application/json")
    assert (program.status_code, program.json()["code"]) == (401, "unauthenticated")


@pytest.mark.parametrize(
    "cookie",
    [
        f"{SESSION_COOKIE}=a; {SESSION_COOKIE}=b",
        f"{SESSION_COOKIE}={'a' * 8_000}",
        "; ".join(f"c{n}=v" for n in range(100)),
        f"{SESSION_COOKIE}=\"'--",
        f"{SESSION_COOKIE}=%00",
    ],
)
async def test_s_08_odd_cookies_are_no_session_and_no_fault(place: CitizenWorld, cookie: str) -> None:
    answer = await place.world.locker.get("/wallet", headers={"Cookie": cookie, "Accept": "text/html"})
    assert answer.status_code in (303, 400)


def _forms() -> list[str]:
    """Every address of the citizen's pages that changes something, from the router itself."""
    paths = set()
    for handler in ROUTES:
        for path in handler.paths:
            if "POST" in handler.http_methods and (path.startswith("/wallet") or path == "/sign-out"):
                paths.add(re.sub(r"\{[^}]+\}", "0" * 25, path))
    return sorted(paths)


@pytest.mark.parametrize("path", _forms())
async def test_s_09_no_form_is_taken_without_the_token_of_this_session(place: CitizenWorld, path: str) -> None:
    browser, other = await place.signed_in(), await place.signed_in(YOUSSEF)
    page = await other.get("/wallet")
    [foreign] = set(re.findall(r'name="csrf" value="([^"]+)"', page.text))
    for data in ({}, {"csrf": ""}, {"csrf": "wrong"}, {"csrf": foreign}):
        assert (await browser.post(path, data)).status_code == 403, data
    own = re.findall(r'name="csrf" value="([^"]+)"', (await browser.get("/wallet")).text)[0]
    for header in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}):
        assert (await browser.post(path, {"csrf": own}, headers=header)).status_code == 403, header
    assert (await browser.get("/wallet")).status_code == 200


async def test_s_09_the_list_of_forms_is_not_empty() -> None:
    assert len(_forms()) >= 7


async def test_s_11_a_cookie_of_the_provider_is_nothing_here(place: CitizenWorld) -> None:
    for path in ("/v1/documents", "/v1/shares", "/v1/history"):
        for cookie in (f"__Host-idp-session={new_token()}", f"{SESSION_COOKIE}={new_token()}"):
            assert (await place.world.locker.get(path, headers={"Cookie": cookie})).status_code == 401
    browser = await place.signed_in()
    # Our own session opens pages, never the API of wallet apps.
    assert (await browser.get("/v1/documents", Accept="application/json")).status_code == 401


async def test_s_14_nothing_personal_is_kept_for_the_back_button(place: CitizenWorld) -> None:
    document_id = await place.document()
    share_id, _path = await place.share(document_id)
    browser = await place.signed_in()
    paths = [
        "/wallet",
        f"/wallet/documents/{document_id}",
        f"/wallet/documents/{document_id}/pages/1.png",
        f"/wallet/documents/{document_id}/original",
        "/wallet/shares",
        f"/wallet/shares/{share_id}",
        "/wallet/history",
        "/wallet/history/export.csv",
    ]
    for path in paths:
        shown = await browser.get(path)
        assert shown.status_code == 200
        assert "no-store" in shown.headers["cache-control"], path
    out = await browser.submit_sign_out()
    assert '"cache"' in out.headers["clear-site-data"]
    for path in paths:
        assert (await browser.get(path)).status_code == 303


@pytest.mark.parametrize("host", ["[", "[::1", "]", "localhost:99999", "localhost:abc", "http://localhost"])
async def test_o_49_a_host_that_is_none_is_no_fault(place: CitizenWorld, host: str) -> None:
    browser = await place.signed_in()
    for path, status in (("/", 200), ("/wallet", 200), ("/verify", 200), ("/nothing", 404), ("/wallet/uploads/x", 404)):
        answer = await browser.get(path, Host=host)
        assert answer.status_code in (status, 400)
        assert "content-security-policy" in answer.headers
    sent = await place.browser().get("/wallet", Host=host)
    assert sent.status_code in (303, 400)
    assert "content-security-policy" in sent.headers


async def test_s_15_every_answer_has_the_headers(place: CitizenWorld) -> None:
    browser = await place.signed_in()
    for path in (
        "/",
        "/wallet",
        "/verify",
        "/nothing",
        "/wallet/documents/x",
        f"/s/{new_token()}",
        "/sign-in",
        "/v1/x",
    ):
        answer = await browser.get(path)
        for header in (
            "content-security-policy",
            "strict-transport-security",
            "x-content-type-options",
            "cross-origin-opener-policy",
            "referrer-policy",
        ):
            assert header in answer.headers, (path, header)
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


async def _back(place: CitizenWorld, browser: Any) -> str:
    started = await browser.get("/sign-in")
    return place.provider.authorize(started.headers["location"]).removeprefix(LOCKER)


async def test_l_26_another_browser_cannot_be_signed_in_with_my_answer(place: CitizenWorld) -> None:
    attacker, victim = place.browser(), place.browser()
    back = await _back(place, attacker)
    for _ in range(2):
        refused = await victim.get(back)
        assert (refused.status_code, "sign-in-lost" in refused.text) == (400, True)
        await victim.get("/sign-in")
    assert SESSION_COOKIE not in victim.cookies
    # The try did not spend it for the browser that started it, and twice it is not taken.
    assert (await attacker.get(back)).status_code == 303
    assert (await attacker.get(back)).status_code == 400


async def test_l_26_who_says_no_or_has_no_session_is_told_where_to_go(place: CitizenWorld) -> None:
    browser = place.browser()
    needed = await browser.get("/wallet/uploads")
    assert (needed.status_code, "sign-in-needed" in needed.text) == (303, True)
    assert needed.headers["location"] == "/sign-in?return_to=%2Fwallet%2Fuploads"
    back = await _back(place, browser)
    declined = await browser.get(re.sub(r"code=[^&]*", "error=access_denied", back))
    assert (declined.status_code, "sign-in-declined" in declined.text) == (403, True)
    assert SESSION_COOKIE not in browser.cookies
    await browser.sign_in()
    await place.world.rows("UPDATE locker.session SET auth_time = now() - interval '1 hour'")
    again = await browser.get("/wallet/export/file")
    assert (again.status_code, "sign-in-again" in again.text) == (303, True)
    assert again.headers["location"] == "/sign-in?return_to=%2Fwallet%2Fexport&again=true"


@pytest.mark.parametrize(
    "changes",
    [
        {"nonce": "other"},
        {"nonce": None},
        {"aud": "other-client"},
        {"aud": ["khizana-locker", "other"]},
        {"azp": "other"},
        {"iss": "https://evil.example"},
        {"acr": "low"},
        {"acr": None},
        {"exp": int(time.time()) - 60},
    ],
)
async def test_s_01_an_id_token_that_is_not_for_this_sign_in_starts_no_session(
    place: CitizenWorld, changes: dict[str, Any]
) -> None:
    browser = place.browser()
    place.provider.changes = changes
    try:
        refused = await browser.get(await _back(place, browser))
    finally:
        place.provider.changes = {}
    assert refused.status_code == 502
    assert SESSION_COOKIE not in browser.cookies


async def test_s_01_an_answer_of_another_issuer_or_with_foreign_userinfo_is_refused(place: CitizenWorld) -> None:
    browser = place.browser()
    back = await _back(place, browser)
    mixed_up = back.replace("iss=http%3A%2F%2Flocalhost%3A8000%2Fidp", "iss=https%3A%2F%2Fevil.example")
    assert mixed_up != back
    assert (await browser.get(mixed_up)).status_code == 502
    place.provider.userinfo_sub = place.world.subs[YOUSSEF]
    try:
        assert (await browser.get(await _back(place, browser))).status_code == 502
    finally:
        place.provider.userinfo_sub = None
    assert SESSION_COOKIE not in browser.cookies


@pytest.mark.parametrize(
    "target", ["https://evil.example", "//evil.example", "/\\evil.example", "/wallet/../..//evil", "javascript:1", "/x"]
)
async def test_s_01_a_sign_in_returns_to_our_own_pages_only(place: CitizenWorld, target: str) -> None:
    browser = place.browser()
    started = await browser.get(f"/sign-in?return_to={target}")
    finished = await browser.get(place.provider.authorize(started.headers["location"], AMINA).removeprefix(LOCKER))
    assert finished.headers["location"] == "/wallet"
