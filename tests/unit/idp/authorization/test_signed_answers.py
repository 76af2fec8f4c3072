"""Response modes: query, form_post (OAuth 2.0 Form Post Response Mode) and their signed forms (JARM)."""

import re
import time
from html import unescape
from typing import Any

import httpx
import jwt
import pytest

from tests.provider import CALLBACK, ISSUER, Provider, RelyingParty, answer_of, csrf_of

pytestmark = pytest.mark.asyncio(loop_scope="module")


def fields_of(page: httpx.Response) -> dict[str, str]:
    assert page.status_code == 200
    assert f'action="{CALLBACK}"' in page.text
    found = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page.text)
    return {name: unescape(value) for name, value in found}


def read(idp: Provider, response: str, party: RelyingParty) -> dict[str, Any]:
    header = jwt.get_unverified_header(response)
    key = next(key for key in idp.wiring.keys.current().jwks()["keys"] if key["kid"] == header["kid"])
    claims: dict[str, Any] = jwt.decode(
        response, jwt.PyJWK(key).key, algorithms=[key["alg"]], audience=party.client_id, issuer=ISSUER
    )
    return {"alg": header["alg"], **claims}


@pytest.mark.parametrize("mode", ["query", "form_post", "jwt", "query.jwt", "form_post.jwt"])
async def test_success_and_error_travel_in_the_mode_asked_for(idp: Provider, mode: str) -> None:
    party = await idp.client()
    browser = await idp.signed_in(await idp.citizen())
    success = await idp.allowed(browser, party, response_mode=mode)
    error = await browser.get("/idp/authorize", params=party.request(response_mode=mode, response_type="token"))
    for response, wanted in ((success, "code"), (error, "error")):
        answer = fields_of(response) if mode.startswith("form_post") else answer_of(response)
        if mode.endswith("jwt"):
            assert set(answer) == {"response"}
            answer = read(idp, answer["response"], party)
            assert answer["aud"] == party.client_id
            assert 10 < answer["exp"] - time.time() <= 600
        assert wanted in answer
        assert (answer["state"], answer["iss"]) == ("s-1", ISSUER)


async def test_refusal_of_the_citizen_travels_signed(idp: Provider) -> None:
    party = await idp.client()
    browser = await idp.signed_in(await idp.citizen())
    location = (await browser.get("/idp/authorize", params=party.request(response_mode="jwt"))).headers["location"]
    page = await browser.get(location)
    denied = await browser.post(location, data={"csrf": csrf_of(page), "decision": "deny"})
    assert read(idp, answer_of(denied)["response"], party)["error"] == "access_denied"


@pytest.mark.parametrize("mode", ["fragment", "fragment.jwt", "web_message", "query form_post"])
async def test_other_modes_are_refused_in_the_query(idp: Provider, mode: str) -> None:
    party = await idp.client()
    async with idp.browser() as browser:
        response = await browser.get("/idp/authorize", params=party.request(response_mode=mode))
    assert answer_of(response)["error"] == "invalid_request"


@pytest.mark.parametrize("alg", [None, "ES256", "RS256", "PS256", "EdDSA"])
async def test_signed_with_the_registered_algorithm(idp: Provider, alg: str | None) -> None:
    party = await idp.client(authorization_signed_response_alg=alg)
    async with idp.browser() as browser:
        response = await browser.get("/idp/authorize", params=party.request(response_mode="jwt", prompt="none"))
    answer = read(idp, answer_of(response)["response"], party)
    assert (answer["alg"], answer["error"]) == (alg or "ES256", "login_required")


@pytest.mark.parametrize("mode", [None, "query", "form_post"])
async def test_strict_client_takes_signed_answers_only(idp: Provider, mode: str | None) -> None:
    party = await idp.fapi("fapi2-ms")
    pushed = await idp.push(party, request=party.request_object(response_mode=mode))
    assert pushed.status_code == 400
    assert pushed.json()["error"] == "invalid_request"


async def test_form_is_sent_by_its_button_or_by_our_own_script(idp: Provider) -> None:
    party = await idp.client()
    browser = await idp.signed_in(await idp.citizen())
    page = await idp.allowed(browser, party, response_mode="form_post")
    assert 'id="form-post-submit"' in page.text
    script = re.search(r'<script src="([^"]+)"', page.text)
    assert script
    assert "submit()" in (await browser.get(script[1])).text
    policy = page.headers["content-security-policy"]
    assert "script-src 'self'" in policy
    assert "form-action 'self' https://rp.test;" in policy
    assert page.headers["cache-control"] == "no-store"


async def test_discovery_lists_the_modes_and_algorithms(idp: Provider) -> None:
    described = (await idp.http.get("/idp/.well-known/openid-configuration")).json()
    assert described["response_modes_supported"] == ["query", "form_post", "jwt", "query.jwt", "form_post.jwt"]
    assert set(described["authorization_signing_alg_values_supported"]) == {"ES256", "RS256", "PS256", "EdDSA"}
