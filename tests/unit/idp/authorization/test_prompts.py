"""What stands between a request and its answer (OpenID Connect Core §3.1.2.1, §3.1.2.3)."""

import json

import httpx
import jwt
import pytest

from tests.provider import Provider, RelyingParty, answer_of, press_allow

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def known(idp: Provider, **metadata: object) -> tuple[httpx.AsyncClient, RelyingParty, str]:
    """A browser whose citizen is signed in and has allowed the client before; and the ID token."""
    party = await idp.client(**metadata)
    browser = await idp.signed_in(await idp.citizen())
    return browser, party, (await idp.tokens(browser, party))["id_token"]


def page_of(response: httpx.Response) -> str:
    assert response.status_code == 303, response.text
    location = response.headers["location"]
    return "answer" if location.startswith("https://rp.test") else location.partition("?")[0]


@pytest.mark.parametrize(
    ("prompt", "page"),
    [
        (None, "answer"),
        ("none", "answer"),
        ("login", "/idp/sign-in"),
        ("select_account", "/idp/sign-in"),
        ("consent", "/idp/consent"),
        ("login consent", "/idp/sign-in"),
        ("consent login", "/idp/sign-in"),
        ("consent select_account", "/idp/sign-in"),
        ("login select_account", "/idp/sign-in"),
        ("login consent select_account", "/idp/sign-in"),
        ("create", "answer"),
        ("create consent", "/idp/consent"),
        ("LOGIN", "answer"),
    ],
)
async def test_first_page_of_each_prompt(idp: Provider, prompt: str | None, page: str) -> None:
    browser, party, _ = await known(idp)
    assert page_of(await browser.get("/idp/authorize", params=party.request(prompt=prompt))) == page


@pytest.mark.parametrize("prompt", ["login consent", "select_account consent"])
async def test_one_page_after_the_other(idp: Provider, prompt: str) -> None:
    browser, party, _ = await known(idp)
    first = (await browser.get("/idp/authorize", params=party.request(prompt=prompt))).headers["location"]
    resume = first.replace("/idp/sign-in", "/idp/authorize/resume")
    assert page_of(await browser.get(resume)) == "/idp/sign-in"
    await idp.owner("UPDATE idp.session SET auth_time = clock_timestamp()")
    assert page_of(await browser.get(resume)) == "/idp/consent"
    answer = await press_allow(browser, first.replace("/idp/sign-in", "/idp/consent"))
    assert "code" in answer_of(answer)


@pytest.mark.parametrize("prompt", ["none login", "none consent", "consent none", "none none", "none create"])
async def test_none_stands_alone(idp: Provider, prompt: str) -> None:
    browser, party, _ = await known(idp)
    answer = answer_of(await browser.get("/idp/authorize", params=party.request(prompt=prompt)))
    assert (answer["error"], answer["state"]) == ("invalid_request", "s-1")


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"max_age": "0"}, "login_required"),
        ({"acr_values": "high"}, None),
        ({"scope": "openid email phone"}, "consent_required"),
        ({"claims": json.dumps({"userinfo": {"email": {"essential": True}}})}, "consent_required"),
        ({"claims": json.dumps({"userinfo": {"email": None}})}, None),
        ({"claims": json.dumps({"id_token": {"sub": {"value": "somebody"}}})}, "login_required"),
        ({"claims": json.dumps({"id_token": {"acr": {"essential": True, "values": ["high"]}}})}, "login_required"),
    ],
)
async def test_none_answers_at_once(idp: Provider, changed: dict[str, str], error: str | None) -> None:
    browser, party, _ = await known(idp)
    answer = answer_of(await browser.get("/idp/authorize", params=party.request(prompt="none", **changed)))
    assert answer.get("error") == error
    assert ("code" in answer) == (error is None)


async def test_max_age_of_the_past_is_a_new_login_and_a_long_one_is_none(idp: Provider) -> None:
    browser, party, _ = await known(idp)
    await idp.owner("UPDATE idp.session SET auth_time = auth_time - interval '2 minutes'")
    assert page_of(await browser.get("/idp/authorize", params=party.request(max_age="60"))) == "/idp/sign-in"
    assert page_of(await browser.get("/idp/authorize", params=party.request(max_age="10000"))) == "answer"


async def test_registered_default_max_age_is_asked_for_each_time(idp: Provider) -> None:
    browser, party, _ = await known(idp, default_max_age=60)
    await idp.owner("UPDATE idp.session SET auth_time = auth_time - interval '2 minutes'")
    assert page_of(await browser.get("/idp/authorize", params=party.request())) == "/idp/sign-in"
    assert page_of(await browser.get("/idp/authorize", params=party.request(max_age="10000"))) == "answer"


async def test_id_token_hint_of_the_citizen_who_is_signed_in(idp: Provider) -> None:
    browser, party, id_token = await known(idp)
    answer = answer_of(await browser.get("/idp/authorize", params=party.request(prompt="none", id_token_hint=id_token)))
    assert "code" in answer


async def test_id_token_hint_given_to_another_client_is_refused(idp: Provider) -> None:
    browser, party, _ = await known(idp)
    _, _, foreign = await known(idp)
    answer = answer_of(await browser.get("/idp/authorize", params=party.request(prompt="none", id_token_hint=foreign)))
    assert answer["error"] == "invalid_request"


@pytest.mark.parametrize(
    "changed",
    [
        {"display": "page"},
        {"display": "popup"},
        {"display": "wap"},
        {"ui_locales": "xx fr-MA en"},
        {"claims_locales": "ar fr"},
        {"login_hint": "2000000001"},
        {"acr_values": "urn:unheard-of low"},
        {"nonce": None},
        {"extra": "foobar"},
        {"audience": "https://elsewhere.test"},
    ],
    ids=str,
)
async def test_what_is_not_needed_or_not_known_changes_nothing(idp: Provider, changed: dict[str, str | None]) -> None:
    browser, party, _ = await known(idp)
    answer = answer_of(await browser.get("/idp/authorize", params=party.request(**changed)))
    assert (set(answer), answer["state"]) == ({"code", "state", "iss"}, "s-1")


async def test_ui_locales_chooses_the_language_of_the_pages(idp: Provider) -> None:
    party = await idp.client()
    async with idp.browser() as browser:
        location = (await browser.get("/idp/authorize", params=party.request(ui_locales="xx fr-MA"))).headers[
            "location"
        ]
        assert 'lang="fr-MA"' in (await browser.get(location)).text


async def test_login_hint_is_filled_in(idp: Provider) -> None:
    party = await idp.client()
    async with idp.browser() as browser:
        location = (await browser.get("/idp/authorize", params=party.request(login_hint="2345"))).headers["location"]
        assert 'value="2345"' in (await browser.get(location)).text


async def test_plain_oauth_without_openid_gives_no_id_token(idp: Provider) -> None:
    party = await idp.client()
    browser = await idp.signed_in(await idp.citizen())
    tokens = await idp.tokens(browser, party, scope="profile", nonce=None)
    assert "id_token" not in tokens


async def test_essential_level_that_is_reached_is_in_the_id_token(idp: Provider) -> None:
    browser, party, _ = await known(idp)
    claims = json.dumps({"id_token": {"acr": {"essential": True, "values": ["low", "substantial"]}}})
    tokens = await idp.tokens(browser, party, claims=claims)
    assert jwt.decode(tokens["id_token"], options={"verify_signature": False})["acr"] == "substantial"


@pytest.mark.parametrize(
    "claims",
    ["{", "[]", '"x"', '{"userinfo": []}', '{"userinfo": {"email": "x"}}', '{"id_token": {"acr": {"values": "x"}}}'],
)
async def test_claims_that_cannot_be_read(idp: Provider, claims: str) -> None:
    browser, party, _ = await known(idp)
    answer = answer_of(await browser.get("/idp/authorize", params=party.request(claims=claims)))
    assert answer["error"] == "invalid_request"


@pytest.mark.parametrize(("profile", "page"), [("fapi2", "/idp/consent"), ("basic", "https://rp.test/callback")])
async def test_whoever_signs_in_for_a_strict_client_can_still_say_no(idp: Provider, profile: str, page: str) -> None:
    """Although everything was allowed before; in a session that stood already, nothing is asked."""
    party = await idp.fapi() if profile == "fapi2" else await idp.client()
    citizen = await idp.citizen()

    async def asked() -> dict[str, str]:
        return await idp.pushed(party) if profile == "fapi2" else party.request()

    earlier = await idp.signed_in(citizen)
    assert "code" in answer_of(await idp.allowed_of(earlier, await asked()))
    again = await earlier.get("/idp/authorize", params=await asked())
    assert "code" in answer_of(again)

    browser = idp.browser()
    begun = await browser.get("/idp/authorize", params=await asked())
    assert begun.headers["location"].startswith("/idp/sign-in")
    signed_in = await idp.signed_in(citizen)
    browser.cookies.update(signed_in.cookies)
    onward = await browser.get(begun.headers["location"].replace("/idp/sign-in", "/idp/authorize/resume"))
    assert onward.headers["location"].startswith(page)
    if profile == "fapi2":
        assert "code" in answer_of(await press_allow(browser, onward.headers["location"]))
