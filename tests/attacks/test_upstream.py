"""Attacks on the sign-in through another provider: by the provider, by its people, by a neighbour in the browser."""

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives import serialization

from idp.sessions.cookies import SESSION_COOKIE
from kit.jose import SigningKey
from tests.conftest import Dsns
from tests.other_providers import (
    LIAR,
    Neighbours,
    know_each_other,
    neighbours,
    sent_away,
    signed_in_there,
)
from tests.people import Person, active, aged, first_factor, rested, sign_in
from tests.provider import csrf_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

SECRET = "s3cret of the wire, long enough"
LINK = "/idp/account/upstream/link"


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def them(dsns: Dsns, new_database: Any) -> AsyncIterator[Neighbours]:
    async with neighbours(dsns, new_database()) as both:
        await know_each_other(both)
        await both.register(
            "liar",
            LIAR,
            client_secret=SECRET,
            token_endpoint_auth_method="client_secret_post",
            acr={"loa2": "substantial", "loa3": "high"},
        )
        yield both


@pytest_asyncio.fixture(loop_scope="module", autouse=True)
async def uncounted(them: Neighbours) -> None:
    """All tests come from one address."""
    await them.idp.owner("DELETE FROM idp.throttle")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def amina(them: Neighbours) -> Person:
    """Her account here is linked with u-1 there."""
    person = await active(them.idp, claims={"email": "amina@example.org", "phone_number": "+212600000001"})
    async with them.browser() as browser:
        await browser.get(them.liar.code_for(await sent_away(browser, "liar")))
        await say_yes(them, browser, person, "?link=liar")
    return person


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def badr(them: Neighbours) -> Person:
    """Nothing of his is linked."""
    return await active(them.idp)


async def say_yes(them: Neighbours, browser: httpx.AsyncClient, person: Person, query: str) -> httpx.Response:
    await rested(them.idp, person)
    answer = await sign_in(browser, person, query=query)
    assert answer.headers["location"] == f"{LINK}{query}"
    page = await browser.get(f"{LINK}{query}")
    return await browser.post(f"{LINK}{query}", data={"csrf": csrf_of(page), "decision": "link"})


async def nobody_signed_in(browser: httpx.AsyncClient) -> None:
    assert SESSION_COOKIE not in {cookie.name for cookie in browser.cookies.jar if cookie.domain == "id.test"}
    assert (await browser.get("/idp/account")).status_code == 303


def asked_for_tokens(them: Neighbours) -> int:
    return sum(request.url.path == "/token" for request in them.liar.requests)


async def links(them: Neighbours, person: Person) -> int:
    rows = await them.idp.owner("SELECT 1 FROM idp.upstream_link WHERE citizen_id = $1", person.citizen_id)
    return len(rows)


@pytest.mark.usefixtures("amina")
async def test_an_answer_is_good_once_also_in_parallel(them: Neighbours) -> None:
    async with them.browser() as browser:
        back = them.liar.code_for(await sent_away(browser, "liar"))
        cookies = dict(browser.cookies)
        before = asked_for_tokens(them)
        answers = await asyncio.gather(*(browser.get(back) for _ in range(5)))
        assert sorted(answer.status_code for answer in answers) == [303, 400, 400, 400, 400]
        assert asked_for_tokens(them) == before + 1
    async with them.browser() as thief:
        for name, value in cookies.items():
            thief.cookies.set(name, value, domain="id.test")
        assert (await thief.get(back)).status_code == 400


@pytest.mark.usefixtures("amina")
async def test_an_answer_is_good_in_the_browser_that_asked_and_in_no_other(them: Neighbours) -> None:
    """Login CSRF: the attacker's own answer, planted in the victim's browser."""
    async with them.browser() as mine, them.browser() as victim:
        back = them.liar.code_for(await sent_away(mine, "liar"))
        await victim.get("/idp/sign-in")
        refused = await victim.get(back)
        assert refused.status_code == 400
        assert "upstream-lost" in refused.text
        await nobody_signed_in(victim)
        # Nor does the attempt use it up.
        assert (await mine.get(back)).headers["location"] == "/idp/account"


@pytest.mark.parametrize("iss", ["https://honest.test", "https://liar.test/", None])
async def test_mix_up_the_code_of_another_provider_is_not_sent_on(them: Neighbours, iss: str | None) -> None:
    """RFC 9207 §2.4: before the code goes anywhere. It promised iss in its metadata, so absent is wrong too."""
    async with them.browser() as browser:
        back = them.liar.code_for(await sent_away(browser, "liar"), iss=iss)
        before = asked_for_tokens(them)
        answer = await browser.get(back)
        assert answer.headers["location"] == "/idp/sign-in?at=liar&said=failed"
        assert asked_for_tokens(them) == before
        await nobody_signed_in(browser)


async def test_mix_up_an_answer_at_another_providers_address_is_lost(them: Neighbours) -> None:
    async with them.browser() as browser:
        back = them.liar.code_for(await sent_away(browser, "liar"))
        before = asked_for_tokens(them)
        assert (await browser.get(back.replace("/upstream/liar/", "/upstream/ttp/"))).status_code == 400
        assert asked_for_tokens(them) == before


@pytest.mark.parametrize("repeated", ["code", "iss", "state"])
async def test_a_repeated_parameter_is_none(them: Neighbours, repeated: str) -> None:
    async with them.browser() as browser:
        back = them.liar.code_for(await sent_away(browser, "liar"))
        before = asked_for_tokens(them)
        answer = await browser.get(f"{back}&{repeated}=x")
        assert answer.status_code == 400 or "said=failed" in answer.headers["location"]
        assert asked_for_tokens(them) == before


@pytest.mark.usefixtures("amina")
async def test_an_injected_code_fails_by_its_nonce(them: Neighbours) -> None:
    """The provider does not look at PKCE; the code of the victim's sign-in comes to the attacker's request."""
    async with them.browser() as victim, them.browser() as attacker:
        theirs = them.liar.code_for(await sent_away(victim, "liar"))
        code = dict(pair.split("=") for pair in urlsplit(theirs).query.split("&"))["code"]
        back = them.liar.code_for(await sent_away(attacker, "liar"), sub="attacker", code=code)
        answer = await attacker.get(back)
        assert answer.headers["location"].endswith("said=failed")
        await nobody_signed_in(attacker)
    told = await them.idp.owner(
        "SELECT result FROM idp.audit WHERE action = 'sign-in.refused' ORDER BY at DESC LIMIT 1"
    )
    assert told[0]["result"] == "id-token-nonce"


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _unsigned(claims: dict[str, Any]) -> str:
    return f"{_b64(json.dumps({'alg': 'none'}).encode())}.{_b64(json.dumps(claims).encode())}."


def _hs256(key: bytes) -> Callable[[dict[str, Any]], str]:
    def make(claims: dict[str, Any]) -> str:
        signed = f"{_b64(json.dumps({'alg': 'HS256', 'typ': 'JWT'}).encode())}.{_b64(json.dumps(claims).encode())}"
        return f"{signed}.{_b64(hmac.new(key, signed.encode(), hashlib.sha256).digest())}"

    return make


def _typed(them: Neighbours, typ: str) -> Callable[[dict[str, Any]], str]:
    return lambda claims: them.liar.key.sign(claims, typ=typ)


@pytest.mark.usefixtures("amina")
@pytest.mark.parametrize(
    "forged", ["none", "HS256-public", "HS256-secret", "other-key", "RS256", "at+jwt", "logout+jwt"]
)
async def test_an_id_token_that_the_registered_algorithm_did_not_sign(them: Neighbours, forged: str) -> None:
    pem = them.liar.key.private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    makers: dict[str, Callable[[dict[str, Any]], str]] = {
        "none": _unsigned,
        "HS256-public": _hs256(pem),
        "HS256-secret": _hs256(SECRET.encode()),
        "other-key": lambda claims: SigningKey.generate("ES256").sign(claims, typ="JWT"),
        "RS256": lambda claims: SigningKey.generate("RS256").sign(claims, typ="JWT"),
        "at+jwt": _typed(them, "at+jwt"),
        "logout+jwt": _typed(them, "logout+jwt"),
    }
    async with them.browser() as browser:
        back = them.liar.code_for(await sent_away(browser, "liar"))
        them.liar.id_token = makers[forged]
        try:
            answer = await browser.get(back)
        finally:
            them.liar.id_token = None
        assert answer.headers["location"].endswith("said=failed")
        await nobody_signed_in(browser)


@pytest.mark.usefixtures("amina")
@pytest.mark.parametrize(
    "changes",
    [
        {"nonce": None},
        {"nonce": ""},
        {"nonce": "n-of-another"},
        {"nonce": 1},
        {"iss": "https://ttp.test/idp"},
        {"iss": None},
        {"aud": "somebody-else"},
        {"aud": ["khizana", "somebody-else"]},
        {"aud": []},
        {"azp": "somebody-else"},
        {"exp": 1_000_000_000},
        {"exp": None},
        {"iat": 1_000_000_000},
        {"iat": None},
        {"auth_time": None},
        {"auth_time": "now"},
        {"auth_time": -600},
        {"auth_time": 4_000_000_000},
        {"at_hash": "AAAA"},
        {"at_hash": 7},
        {"sub": None},
        {"sub": ""},
        {"sub": "s" * 256},
        {"sub": "u-1\n"},
    ],
    ids=lambda changes: json.dumps(changes)[:24],
)
async def test_an_id_token_that_says_something_else(them: Neighbours, changes: dict[str, Any]) -> None:
    """OpenID Connect Core §3.1.3.7. An auth_time before the request: max_age=0 was asked, and not done."""
    if changes == {"auth_time": -600}:
        changes = {"auth_time": int(time.time()) - 600}
    async with them.browser() as browser:
        back = them.liar.code_for(await sent_away(browser, "liar"))
        them.liar.changes = changes
        try:
            answer = await browser.get(back)
        finally:
            them.liar.changes = {}
        assert answer.headers["location"].endswith("said=failed")
        await nobody_signed_in(browser)


@pytest.mark.usefixtures("amina")
@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(302, headers={"location": "http://127.0.0.1/"}),
        httpx.Response(200, content=b"x" * 300_000),
        httpx.Response(200, headers={"content-encoding": "gzip"}, content=b"\x1f\x8b"),
        httpx.Response(200, json={"access_token": "a", "token_type": "Bearer"}),
        httpx.Response(200, json=[]),
        httpx.Response(500, text="no"),
    ],
    ids=["redirect", "long", "compressed", "no-id-token", "list", "500"],
)
async def test_a_token_endpoint_that_answers_nonsense(them: Neighbours, answer: httpx.Response) -> None:
    async with them.browser() as browser:
        back = them.liar.code_for(await sent_away(browser, "liar"))
        before = them.network.hosts["liar.test"]
        them.network.hosts["liar.test"] = httpx.MockTransport(lambda _: answer)
        try:
            back_here = await browser.get(back)
        finally:
            them.network.hosts["liar.test"] = before
        assert back_here.status_code == 303
        assert back_here.headers["location"].split("said=")[1] in ("failed", "away")
        await nobody_signed_in(browser)


async def test_an_equal_email_and_phone_number_open_nothing(them: Neighbours, amina: Person) -> None:
    """Somebody at the third party has the citizen's own contact points: no session, no link, before she says so."""
    claims = {"email": "amina@example.org", "phone_number": "+212600000001"}
    stranger = await active(them.third_party, claims=claims)
    async with them.browser() as browser:
        url = await sent_away(browser, "ttp")
        await rested(them.third_party, stranger)
        answer = await browser.get(await signed_in_there(browser, url, stranger))
        assert answer.headers["location"] == f"{LINK}?link=ttp"
        await nobody_signed_in(browser)
        assert (await browser.get(f"{LINK}?link=ttp")).headers["location"] == "/idp/sign-in?link=ttp"
    assert await links(them, amina) == 1


async def test_a_proof_stays_in_the_browser_that_gave_it(them: Neighbours, badr: Person) -> None:
    """The attacker proves their own account there, and sends the victim the address of the page that links it."""
    async with them.browser() as attacker, them.browser() as victim:
        await attacker.get(them.liar.code_for(await sent_away(attacker, "liar"), sub="attacker"))
        await rested(them.idp, badr)
        await sign_in(victim, badr)
        assert (await victim.get(f"{LINK}?link=liar")).status_code == 400
        csrf = csrf_of(await victim.get("/idp/account"))
        answer = await victim.post(f"{LINK}?link=liar", data={"csrf": csrf, "decision": "link"})
        assert answer.status_code == 400
    assert await links(them, badr) == 0


@pytest.mark.parametrize("headers", [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.test"}, {}])
async def test_link_csrf_another_site_can_neither_begin_nor_confirm(
    them: Neighbours, badr: Person, headers: dict[str, str]
) -> None:
    async with them.browser() as victim:
        await rested(them.idp, badr)
        await sign_in(victim, badr)
        page = await victim.get("/idp/account/upstream")
        csrf = {"csrf": csrf_of(page)} if headers else {"csrf": "invented"}
        began = await victim.post("/idp/upstream/liar?to=upstream", data=csrf, headers=headers)
        assert began.status_code == 403
        url = await sent_away(victim, "liar", query="?to=upstream", page="/idp/account/upstream")
        await victim.get(them.liar.code_for(url, sub="attacker"))
        query = "?to=upstream&link=liar"
        confirmed = await victim.post(f"{LINK}{query}", data={**csrf, "decision": "link"}, headers=headers)
        assert confirmed.status_code == 403
    assert await links(them, badr) == 0


async def test_an_account_there_opens_one_account_here(them: Neighbours, amina: Person, badr: Person) -> None:
    async with them.browser() as browser:
        await rested(them.idp, badr)
        await sign_in(browser, badr)
        url = await sent_away(browser, "liar", query="?to=upstream", page="/idp/account/upstream")
        answer = await browser.get(them.liar.code_for(url, sub="u-1"))
        assert (answer.status_code, "upstream-already-linked" in answer.text) == (409, True)
        assert amina.uid not in answer.text
    # And one account here has one account there: the second is refused when it is confirmed.
    async with them.browser() as browser:
        await browser.get(them.liar.code_for(await sent_away(browser, "liar"), sub="second"))
        assert (await say_yes(them, browser, amina, "?link=liar")).status_code == 409
    assert (await links(them, amina), await links(them, badr)) == (1, 0)


async def test_two_confirmations_at_once_make_one_link(them: Neighbours) -> None:
    first, second = await active(them.idp), await active(them.idp)
    async with them.browser() as one, them.browser() as two:
        for browser, person in ((one, first), (two, second)):
            await browser.get(them.liar.code_for(await sent_away(browser, "liar"), sub="contested"))
            await rested(them.idp, person)
            await sign_in(browser, person, query="?link=liar")
        tokens = [csrf_of(await browser.get(f"{LINK}?link=liar")) for browser in (one, two)]
        answers = await asyncio.gather(
            *(
                browser.post(f"{LINK}?link=liar", data={"csrf": csrf, "decision": "link"})
                for browser, csrf in ((one, tokens[0]), (two, tokens[1]))
            )
        )
    assert sorted(answer.status_code for answer in answers) == [303, 409]
    assert await links(them, first) + await links(them, second) == 1


async def test_after_the_link_the_browser_may_go_on_to_the_relying_party(them: Neighbours) -> None:
    """A browser holds the redirects after our form to the page's own policy."""
    person, party = await active(them.idp), await them.idp.client()
    async with them.browser() as browser:
        answer = await browser.get("/idp/authorize", params=party.request())
        query = f"?{urlsplit(answer.headers['location']).query}"
        await browser.get(them.liar.code_for(await sent_away(browser, "liar", query=query), sub="goes-on"))
        linking = f"{query}&link=liar"
        await rested(them.idp, person)
        await sign_in(browser, person, query=linking)
        page = await browser.get(f"{LINK}{linking}")
        assert "form-action 'self' https://rp.test;" in page.headers["content-security-policy"]
        answer = await browser.post(f"{LINK}{linking}", data={"csrf": csrf_of(page), "decision": "link"})
        assert answer.headers["location"] == f"/idp/authorize/resume{query}"


async def test_one_factor_makes_no_link(them: Neighbours, badr: Person) -> None:
    """A relying party that is content with a password does not lend its content to the link."""
    party = await them.idp.client(default_acr_values=["low"])
    async with them.browser() as browser:
        answer = await browser.get("/idp/authorize", params=party.request())
        query = f"?{urlsplit(answer.headers['location']).query}"
        await browser.get(them.liar.code_for(await sent_away(browser, "liar", query=query), sub="attacker"))
        linking = f"{query}&link=liar"
        answer = await first_factor(browser, badr, query=linking)
        assert answer.headers["location"] == f"/idp/sign-in/second-factor{linking}"
        answer = await first_factor(browser, badr, query=query)
        assert answer.headers["location"].startswith("/idp/authorize/resume")
        assert (await browser.get(f"{LINK}{linking}")).headers["location"] == f"/idp/sign-in{linking}"
        page = await browser.get(f"/idp/sign-in{linking}")
        assert page.status_code in (200, 303)
    assert await links(them, badr) == 0


async def test_an_old_session_and_one_from_elsewhere_make_no_link(them: Neighbours, amina: Person) -> None:
    async with them.browser() as browser:
        await browser.get(them.liar.code_for(await sent_away(browser, "liar")))
        assert (await browser.get("/idp/account")).status_code == 200
        shown = await browser.get("/idp/account")
        for path in ("/idp/upstream/ttp?to=upstream", "/idp/account/upstream/unlink"):
            answer = await browser.post(path, data={"csrf": csrf_of(shown)})
            assert answer.headers["location"] == "/idp/sign-in?to=upstream"
        assert (await browser.get("/idp/account/password")).headers["location"] == "/idp/sign-in?to=password"
        thaw = {"csrf": csrf_of(shown), "what": "authenticator:totp"}
        answer = await browser.post("/idp/account/thaw", data=thaw)
        assert answer.headers["location"] == "/idp/sign-in?to=thaw"
    async with them.browser() as browser:
        await rested(them.idp, amina)
        await sign_in(browser, amina)
        await aged(them.idp, amina, 301)
        shown = await browser.get("/idp/account")
        answer = await browser.post("/idp/upstream/ttp?to=upstream", data={"csrf": csrf_of(shown)})
        assert answer.headers["location"] == "/idp/sign-in?to=upstream"


async def test_a_link_is_asked_for_by_the_citizen_who_confirms_it(
    them: Neighbours, amina: Person, badr: Person
) -> None:
    """Begun by one, and the browser is handed to another in between."""
    async with them.browser() as browser:
        await rested(them.idp, badr)
        await sign_in(browser, badr)
        url = await sent_away(browser, "liar", query="?to=upstream", page="/idp/account/upstream")
        await browser.get(them.liar.code_for(url, sub="badr-there"))
        await rested(them.idp, amina)
        await sign_in(browser, amina, query="?to=upstream")
        assert (await browser.get(f"{LINK}?to=upstream&link=liar")).status_code == 400
    assert (await links(them, amina), await links(them, badr)) == (1, 0)


async def test_nobody_ends_anothers_link(them: Neighbours, amina: Person, badr: Person) -> None:
    rows = await them.idp.owner("SELECT link_id FROM idp.upstream_link WHERE citizen_id = $1", amina.citizen_id)
    async with them.browser() as browser:
        await rested(them.idp, badr)
        await sign_in(browser, badr)
        csrf = csrf_of(await browser.get("/idp/account"))
        answer = await browser.post(
            "/idp/account/upstream/unlink", data={"csrf": csrf, "link": str(rows[0]["link_id"])}
        )
        assert answer.headers["location"] == "/idp/account/upstream"
    assert await links(them, amina) == 1


@pytest.mark.parametrize("state", ["frozen", "suspended", "deceased"])
async def test_a_link_does_not_open_an_account_that_is_not_open(them: Neighbours, amina: Person, state: str) -> None:
    change = "UPDATE idp.citizen SET state = $2 WHERE citizen_id = $1"
    async with them.browser() as browser:
        back = them.liar.code_for(await sent_away(browser, "liar"))
        await them.idp.owner(change, amina.citizen_id, state)
        try:
            answer = await browser.get(back)
        finally:
            await them.idp.owner(change, amina.citizen_id, "active")
        assert answer.status_code == 403
        await nobody_signed_in(browser)
    told = await them.idp.owner(
        "SELECT result FROM idp.audit WHERE action = 'sign-in.refused' AND owner = $1 ORDER BY at DESC LIMIT 1",
        str(amina.citizen_id),
    )
    assert told[0]["result"] == state


async def test_begun_sign_ins_are_counted_by_address(them: Neighbours) -> None:
    async with them.browser() as browser:
        csrf = csrf_of(await browser.get("/idp/sign-in"))
        statuses = {(await browser.post("/idp/upstream/liar", data={"csrf": csrf})).status_code for _ in range(101)}
    assert 429 in statuses


async def test_at_rest_there_is_no_sub_and_no_verifier(them: Neighbours, amina: Person) -> None:
    rows = await them.idp.owner("SELECT sub_mac FROM idp.upstream_link WHERE citizen_id = $1", amina.citizen_id)
    assert len(rows[0]["sub_mac"]) == 32
    assert b"u-1" not in rows[0]["sub_mac"]
    async with them.browser() as browser:
        url = await sent_away(browser, "liar")
    asked = dict(pair.split("=") for pair in urlsplit(url).query.split("&"))
    dump = str([dict(row) for row in await them.idp.owner("SELECT * FROM idp.upstream_request")])
    assert asked["state"] not in dump
    assert asked["nonce"] not in dump
