"""Sign in through another provider: a second instance of our own, over the wire that relying parties use."""

import time
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import pytest_asyncio

from idp.activation.issue import issue
from idp.authenticators import totp
from idp.upstream.refusals import RegistrationRefused
from idp.upstream.register import set_state
from tests.conftest import Dsns
from tests.other_providers import (
    LIAR,
    NAMES,
    THIRD_PARTY,
    Neighbours,
    know_each_other,
    neighbours,
    sent_away,
    signed_in_there,
)
from tests.people import Person, active, letters, post, rested, secret_of, sign_in
from tests.provider import csrf_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

SECRET = "s3cret of the wire, long enough"


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def them(dsns: Dsns, new_database: Any) -> AsyncIterator[Neighbours]:
    async with neighbours(dsns, new_database()) as both:
        await know_each_other(both)
        await both.register(
            "liar",
            LIAR,
            client_secret=SECRET,
            token_endpoint_auth_method="client_secret_basic",
            acr={"loa2": "substantial", "loa3": "high"},
            amr={"mfa": "substantial"},
        )
        yield both


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def there(them: Neighbours) -> Person:
    """The citizen's account at the third party."""
    return await active(them.third_party)


@pytest_asyncio.fixture(loop_scope="module")
async def here(them: Neighbours) -> Person:
    return await active(them.idp)


async def link(them: Neighbours, browser: Any, here: Person, back: str, slug: str) -> None:
    """From the other provider's answer on: sign in with one's own factors, and say yes."""
    answer = await browser.get(back)
    assert answer.status_code == 303, answer.text
    place = f"/idp/account/upstream/link?link={slug}"
    assert answer.headers["location"] == place
    answer = await browser.get(place)
    assert answer.headers["location"] == f"/idp/sign-in?link={slug}"
    await rested(them.idp, here)
    answer = await sign_in(browser, here, query=f"?link={slug}")
    assert answer.headers["location"] == place
    page = await browser.get(place)
    assert here.uid in page.text
    answer = await browser.post(place, data={"csrf": csrf_of(page), "decision": "link"})
    assert answer.status_code == 303, answer.text
    assert answer.headers["location"] == "/idp/account"


async def test_a_citizen_links_once_and_then_signs_in_through_the_third_party(
    them: Neighbours, here: Person, there: Person
) -> None:
    async with them.browser() as browser:
        url = await sent_away(browser, "ttp")
        assert url.startswith(f"{THIRD_PARTY}/authorize?")
        await rested(them.third_party, there)
        await link(them, browser, here, await signed_in_there(browser, url, there), "ttp")
    assert "upstream.linked" in {letter.kind for letter in await letters(them.idp, here.citizen_id)}

    party = await them.idp.client()
    async with them.browser() as browser:
        answer = await browser.get("/idp/authorize", params=party.request())
        query = f"?{urlsplit(answer.headers['location']).query}"
        url = await sent_away(browser, "ttp", query=query)
        await rested(them.third_party, there)
        back = await signed_in_there(browser, url, there)
        answer = await browser.get(back)
        assert answer.headers["location"] == f"/idp/authorize/resume{query}"
        page = await browser.get((await browser.get(answer.headers["location"])).headers["location"])
        answer = await browser.post(f"/idp/consent{query}", data={"csrf": csrf_of(page), "decision": "allow"})
        answer = await browser.get(answer.headers["location"])
        code = parse_qs(urlsplit(answer.headers["location"]).query)["code"][0]
        tokens = (await them.idp.http.post("/idp/token", data=party.exchange(code))).json()
        assert "id_token" in tokens
    rows = await them.idp.owner(
        "SELECT acr, amr, upstream FROM idp.session WHERE citizen_id = $1 AND upstream IS NOT NULL", here.citizen_id
    )
    assert [(row["acr"], row["upstream"]) for row in rows] == [("substantial", "ttp")]
    assert "mfa" in rows[0]["amr"]
    told = await them.idp.owner(
        "SELECT detail FROM idp.audit WHERE action = 'session.started' AND owner = $1 ORDER BY at DESC LIMIT 1",
        str(here.citizen_id),
    )
    assert '"upstream": "ttp"' in told[0]["detail"]


async def test_links_are_listed_and_end_with_the_sessions_that_they_opened(them: Neighbours, here: Person) -> None:
    async with them.browser() as browser:
        await link(them, browser, here, them.liar.code_for(await sent_away(browser, "liar"), sub="ended"), "liar")
        async with them.browser() as through:
            answer = await through.get(them.liar.code_for(await sent_away(through, "liar"), sub="ended"))
            assert answer.headers["location"] == "/idp/account"
            assert NAMES["ar"] in (await through.get("/idp/account")).text
            page = await browser.get("/idp/account/upstream")
            assert 'id="unlink-liar"' in page.text
            link_id = page.text.split('name="link" value="')[1].split('"')[0]
            answer = await browser.post("/idp/account/upstream/unlink", data={"csrf": csrf_of(page), "link": link_id})
            assert answer.headers["location"] == "/idp/account/upstream?said=ended"
            assert (await through.get("/idp/account")).status_code == 303
        assert (await browser.get("/idp/account")).status_code == 200
        assert 'id="unlink-liar"' not in (await browser.get("/idp/account/upstream?said=ended")).text
    assert "upstream.unlinked" in {letter.kind for letter in await letters(them.idp, here.citizen_id)}


async def test_a_signed_in_citizen_links_from_the_account_page(them: Neighbours, here: Person) -> None:
    async with them.browser() as browser:
        await rested(them.idp, here)
        await sign_in(browser, here)
        url = await sent_away(browser, "liar", query="?to=upstream", page="/idp/account/upstream")
        answer = await browser.get(them.liar.code_for(url, sub="from-the-account"))
        place = "/idp/account/upstream/link?to=upstream&link=liar"
        assert answer.headers["location"] == place
        page = await browser.get(place)
        answer = await browser.post(place, data={"csrf": csrf_of(page), "decision": "link"})
        assert answer.headers["location"] == "/idp/account/upstream"
        assert 'id="unlink-liar"' in (await browser.get("/idp/account/upstream")).text


async def test_an_account_that_is_made_anew_at_the_desk_has_no_links(them: Neighbours) -> None:
    """Whoever had it may have made one."""
    here = await active(them.idp)
    async with them.browser() as browser:
        await link(them, browser, here, them.liar.code_for(await sent_away(browser, "liar"), sub="anew"), "liar")
    wiring = them.idp.wiring
    code = await wiring.db.transact(lambda tx: issue(tx, wiring.secrets, here.citizen_id, lifetime_s=600))
    async with them.browser() as browser:
        await post(browser, "/idp/activate", username=here.uid, activation_code=code, expect=303)
        await post(browser, "/idp/activate/password", password="Autre zellige 43 soir", expect=303)
        page = await browser.get("/idp/activate/totp")
        otp = totp.code_at(secret_of(page), totp.step_at(time.time()))
        answer = await browser.post("/idp/activate/totp", data={"csrf": csrf_of(page), "otp": otp})
        assert answer.headers["location"] == "/idp/activate/done"
    async with them.browser() as browser:
        answer = await browser.get(them.liar.code_for(await sent_away(browser, "liar"), sub="anew"))
        assert answer.headers["location"].startswith("/idp/account/upstream/link")


async def test_a_sign_in_elsewhere_from_somewhere_new_is_told(them: Neighbours) -> None:
    here = await _mapped(them)
    async with them.browser() as browser:
        browser.headers["User-Agent"] = "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"
        await browser.get(them.liar.code_for(await sent_away(browser, "liar"), sub="mapped"))
    assert "sign-in.new" in {letter.kind for letter in await letters(them.idp, here.citizen_id)}


async def test_a_citizen_may_say_no_and_goes_on_without_a_link(them: Neighbours, here: Person) -> None:
    async with them.browser() as browser:
        await browser.get(them.liar.code_for(await sent_away(browser, "liar"), sub="refused"))
        await rested(them.idp, here)
        place = (await sign_in(browser, here, query="?link=liar")).headers["location"]
        page = await browser.get(place)
        answer = await browser.post(place, data={"csrf": csrf_of(page), "decision": "refuse"})
        assert answer.headers["location"] == "/idp/account"
        assert (await browser.get(place)).status_code == 400
    assert await them.idp.owner("SELECT 1 FROM idp.upstream_link WHERE citizen_id = $1", here.citizen_id) == []


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ({"acr": "loa2"}, "substantial"),
        ({"acr": "loa3"}, "substantial"),  # no more than the session in which the link was made
        ({"acr": "urn:unmapped"}, "low"),
        ({"acr": "urn:unmapped", "amr": ["mfa"]}, "low"),
        ({"acr": None, "amr": ["pwd", "mfa"]}, "substantial"),
        ({"acr": None, "amr": ["hwk"]}, "low"),
        ({"acr": None}, "low"),
        ({"acr": 3}, "low"),
    ],
)
async def test_what_is_not_mapped_is_low(
    them: Neighbours, claims: dict[str, Any], expected: str, request: pytest.FixtureRequest
) -> None:
    here = await _mapped(them)
    async with them.browser() as browser:
        back = them.liar.code_for(await sent_away(browser, "liar"), sub="mapped")
        them.liar.changes = claims
        try:
            answer = await browser.get(back)
        finally:
            them.liar.changes = {}
        assert answer.headers["location"] == "/idp/account", answer.text
    rows = await them.idp.owner(
        "SELECT acr FROM idp.session WHERE citizen_id = $1 AND upstream = 'liar' ORDER BY created_at DESC LIMIT 1",
        here.citizen_id,
    )
    assert rows[0]["acr"] == expected


_people: dict[int, Person] = {}


async def _mapped(them: Neighbours) -> Person:
    """One citizen with a link, for all rows of the table."""
    if id(them) not in _people:
        here = await active(them.idp)
        async with them.browser() as browser:
            await link(them, browser, here, them.liar.code_for(await sent_away(browser, "liar"), sub="mapped"), "liar")
        _people[id(them)] = here
    return _people[id(them)]


async def test_a_low_sign_in_elsewhere_is_stepped_up_with_our_own_factor(them: Neighbours) -> None:
    here = await _mapped(them)
    async with them.browser() as browser:
        back = them.liar.code_for(await sent_away(browser, "liar"), sub="mapped")
        them.liar.changes = {"acr": "unmapped"}
        await browser.get(back)
        them.liar.changes = {}
        answer = await browser.get("/idp/account")
        assert answer.headers["location"] == "/idp/sign-in"
        answer = await browser.get("/idp/sign-in")
        assert answer.headers["location"] == "/idp/sign-in/second-factor"
        await rested(them.idp, here)
        page = await browser.get("/idp/sign-in/second-factor")
        await browser.post("/idp/sign-in/second-factor", data={"csrf": csrf_of(page), "otp": here.otp()})
        assert (await browser.get("/idp/account")).status_code == 200
        # It is still no session of our own factors alone: what guards the account asks for those.
        assert (await browser.get("/idp/account/password")).headers["location"] == "/idp/sign-in?to=password"
        assert (await browser.get("/idp/account/upstream")).headers["location"] == "/idp/sign-in?to=upstream"


async def test_a_fresh_sign_in_that_was_asked_for_is_done_once_and_then_stepped_up(them: Neighbours) -> None:
    """prompt=login: the sign-in elsewhere was it. What it lacks is a factor, not a new start."""
    await _mapped(them)
    party = await them.idp.client()
    async with them.browser() as browser:
        answer = await browser.get("/idp/authorize", params=party.request(prompt="login"))
        query = f"?{urlsplit(answer.headers['location']).query}"
        back = them.liar.code_for(await sent_away(browser, "liar", query=query), sub="mapped")
        them.liar.changes = {"acr": "unmapped"}
        answer = await browser.get(back)
        them.liar.changes = {}
        answer = await browser.get(answer.headers["location"])
        assert answer.headers["location"] == f"/idp/sign-in{query}"
        answer = await browser.get(answer.headers["location"])
        assert answer.headers["location"] == f"/idp/sign-in/second-factor{query}"


async def test_a_provider_that_is_away_is_asked_again_after_a_moment_only(them: Neighbours) -> None:
    """Whoever waits while nobody answers does not each wait as long again."""
    asked = 0

    def away(_: httpx.Request) -> httpx.Response:
        nonlocal asked
        asked += 1
        raise httpx.ConnectTimeout("nobody")

    before = them.network.hosts["liar.test"]
    them.network.hosts["liar.test"] = httpx.MockTransport(away)
    them.idp.wiring.upstreams._known.clear()
    try:
        async with them.browser() as browser:
            csrf = csrf_of(await browser.get("/idp/sign-in"))
            for _ in range(3):
                answer = await browser.post("/idp/upstream/liar", data={"csrf": csrf})
                assert answer.headers["location"] == "/idp/sign-in?at=liar&said=away"
    finally:
        them.network.hosts["liar.test"] = before
        them.idp.wiring.upstreams._known.clear()
    assert asked == 1


async def test_what_went_wrong_there_is_a_sentence_here(them: Neighbours) -> None:
    async with them.browser() as browser:
        url = await sent_away(browser, "liar")
        answer = await browser.get(them.liar.code_for(url, code=None, error="access_denied"))
        assert answer.headers["location"] == "/idp/sign-in?at=liar&said=declined"
        assert "was stopped" in (await browser.get(answer.headers["location"])).text
        url = await sent_away(browser, "liar")
        answer = await browser.get(them.liar.code_for(url, code=None, error="temporarily_unavailable"))
        assert "did not work" in (await browser.get(answer.headers["location"])).text
        url = await sent_away(browser, "liar")
        liar = them.network.hosts.pop("liar.test")
        answer = await browser.get(them.liar.code_for(url))
        them.network.hosts["liar.test"] = liar
        assert "does not answer" in (await browser.get(answer.headers["location"])).text


async def test_a_disabled_provider_has_no_button_and_its_sessions_end(them: Neighbours) -> None:
    await _mapped(them)
    wiring = them.idp.wiring
    async with them.browser() as browser:
        await browser.get(them.liar.code_for(await sent_away(browser, "liar"), sub="mapped"))
        url = await sent_away(browser, "liar", page="/idp/sign-out")
        assert (await browser.get("/idp/account")).status_code == 200
        await set_state(wiring.db, wiring.audit, "liar", enabled=False, officer="test")
        try:
            assert (await browser.get("/idp/account")).status_code == 303
            assert 'id="upstream-liar"' not in (await browser.get("/idp/sign-in")).text
            assert (await browser.get(them.liar.code_for(url, sub="mapped"))).status_code == 404
        finally:
            await set_state(wiring.db, wiring.audit, "liar", enabled=True, officer="test")
        assert 'id="upstream-liar"' in (await browser.get("/idp/sign-in")).text


async def test_a_pushed_request_is_used_where_it_is_taken(them: Neighbours) -> None:
    """RFC 9126: the browser then carries a reference, and nothing that could be changed."""
    pushed: list[dict[str, list[str]]] = []
    answer = them.liar._answer

    def with_par(request: Any) -> Any:
        if request.url.path == "/par":
            pushed.append(parse_qs(request.content.decode()))
            assert request.headers["authorization"].startswith("Basic ")
            return httpx.Response(201, json={"request_uri": "urn:x", "expires_in": 60})
        return answer(request)

    them.liar.metadata = {"pushed_authorization_request_endpoint": f"{LIAR}/par"}
    before = them.network.hosts["liar.test"]
    them.network.hosts["liar.test"] = httpx.MockTransport(with_par)
    await them.register("liar", LIAR, token_endpoint_auth_method="client_secret_basic", scope="openid profile")
    try:
        async with them.browser() as browser:
            url = await sent_away(browser, "liar")
    finally:
        them.network.hosts["liar.test"] = before
        them.liar.metadata = {}
        await them.register(
            "liar",
            LIAR,
            token_endpoint_auth_method="client_secret_basic",
            acr={"loa2": "substantial", "loa3": "high"},
            amr={"mfa": "substantial"},
        )
    assert url == f"{LIAR}/authorize?client_id=khizana&request_uri=urn%3Ax"
    assert pushed[0]["code_challenge_method"] == ["S256"]
    assert pushed[0]["max_age"] == ["0"]


@pytest.mark.parametrize(
    ("metadata", "wanted", "why"),
    [
        ({"issuer": "https://other.test"}, {}, "issuer"),
        ({"token_endpoint": "http://liar.test/token"}, {}, "https only"),
        ({"jwks_uri": "https://internal.test/jwks"}, {}, "host"),
        ({"token_endpoint": "https://liar.test@internal.test/token"}, {}, "token_endpoint"),
        ({"code_challenge_methods_supported": ["plain"]}, {}, "S256"),
        ({"id_token_signing_alg_values_supported": ["HS256"]}, {}, "ES256"),
        ({}, {"issuer": "http://liar.test"}, "https only"),
        ({}, {"issuer": "https://nobody.test"}, "cannot be had"),
        ({}, {"scope": "profile"}, "openid"),
        ({}, {"client_secret": None}, "client_secret"),
        ({}, {"slug": "liar", "issuer": "https://id.test/idp"}, "our own"),
    ],
)
async def test_a_registration_that_cannot_work_is_refused_with_its_member(
    them: Neighbours, metadata: dict[str, Any], wanted: dict[str, Any], why: str
) -> None:
    them.liar.metadata = metadata
    changed = {
        "slug": "new",
        "issuer": LIAR,
        "client_secret": SECRET,
        "token_endpoint_auth_method": "client_secret_post",
        **wanted,
    }
    try:
        with pytest.raises(RegistrationRefused) as refused:
            await them.register(changed.pop("slug"), changed.pop("issuer"), **changed)
    finally:
        them.liar.metadata = {}
    assert why in (refused.value.detail or "")


async def test_a_providers_credential_is_sealed_at_rest(them: Neighbours) -> None:
    rows = await them.idp.owner("SELECT registration::text, credential_sealed FROM idp.upstream")
    assert len(rows) == 2
    for row in rows:
        assert SECRET not in row["registration"]
        assert SECRET.encode() not in row["credential_sealed"]
        assert b"PRIVATE KEY" not in row["credential_sealed"]
