"""OpenID Connect RP-Initiated Logout 1.0: what the certification plan for OpenID providers asks, module by module."""

from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tests.provider import Provider, RelyingParty, answer_of, csrf_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

BYE = "https://rp.test/post_logout_redirect"


async def signed_in(idp: Provider) -> tuple[RelyingParty, httpx.AsyncClient, str]:
    party = await idp.client(post_logout_redirect_uris=[BYE])
    browser = await idp.signed_in(await idp.citizen())
    return party, browser, (await idp.tokens(browser, party))["id_token"]


async def is_signed_in(browser: httpx.AsyncClient, party: RelyingParty) -> bool:
    """An authorization request with prompt=none, as the suite asks it afterwards."""
    answer = answer_of(await browser.get("/idp/authorize", params=party.request(prompt="none")))
    return "code" in answer


def is_an_error_page(response: httpx.Response) -> bool:
    return response.status_code == 400 and "location" not in response.headers and "error" in response.text


async def test_discovery_endpoint_verification(idp: Provider) -> None:
    metadata = (await idp.http.get("/idp/.well-known/openid-configuration")).json()
    assert metadata["end_session_endpoint"].startswith("https://")


async def test_rp_initiated_logout(idp: Provider) -> None:
    party, browser, hint = await signed_in(idp)
    response = await browser.get(
        "/idp/end-session",
        params={"id_token_hint": hint, "post_logout_redirect_uri": BYE, "state": "a&b=c /?é" * 8},
    )
    assert response.status_code == 303
    target = urlsplit(response.headers["location"])
    assert target._replace(query="").geturl() == BYE
    assert parse_qs(target.query) == {"state": ["a&b=c /?é" * 8]}
    assert not await is_signed_in(browser, party)


async def test_bad_post_logout_redirect_uri(idp: Provider) -> None:
    party, browser, hint = await signed_in(idp)
    response = await browser.get(
        "/idp/end-session",
        params={"id_token_hint": hint, "post_logout_redirect_uri": "https://rp.test/other", "state": "s"},
    )
    assert is_an_error_page(response)
    assert "post_logout_redirect_uri" in response.text
    assert await is_signed_in(browser, party)


async def test_query_added_to_post_logout_redirect_uri(idp: Provider) -> None:
    _, browser, hint = await signed_in(idp)
    response = await browser.get(
        "/idp/end-session", params={"id_token_hint": hint, "post_logout_redirect_uri": f"{BYE}?foo=bar", "state": "s"}
    )
    assert is_an_error_page(response)


async def test_modified_id_token_hint(idp: Provider) -> None:
    party, browser, hint = await signed_in(idp)
    head, body, signature = hint.split(".")
    modified = f"{head}.{body}.{signature[::-1]}"
    response = await browser.get(
        "/idp/end-session", params={"id_token_hint": modified, "post_logout_redirect_uri": BYE, "state": "s"}
    )
    assert is_an_error_page(response)
    assert "id_token_hint" in response.text
    assert await is_signed_in(browser, party)


async def test_bad_id_token_hint(idp: Provider) -> None:
    _, browser, _ = await signed_in(idp)
    for bad in ("not-a-token", "a.b.c", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0."):
        response = await browser.get(
            "/idp/end-session", params={"id_token_hint": bad, "post_logout_redirect_uri": BYE, "state": "s"}
        )
        assert is_an_error_page(response)


async def test_no_id_token_hint_asks_and_does_not_redirect(idp: Provider) -> None:
    party, browser, _ = await signed_in(idp)
    asked = await browser.get("/idp/end-session", params={"post_logout_redirect_uri": BYE, "state": "s"})
    assert asked.status_code == 200
    assert 'id="logout-confirm"' in asked.text
    confirmed = await browser.post(
        "/idp/end-session/confirm", data={"csrf": csrf_of(asked), "post_logout_redirect_uri": BYE, "state": "s"}
    )
    assert confirmed.headers["location"] == "/idp/signed-out"
    assert not await is_signed_in(browser, party)


async def test_the_last_page_speaks_the_language_of_the_question(idp: Provider) -> None:
    _party, browser, _ = await signed_in(idp)
    asked = await browser.get("/idp/end-session", params={"ui_locales": "fr"})
    assert 'lang="fr-MA"' in asked.text
    confirmed = await browser.post("/idp/end-session/confirm", data={"csrf": csrf_of(asked), "ui_locales": "fr"})
    assert 'lang="fr-MA"' in (await browser.get(confirmed.headers["location"])).text


async def test_no_params(idp: Provider) -> None:
    party, browser, _ = await signed_in(idp)
    asked = await browser.get("/idp/end-session")
    assert 'id="logout-confirm"' in asked.text
    await browser.post("/idp/end-session/confirm", data={"csrf": csrf_of(asked)})
    assert not await is_signed_in(browser, party)


async def test_no_post_logout_redirect_uri(idp: Provider) -> None:
    party, browser, hint = await signed_in(idp)
    response = await browser.get("/idp/end-session", params={"id_token_hint": hint, "state": "s"})
    assert response.headers["location"] == "/idp/signed-out"
    assert not await is_signed_in(browser, party)


async def test_no_state(idp: Provider) -> None:
    party, browser, hint = await signed_in(idp)
    response = await browser.get("/idp/end-session", params={"id_token_hint": hint, "post_logout_redirect_uri": BYE})
    assert response.headers["location"] == BYE
    assert not await is_signed_in(browser, party)


async def test_only_state(idp: Provider) -> None:
    party, browser, _ = await signed_in(idp)
    asked = await browser.get("/idp/end-session", params={"state": "s"})
    assert 'id="logout-confirm"' in asked.text
    confirmed = await browser.post("/idp/end-session/confirm", data={"csrf": csrf_of(asked), "state": "s"})
    assert confirmed.headers["location"] == "/idp/signed-out"
    assert not await is_signed_in(browser, party)


async def test_get_and_post_alike(idp: Provider) -> None:
    """§2: both methods. A form of the relying party's page brings no SameSite=Lax cookie, and still signs out."""
    party, browser, hint = await signed_in(idp)
    parameters = {"id_token_hint": hint, "post_logout_redirect_uri": BYE, "state": "s"}
    async with idp.browser() as without_cookies:
        bounced = await without_cookies.post("/idp/end-session", data=parameters)
    assert bounced.status_code == 303
    response = await browser.get(bounced.headers["location"])
    assert response.headers["location"] == f"{BYE}?state=s"
    assert not await is_signed_in(browser, party)
    party, browser, hint = await signed_in(idp)
    response = await browser.post("/idp/end-session", data={**parameters, "id_token_hint": hint})
    assert response.headers["location"] == f"{BYE}?state=s"
    assert not await is_signed_in(browser, party)


async def test_logout_hint_and_ui_locales_are_accepted(idp: Provider) -> None:
    _, browser, _ = await signed_in(idp)
    asked = await browser.get("/idp/end-session", params={"logout_hint": "x@example.org", "ui_locales": "fr"})
    assert 'lang="fr-MA"' in asked.text
    assert 'id="logout-confirm"' in asked.text


async def test_a_hint_of_somebody_else_asks(idp: Provider) -> None:
    """§3: the hint names another person than the one who is signed in here."""
    party, browser, _ = await signed_in(idp)
    _, _, other = await signed_in(idp)
    asked = await browser.get("/idp/end-session", params={"id_token_hint": other})
    assert 'id="logout-confirm"' in asked.text
    assert await is_signed_in(browser, party)


async def test_an_error_page_still_lets_the_citizen_sign_out(idp: Provider) -> None:
    party, browser, _ = await signed_in(idp)
    page = await browser.get("/idp/end-session", params={"id_token_hint": "x.y.z"})
    assert 'id="logout-confirm"' in page.text
    confirmed = await browser.post("/idp/end-session/confirm", data={"csrf": csrf_of(page)})
    assert confirmed.headers["location"] == "/idp/signed-out"
    assert not await is_signed_in(browser, party)


async def test_a_repeated_parameter_redirects_nothing(idp: Provider) -> None:
    _, browser, hint = await signed_in(idp)
    response = await browser.get(
        f"/idp/end-session?id_token_hint={hint}&post_logout_redirect_uri={BYE}&post_logout_redirect_uri={BYE}"
    )
    assert is_an_error_page(response)
