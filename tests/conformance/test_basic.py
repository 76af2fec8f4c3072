"""Plans ``oidcc-basic`` and ``oidcc-formpost-basic``: a test is named after its module and runs in both response modes.

``prompt-login`` and ``max-age-1`` are looked at by a person in the suite; here the pages are driven to their end.
"""

import html
import json
import re
from typing import Any

import httpx
import jwt
import pytest

from tests.provider import ISSUER, Provider, RelyingParty, answer_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

MODES = ["query", "form_post"]
EVERY_CLAIM = {
    "middle_name": "Nour",
    "nickname": "Mimi",
    "preferred_username": "amina",
    "profile": "https://people.example.org/amina",
    "picture": "https://people.example.org/amina.jpg",
    "website": "https://amina.example.org/",
    "gender": "female",
    "zoneinfo": "Africa/Casablanca",
    "phone_number": "+212600000001",
    "phone_number_verified": True,
    "address": {"formatted": "12, rue des Orangers\n10090 Rabat", "country": "Maroc"},
}


def parameters_of(answer: httpx.Response, mode: str) -> dict[str, str]:
    """What reaches the relying party's redirection URI."""
    if mode == "query":
        return answer_of(answer)
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert 'action="https://rp.test/callback"' in answer.text
    fields = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', answer.text)
    return {name: html.unescape(value) for name, value in fields}


async def go(
    idp: Provider, browser: httpx.AsyncClient, party: RelyingParty, mode: str, **changed: str | None
) -> dict[str, str]:
    asked = {"response_mode": "form_post"} if mode == "form_post" else {}
    return parameters_of(await idp.allowed(browser, party, **asked, **changed), mode)


class Run:
    """A module's relying party, citizen and browser."""

    def __init__(self, idp: Provider, party: RelyingParty, browser: httpx.AsyncClient, mode: str) -> None:
        self.idp, self.party, self.browser, self.mode = idp, party, browser, mode

    async def go(self, **changed: str | None) -> dict[str, str]:
        return await go(self.idp, self.browser, self.party, self.mode, **changed)

    async def tokens(self, **changed: str | None) -> dict[str, Any]:
        answer = await self.go(**changed)
        assert (answer["state"], answer["iss"]) == ("s-1", ISSUER)
        response = await self.idp.exchange(self.party, answer["code"])
        assert response.status_code == 200, response.text
        assert response.headers["cache-control"] == "no-store"
        found: dict[str, Any] = response.json()
        return found

    async def id_token(self, **changed: str | None) -> dict[str, Any]:
        return read((await self.tokens(**changed))["id_token"])


def read(id_token: str) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(id_token, options={"verify_signature": False})
    return claims


async def begin(idp: Provider, mode: str, **metadata: Any) -> Run:
    party = await idp.client(
        **{"token_endpoint_auth_method": "client_secret_basic", "id_token_signed_response_alg": "RS256", **metadata}
    )
    return Run(idp, party, await idp.signed_in(await idp.citizen(**EVERY_CLAIM)), mode)


in_both_modes = pytest.mark.parametrize("mode", MODES)


@in_both_modes
async def test_oidcc_server(idp: Provider, mode: str) -> None:
    run = await begin(idp, mode, token_endpoint_auth_method="client_secret_post")
    tokens = await run.tokens()
    assert tokens["token_type"] == "Bearer"
    header, claims = jwt.get_unverified_header(tokens["id_token"]), read(tokens["id_token"])
    assert (header["alg"], claims["iss"], claims["aud"], claims["nonce"]) == (
        "RS256",
        ISSUER,
        run.party.client_id,
        "n-1",
    )
    keys = (await idp.http.get("/idp/jwks")).json()["keys"]
    assert [key["alg"] for key in keys if key["kid"] == header["kid"]] == ["RS256"]
    assert claims["exp"] > claims["iat"]
    userinfo = (await idp.userinfo(tokens["access_token"])).json()
    assert userinfo["sub"] == claims["sub"]


@in_both_modes
async def test_oidcc_response_type_missing(idp: Provider, mode: str) -> None:
    run = await begin(idp, mode)
    assert (await run.go(response_type=None))["error"] in ("invalid_request", "unsupported_response_type")


async def test_oidcc_userinfo_get_post_header_and_post_body(idp: Provider) -> None:
    run = await begin(idp, "query", token_endpoint_auth_method="client_secret_post")
    token = (await run.tokens())["access_token"]
    bearer = {"Authorization": f"Bearer {token}"}
    answers = [
        await idp.http.get("/idp/userinfo", headers=bearer),
        await idp.http.post("/idp/userinfo", headers=bearer),
        await idp.http.post("/idp/userinfo", data={"access_token": token}),
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert len({answer.json()["sub"] for answer in answers}) == 1


@in_both_modes
async def test_oidcc_ensure_request_without_nonce_succeeds_for_code_flow(idp: Provider, mode: str) -> None:
    run = await begin(idp, mode, token_endpoint_auth_method="client_secret_post")
    assert "nonce" not in await run.id_token(nonce=None)


@pytest.mark.parametrize(
    ("scope", "names"),
    [
        (
            "profile",
            {"name", "given_name", "family_name", "middle_name", "nickname", "preferred_username", "profile", "picture"}
            | {"website", "gender", "birthdate", "zoneinfo", "locale", "updated_at"},
        ),
        ("email", {"email", "email_verified"}),
        ("address", {"address"}),
        ("phone", {"phone_number", "phone_number_verified"}),
    ],
)
async def test_oidcc_scope(idp: Provider, scope: str, names: set[str]) -> None:
    run = await begin(idp, "query", token_endpoint_auth_method="client_secret_post")
    token = (await run.tokens(scope=f"openid {scope}"))["access_token"]
    assert names <= set((await idp.userinfo(token)).json())


async def test_oidcc_scope_all_and_ensure_other_scope_order_succeeds(idp: Provider) -> None:
    run = await begin(idp, "query", token_endpoint_auth_method="client_secret_post")
    token = (await run.tokens(scope="phone address email profile openid"))["access_token"]
    assert {"phone_number", "address", "email", "name", "sub"} <= set((await idp.userinfo(token)).json())


@in_both_modes
@pytest.mark.parametrize("display", ["page", "popup"])
async def test_oidcc_display(idp: Provider, mode: str, display: str) -> None:
    assert "code" in await (await begin(idp, mode)).go(display=display)


@in_both_modes
async def test_oidcc_prompt_login_asks_although_somebody_is_signed_in(idp: Provider, mode: str) -> None:
    run = await begin(idp, mode)
    await run.go()
    again = await run.browser.get("/idp/authorize", params=run.party.request(prompt="login"))
    page = await run.browser.get(again.headers["location"])
    assert (page.status_code, 'id="username"' in page.text) == (200, True)


@in_both_modes
async def test_oidcc_prompt_none_not_logged_in(idp: Provider, mode: str) -> None:
    party = await idp.client()
    answer = await go(idp, idp.browser(), party, mode, prompt="none")
    assert (answer["error"], answer["state"], answer["iss"]) == ("login_required", "s-1", ISSUER)
    assert "code" not in answer


@in_both_modes
async def test_oidcc_prompt_none_logged_in(idp: Provider, mode: str) -> None:
    run = await begin(idp, mode, token_endpoint_auth_method="client_secret_post")
    first, second = await run.id_token(), await run.id_token(prompt="none")
    assert (first["sub"], first["auth_time"]) == (second["sub"], second["auth_time"])


async def test_oidcc_max_age_1_asks_again_after_a_second(idp: Provider) -> None:
    run = await begin(idp, "query")
    await run.go()
    await idp.owner("UPDATE idp.session SET auth_time = auth_time - interval '2 seconds'")
    again = await run.browser.get("/idp/authorize", params=run.party.request(max_age="1"))
    assert again.headers["location"].startswith("/idp/sign-in")


@in_both_modes
async def test_oidcc_max_age_10000_says_when_and_asks_nothing(idp: Provider, mode: str) -> None:
    run = await begin(idp, mode, token_endpoint_auth_method="client_secret_post")
    first, second = await run.id_token(max_age="10000"), await run.id_token(max_age="10000")
    assert first["auth_time"] == second["auth_time"]


@in_both_modes
async def test_oidcc_ensure_request_with_unknown_parameter_succeeds(idp: Provider, mode: str) -> None:
    assert "code" in await (await begin(idp, mode)).go(extra="foobar")


@in_both_modes
async def test_oidcc_id_token_hint(idp: Provider, mode: str) -> None:
    run = await begin(idp, mode, token_endpoint_auth_method="client_secret_post")
    hint = (await run.tokens())["id_token"]
    assert (await run.id_token(prompt="none", id_token_hint=hint))["sub"] == read(hint)["sub"]


@in_both_modes
@pytest.mark.parametrize(
    "changed",
    [
        {"login_hint": "buffy@buffy.com"},
        {"ui_locales": "se"},
        {"claims_locales": "se"},
        {"acr_values": "1 2"},
    ],
    ids=lambda changed: next(iter(changed)),
)
async def test_oidcc_login_hint_ui_locales_claims_locales_acr_values(
    idp: Provider, mode: str, changed: dict[str, str]
) -> None:
    assert "code" in await (await begin(idp, mode)).go(**changed)


@in_both_modes
async def test_oidcc_codereuse_ends_what_the_code_gave(idp: Provider, mode: str) -> None:
    run = await begin(idp, mode, token_endpoint_auth_method="client_secret_post")
    code = (await run.go())["code"]
    first = (await idp.exchange(run.party, code)).json()
    second = await idp.exchange(run.party, code)
    assert (second.status_code, second.json()["error"]) == (400, "invalid_grant")
    assert (await idp.userinfo(first["access_token"])).status_code == 401


async def test_oidcc_codereuse_30seconds(idp: Provider) -> None:
    run = await begin(idp, "query", token_endpoint_auth_method="client_secret_post")
    code = (await run.go())["code"]
    await idp.exchange(run.party, code)
    await idp.owner(
        "UPDATE idp.authorization_code SET consumed_at = consumed_at - interval '30 seconds',"
        " expires_at = expires_at - interval '30 seconds'"
    )
    assert (await idp.exchange(run.party, code)).json()["error"] == "invalid_grant"


async def test_oidcc_ensure_registered_redirect_uri(idp: Provider) -> None:
    party = await idp.client()
    page = await idp.browser().get("/idp/authorize", params=party.request(redirect_uri="https://rp.test/other"))
    assert (page.status_code, "location" in page.headers) == (400, False)
    assert "error" in page.text
    assert "invalid_redirect_uri" in page.text


@in_both_modes
async def test_oidcc_ensure_post_request_succeeds(idp: Provider, mode: str) -> None:
    run = await begin(idp, mode)
    await run.go()
    asked = {"response_mode": "form_post"} if mode == "form_post" else {}
    answer = await run.browser.post("/idp/authorize", data=run.party.request(**asked))
    assert "code" in parameters_of(answer, mode)


async def test_oidcc_server_client_secret_basic_and_post_never_both(idp: Provider) -> None:
    run = await begin(idp, "query")
    code, secret = (await run.go())["code"], run.party.secret or ""
    form = {name: value for name, value in run.party.exchange(code).items() if not name.startswith("client_")}
    both = await idp.http.post(
        "/idp/token", data={**form, "client_secret": secret}, auth=httpx.BasicAuth(run.party.client_id, secret)
    )
    assert (both.status_code, both.json()["error"]) == (400, "invalid_request")
    alone = await idp.http.post("/idp/token", data=form, auth=httpx.BasicAuth(run.party.client_id, secret))
    assert alone.status_code == 200, alone.text
    wrong = await idp.http.post("/idp/token", data=form, auth=httpx.BasicAuth(run.party.client_id, "wrong"))
    assert (wrong.status_code, wrong.json()["error"]) == (401, "invalid_client")
    assert wrong.headers["www-authenticate"].startswith("Basic")


@in_both_modes
async def test_oidcc_unsigned_request_object_supported_correctly_or_rejected_as_unsupported(
    idp: Provider, mode: str
) -> None:
    run = await begin(idp, mode)
    unsigned = jwt.encode({"iss": run.party.client_id, "aud": ISSUER, **run.party.request()}, None, algorithm="none")
    assert (await run.go(request=unsigned))["error"] in ("invalid_request_object", "request_not_supported")


@in_both_modes
async def test_oidcc_claims_essential(idp: Provider, mode: str) -> None:
    run = await begin(idp, mode, token_endpoint_auth_method="client_secret_post")
    tokens = await run.tokens(scope="openid", claims=json.dumps({"userinfo": {"name": {"essential": True}}}))
    assert (await idp.userinfo(tokens["access_token"])).json()["name"]


async def test_oidcc_refresh_token(idp: Provider) -> None:
    run = await begin(idp, "query", token_endpoint_auth_method="client_secret_post")
    tokens = await run.tokens(scope="openid offline_access", prompt="consent")
    refreshed = (await idp.refresh(run.party, tokens["refresh_token"])).json()
    first, second = read(tokens["id_token"]), read(refreshed["id_token"])
    assert refreshed["access_token"] != tokens["access_token"]
    assert {name: first[name] for name in ("iss", "sub", "aud", "auth_time")} == {
        name: second[name] for name in ("iss", "sub", "aud", "auth_time")
    }
    other = await idp.client()
    stolen = await idp.refresh(other, tokens["refresh_token"])
    assert (stolen.status_code, stolen.json()["error"]) == (400, "invalid_grant")


@in_both_modes
async def test_oidcc_ensure_request_with_valid_pkce_succeeds_and_without_any(idp: Provider, mode: str) -> None:
    run = await begin(idp, mode, token_endpoint_auth_method="client_secret_post")
    assert (await run.tokens())["access_token"]
    code = (await run.go(code_challenge=None, code_challenge_method=None))["code"]
    assert (await idp.exchange(run.party, code, code_verifier=None)).status_code == 200


async def test_oidcc_formpost_page_escapes_what_it_posts_and_needs_no_script(idp: Provider) -> None:
    run = await begin(idp, "form_post")
    state = "\"><script>alert(1)</script>&'\r\n"
    page = await idp.allowed(run.browser, run.party, response_mode="form_post", state=state)
    assert "<script>alert" not in page.text
    assert parameters_of(page, "form_post")["state"] == state
    assert '<button type="submit"' in page.text
