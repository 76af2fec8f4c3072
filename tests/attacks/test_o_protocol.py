"""Group O of the attack catalogue: OpenID Connect and OAuth."""

import asyncio
import base64
import hashlib
import hmac
import json
import time
from urllib.parse import quote

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from jose import jwt as python_jose

from idp.refusals import InvalidClientMetadata
from kit.jose import SigningKey, client_assertion
from tests.provider import CALLBACK, ISSUER, RESOURCE, Provider, answer_of, csrf_of, press_allow

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def refused_on_a_page(idp: Provider, **parameters: str) -> httpx.Response:
    async with idp.browser() as browser:
        response = await browser.get("/idp/authorize", params=parameters)
    assert response.status_code == 400
    assert "location" not in response.headers
    assert "error" in response.text
    return response


@pytest.mark.parametrize(
    "redirect_uri",
    [f"{CALLBACK}/../x", f"{CALLBACK}/more", f"{CALLBACK}?q=1", f"{CALLBACK}/", f"{CALLBACK}#f", CALLBACK.upper()],
)
async def test_o_01_redirect_uri_is_compared_as_a_string(idp: Provider, redirect_uri: str) -> None:
    party = await idp.client()
    await refused_on_a_page(idp, **party.request(redirect_uri=redirect_uri))


@pytest.mark.parametrize(
    "redirect_uri",
    ["https://rp.test.evil.com/callback", "https://rp.test@evil.com/callback", "https://evil.com/https://rp.test"],
)
async def test_o_02_redirect_uri_prefix_and_suffix_tricks(idp: Provider, redirect_uri: str) -> None:
    party = await idp.client()
    await refused_on_a_page(idp, **party.request(redirect_uri=redirect_uri))


LOOPBACK = ["http://127.0.0.1/cb?x=1", "http://[::1]:9101/cb", "http://localhost:9101/cb"]


@pytest.mark.parametrize("uri", ["http://127.0.0.1:49152/cb?x=1", "http://[::1]:65535/cb", "http://[::1]/cb"])
async def test_a_native_app_listens_at_any_port_rfc8252_7_3(idp: Provider, uri: str) -> None:
    party = await idp.wallet(redirect_uris=LOOPBACK)
    party.redirect_uri = uri
    browser = await idp.signed_in(await idp.citizen())
    consent = await browser.get("/idp/authorize", params=party.request())
    page = await browser.get(consent.headers["location"])
    source = "http:" if "[" in uri else "http://127.0.0.1:49152"
    assert f"form-action 'self' {source};" in f"{page.headers['content-security-policy']};"
    response = await press_allow(browser, consent.headers["location"])
    assert response.headers["location"].startswith(f"{uri}{'&' if '?' in uri else '?'}code=")
    code = answer_of(response)["code"]
    assert (await idp.exchange(party, code, redirect_uri=LOOPBACK[0])).json()["error"] == "invalid_grant"
    code = await idp.code(browser, party)
    assert (await idp.exchange(party, code)).status_code == 200
    pushed = await idp.pushed(party)
    assert "code" in answer_of(await browser.get("/idp/authorize", params=pushed))


@pytest.mark.parametrize(
    "uri",
    [
        "http://localhost:9102/cb",
        "http://127.0.0.1:9101/cb",
        "http://127.0.0.1:9101/cb?x=2",
        "http://127.0.0.1:0/cb?x=1",
        "http://127.0.0.1:65536/cb?x=1",
        "http://127.0.0.1:/cb?x=1",
        "http://127.0.0.1:80@evil.com/cb?x=1",
        "http://127.0.0.1:80.evil.com/cb?x=1",
        "http://127.0.0.1.evil.com/cb?x=1",
        "http://127.0.0.2:9101/cb?x=1",
        "http://127.1:9101/cb?x=1",
        "https://127.0.0.1:9101/cb?x=1",
        "http://[::1]:9101/cb/../x",
        "http://[::1]:9102/cb#x",
        "http://[::1]:9102/cb\n",
    ],
)
async def test_o_02_nothing_but_the_port_of_a_loopback_address_may_differ(idp: Provider, uri: str) -> None:
    party = await idp.wallet(redirect_uris=LOOPBACK)
    await refused_on_a_page(idp, **party.request(redirect_uri=uri))


@pytest.mark.parametrize("metadata", [{}, {"application_type": "native"}], ids=["web", "confidential"])
async def test_o_02_another_loopback_port_is_of_native_public_clients_alone(
    idp: Provider, metadata: dict[str, str]
) -> None:
    party = await idp.client(redirect_uris=LOOPBACK, **metadata)
    await refused_on_a_page(idp, **party.request(redirect_uri="http://127.0.0.1:9101/cb?x=1"))


@pytest.mark.parametrize("name", ["redirect_uri", "client_id", "state", "scope"])
async def test_o_04_repeated_parameter_redirects_nothing(idp: Provider, name: str) -> None:
    party = await idp.client()
    query = "&".join(f"{key}={quote(value, safe='')}" for key, value in party.request().items())
    again = quote(party.request()[name], safe="")
    async with idp.browser() as browser:
        for response in (
            await browser.get(f"/idp/authorize?{query}&{name}={again}"),
            await browser.post(
                "/idp/authorize",
                content=f"{query}&{name}={again}",
                headers={"Content-Type": "application/x-www-form-urlencoded"},
            ),
        ):
            assert response.status_code == 400
            assert "location" not in response.headers
            assert "invalid_request" in response.text


async def test_o_06_public_client_without_pkce(idp: Provider) -> None:
    party = await idp.wallet()
    browser = await idp.signed_in(await idp.citizen())
    response = await browser.get(
        "/idp/authorize", params=party.request(code_challenge=None, code_challenge_method=None)
    )
    assert answer_of(response)["error"] == "invalid_request"


@pytest.mark.parametrize("method", ["plain", None, "s256"])
async def test_o_07_code_challenge_method_other_than_s256(idp: Provider, method: str | None) -> None:
    party = await idp.client()
    browser = await idp.signed_in(await idp.citizen())
    response = await browser.get("/idp/authorize", params=party.request(code_challenge_method=method))
    assert answer_of(response)["error"] == "invalid_request"


@pytest.mark.parametrize("verifier", [None, "x" * 43, "short"])
async def test_o_08_code_with_challenge_needs_its_verifier(idp: Provider, verifier: str | None) -> None:
    party = await idp.client()
    code = await idp.code(await idp.signed_in(await idp.citizen()), party)
    response = await idp.http.post("/idp/token", data=party.exchange(code, code_verifier=verifier))
    assert (response.status_code, response.json()["error"]) == (400, "invalid_grant")


async def test_o_08_verifier_without_challenge_is_a_downgrade(idp: Provider) -> None:
    party = await idp.client()
    code = await idp.code(
        await idp.signed_in(await idp.citizen()), party, code_challenge=None, code_challenge_method=None
    )
    response = await idp.http.post("/idp/token", data=party.exchange(code))
    assert (response.status_code, response.json()["error"]) == (400, "invalid_grant")


async def test_o_10_code_replay_ends_what_the_first_use_got(idp: Provider) -> None:
    party = await idp.client()
    code = await idp.code(await idp.signed_in(await idp.citizen()), party)
    first = (await idp.http.post("/idp/token", data=party.exchange(code))).json()
    assert (await idp.userinfo(first["access_token"])).status_code == 200

    second = await idp.http.post("/idp/token", data=party.exchange(code))

    assert (second.status_code, second.json()["error"]) == (400, "invalid_grant")
    assert (await idp.userinfo(first["access_token"])).status_code == 401
    assert (await idp.refresh(party, first["refresh_token"])).json()["error"] == "invalid_grant"


async def test_o_10_a_code_is_spent_once_when_six_race_rfc6749_4_1_2(idp: Provider) -> None:
    party = await idp.client()
    code = await idp.code(await idp.signed_in(await idp.citizen()), party)
    answers = await asyncio.gather(*(idp.http.post("/idp/token", data=party.exchange(code)) for _ in range(6)))
    assert sorted(answer.status_code for answer in answers) == [200, 400, 400, 400, 400, 400]


async def test_o_12_code_of_another_client_is_burnt(idp: Provider) -> None:
    party, thief = await idp.client(), await idp.client()
    code = await idp.code(await idp.signed_in(await idp.citizen()), party)
    thief.verifier = party.verifier
    stolen = await idp.http.post("/idp/token", data=thief.exchange(code))
    rightful = await idp.http.post("/idp/token", data=party.exchange(code))
    assert [r.json()["error"] for r in (stolen, rightful)] == ["invalid_grant", "invalid_grant"]


async def test_o_13_code_after_its_minute(idp: Provider) -> None:
    party = await idp.client()
    code = await idp.code(await idp.signed_in(await idp.citizen()), party)
    await idp.owner("UPDATE idp.authorization_code SET expires_at = expires_at - interval '61 seconds'")
    response = await idp.http.post("/idp/token", data=party.exchange(code))
    assert (response.status_code, response.json()["error"]) == (400, "invalid_grant")


async def test_o_13_code_lives_sixty_seconds(idp: Provider) -> None:
    party = await idp.client()
    await idp.code(await idp.signed_in(await idp.citizen()), party)
    rows = await idp.owner("SELECT extract(epoch FROM expires_at - now()) AS s FROM idp.authorization_code ORDER BY 1")
    assert 50 < rows[-1]["s"] <= 60


async def test_o_13_code_with_another_redirect_uri(idp: Provider) -> None:
    party = await idp.client(redirect_uris=[CALLBACK, "https://rp.test/other"])
    code = await idp.code(await idp.signed_in(await idp.citizen()), party)
    response = await idp.http.post("/idp/token", data=party.exchange(code, redirect_uri="https://rp.test/other"))
    assert (response.status_code, response.json()["error"]) == (400, "invalid_grant")


@pytest.mark.parametrize("response_type", ["token", "id_token token", "id_token", "code id_token", "none"])
async def test_o_14_other_response_types(idp: Provider, response_type: str) -> None:
    party = await idp.client()
    browser = await idp.signed_in(await idp.citizen())
    response = await browser.get("/idp/authorize", params=party.request(response_type=response_type))
    assert answer_of(response)["error"] == "unsupported_response_type"


async def test_o_16_prompt_none_without_a_session(idp: Provider) -> None:
    party = await idp.client()
    async with idp.browser() as browser:
        response = await browser.get("/idp/authorize", params=party.request(prompt="none"))
    assert response.headers["location"].startswith(f"{CALLBACK}?")
    assert answer_of(response) == {"error": "login_required", "state": "s-1", "iss": ISSUER}


async def test_o_16_prompt_none_without_consent(idp: Provider) -> None:
    party = await idp.client()
    browser = await idp.signed_in(await idp.citizen())
    response = await browser.get("/idp/authorize", params=party.request(prompt="none"))
    assert answer_of(response)["error"] == "consent_required"


async def test_o_17_hint_of_another_citizen_tells_nothing(idp: Provider) -> None:
    party = await idp.client()
    other = await idp.tokens(await idp.signed_in(await idp.citizen()), party)
    browser = await idp.signed_in(await idp.citizen(email="other@example.com"))
    await idp.tokens(browser, party)
    response = await browser.get("/idp/authorize", params=party.request(prompt="none", id_token_hint=other["id_token"]))
    assert answer_of(response) == {"error": "login_required", "state": "s-1", "iss": ISSUER}


@pytest.mark.parametrize("changed", [{"max_age": "0"}, {"prompt": "login"}, {"max_age": "60"}])
async def test_o_18_old_session_is_not_a_fresh_login(idp: Provider, changed: dict[str, str]) -> None:
    party = await idp.client()
    browser = await idp.signed_in(await idp.citizen())
    await idp.tokens(browser, party)
    await idp.owner("UPDATE idp.session SET auth_time = auth_time - interval '5 minutes'")
    response = await browser.get("/idp/authorize", params=party.request(**changed))
    assert response.headers["location"].startswith("/idp/sign-in?interaction=")
    # Coming back without having signed in again changes nothing.
    interaction = response.headers["location"].partition("=")[2]
    again = await browser.get(f"/idp/authorize/resume?interaction={interaction}")
    assert again.headers["location"].startswith("/idp/sign-in?interaction=")


async def test_o_18_auth_time_is_in_the_id_token(idp: Provider) -> None:
    party = await idp.client()
    tokens = await idp.tokens(await idp.signed_in(await idp.citizen()), party, max_age="600")
    claims = jwt.decode(tokens["id_token"], options={"verify_signature": False})
    assert abs(claims["auth_time"] - time.time()) < 60


async def test_o_19_essential_level_that_does_not_exist(idp: Provider) -> None:
    party = await idp.client(default_acr_values=["low"])
    browser = await idp.signed_in(await idp.citizen(), acr="low")
    claims = json.dumps({"id_token": {"acr": {"essential": True, "value": "urn:nobody:highest"}}})
    response = await browser.get("/idp/authorize", params=party.request(claims=claims))
    assert answer_of(response)["error"] == "unmet_authentication_requirements"


@pytest.mark.parametrize(
    "changed",
    [
        {"claims": json.dumps({"id_token": {"acr": {"essential": True, "values": ["substantial", "high"]}}})},
        {"acr_values": "substantial"},
    ],
)
async def test_o_19_low_session_steps_up(idp: Provider, changed: dict[str, str]) -> None:
    party = await idp.client(default_acr_values=["low"])
    browser = await idp.signed_in(await idp.citizen(), acr="low")
    await idp.tokens(browser, party)
    response = await browser.get("/idp/authorize", params=party.request(**changed))
    assert response.headers["location"].startswith("/idp/sign-in?interaction=")
    quiet = await browser.get("/idp/authorize", params=party.request(prompt="none", **changed))
    assert answer_of(quiet)["error"] == "login_required"


async def test_o_20_interrupted_step_up_leaves_the_level_low(idp: Provider) -> None:
    party = await idp.client(default_acr_values=["low"])
    browser = await idp.signed_in(await idp.citizen(), acr="low")
    await browser.get("/idp/authorize", params=party.request(acr_values="substantial"))
    tokens = await idp.tokens(browser, party)
    assert jwt.decode(tokens["id_token"], options={"verify_signature": False})["acr"] == "low"


async def test_o_21_iss_in_success_and_error(idp: Provider) -> None:
    party = await idp.client()
    browser = await idp.signed_in(await idp.citizen())
    success = await idp.allowed(browser, party)
    error = await browser.get("/idp/authorize", params=party.request(scope="unheard-of"))
    assert answer_of(success)["iss"] == ISSUER
    assert answer_of(error) == {
        "error": "invalid_scope",
        "error_description": "a scope that this client has not registered",
        "state": "s-1",
        "iss": ISSUER,
    }


STATE = "\"'<script>alert(1)</script>\r\nSet-Cookie: x=1 +&%é العربية " + "x" * 2000


async def test_o_22_state_comes_back_byte_for_byte(idp: Provider) -> None:
    party = await idp.client()
    response = await idp.allowed(await idp.signed_in(await idp.citizen()), party, state=STATE)
    assert f"state={quote(STATE, safe='')}" in response.headers["location"]
    assert answer_of(response)["state"] == STATE


async def test_o_22_state_is_escaped_in_form_post(idp: Provider) -> None:
    party = await idp.client()
    browser = await idp.signed_in(await idp.citizen())
    response = await idp.allowed(browser, party, state=STATE, response_mode="form_post")
    assert response.status_code == 200
    assert "<script>alert" not in response.text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in response.text
    assert "form-action 'self' https://rp.test;" in response.headers["content-security-policy"]


async def test_o_23_unknown_client_is_a_page(idp: Provider) -> None:
    response = await refused_on_a_page(idp, client_id="nobody", redirect_uri=CALLBACK, response_type="code")
    assert "invalid_client" in response.text


@pytest.mark.parametrize("request_uri", ["http://169.254.169.254/", "file:///etc/passwd", "https://rp.test/r.jwt"])
async def test_o_24_request_uri_is_never_fetched(idp: Provider, request_uri: str) -> None:
    party = await idp.client()
    browser = await idp.signed_in(await idp.citizen())
    response = await browser.get("/idp/authorize", params=party.request(request_uri=request_uri))
    assert answer_of(response)["error"] == "invalid_request_uri"


async def test_o_26_request_object_is_refused_by_its_own_code(idp: Provider) -> None:
    party = await idp.client()
    browser = await idp.signed_in(await idp.citizen())
    unsigned = jwt.encode({"client_id": party.client_id}, None, algorithm="none")  # type: ignore[arg-type]
    response = await browser.get("/idp/authorize", params=party.request(request=unsigned))
    assert answer_of(response)["error"] == "invalid_request_object"


@pytest.mark.parametrize("logo_uri", ["javascript:alert(1)", "data:image/svg+xml,<svg/>", "http://tracker.test/x.png"])
async def test_o_31_logo_uri(idp: Provider, logo_uri: str) -> None:
    with pytest.raises(InvalidClientMetadata, match="logo_uri"):
        await idp.client(logo_uri=logo_uri)


@pytest.mark.parametrize(
    "changed",
    [
        {"aud": "https://other.test/idp"},
        {"exp": int(time.time()) - 120},
        {"exp": int(time.time()) + 86_400},
        {"iss": "somebody"},
        {"sub": "somebody"},
        {"jti": None},
        {"exp": None},
    ],
)
async def test_o_32_private_key_jwt_claims(idp: Provider, changed: dict[str, object]) -> None:
    party = await idp.client(
        profile="machine",
        token_endpoint_auth_method="private_key_jwt",
        redirect_uris=[],
        grant_types=["client_credentials"],
        scope="documents:deposit",
    )
    assert party.key is not None
    now = int(time.time())
    claims = {
        "iss": party.client_id,
        "sub": party.client_id,
        "aud": ISSUER,
        "jti": f"j{time.time_ns()}",
        "iat": now,
        "exp": now + 60,
    } | changed
    assertion = party.key.sign({k: v for k, v in claims.items() if v is not None}, typ="JWT")
    response = await idp.token(
        party, {"grant_type": "client_credentials", **party.authentication(), "client_assertion": assertion}
    )
    assert (response.status_code, response.json()["error"]) == (401, "invalid_client")


async def test_o_32_private_key_jwt_is_good_once(idp: Provider) -> None:
    party = await idp.client(
        profile="machine",
        token_endpoint_auth_method="private_key_jwt",
        redirect_uris=[],
        grant_types=["client_credentials"],
        scope="documents:deposit",
    )
    body = {"grant_type": "client_credentials", **party.authentication()}
    answers = await asyncio.gather(*(idp.token(party, body) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 401, 401, 401]


async def test_o_32_assertion_of_another_key(idp: Provider) -> None:
    party = await idp.client(
        profile="machine",
        token_endpoint_auth_method="private_key_jwt",
        redirect_uris=[],
        grant_types=["client_credentials"],
        scope="documents:deposit",
    )
    forged = client_assertion(SigningKey.generate("ES256"), client_id=party.client_id, audience=ISSUER, jti="forged")
    response = await idp.token(
        party, {"grant_type": "client_credentials", **party.authentication(), "client_assertion": forged}
    )
    assert response.status_code == 401


def hs256(claims: dict[str, object], secret: bytes, kid: str) -> str:
    """By hand: the libraries refuse to make it."""

    def encoded(data: bytes) -> bytes:
        return base64.urlsafe_b64encode(data).rstrip(b"=")

    header = encoded(json.dumps({"alg": "HS256", "typ": "at+jwt", "kid": kid}).encode())
    signed = header + b"." + encoded(json.dumps(claims).encode())
    return (signed + b"." + encoded(hmac.new(secret, signed, hashlib.sha256).digest())).decode()


async def test_o_34_public_key_as_hmac_secret(idp: Provider) -> None:
    party = await idp.client(token_endpoint_auth_method="private_key_jwt")
    keys = idp.wiring.keys.current().keys
    now = int(time.time())
    claims: dict[str, object] = {
        "iss": ISSUER,
        "aud": ISSUER,
        "sub": "x",
        "client_id": party.client_id,
        "scope": "openid",
        "iat": now,
        "exp": now + 60,
        "jti": "x",
    }
    for key in keys:
        public = key.private.public_key()
        for encoding in (serialization.Encoding.PEM, serialization.Encoding.DER):
            secret = public.public_bytes(encoding, serialization.PublicFormat.SubjectPublicKeyInfo)
            forged = hs256(claims, secret, key.kid)
            assert (await idp.userinfo(forged)).status_code == 401
            introspected = await idp.http.post("/idp/introspect", data={"token": forged, **party.authentication()})
            assert introspected.json() == {"active": False}
    assert party.key is not None
    own = party.key.private.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    assertion = hs256(
        {"iss": party.client_id, "sub": party.client_id, "aud": ISSUER, "jti": "h", "exp": now + 60},
        own,
        party.key.kid,
    )
    response = await idp.token(
        party, {"grant_type": "client_credentials", **party.authentication(), "client_assertion": assertion}
    )
    assert (response.status_code, response.json()["error"]) == (401, "invalid_client")


async def test_o_40_rotated_refresh_token_ends_the_family(idp: Provider) -> None:
    party = await idp.wallet()
    tokens = await idp.tokens(await idp.signed_in(await idp.citizen()), party)
    fresh = (await idp.refresh(party, tokens["refresh_token"])).json()
    assert fresh["refresh_token"] != tokens["refresh_token"]
    assert (await idp.userinfo(fresh["access_token"], party)).status_code == 200

    reused = await idp.refresh(party, tokens["refresh_token"])

    assert (reused.status_code, reused.json()["error"]) == (400, "invalid_grant")
    assert (await idp.refresh(party, fresh["refresh_token"])).json()["error"] == "invalid_grant"
    assert (await idp.userinfo(fresh["access_token"], party)).status_code == 401


async def test_o_40_racing_refreshes_of_a_public_client_win_at_most_once(idp: Provider) -> None:
    party = await idp.wallet()
    tokens = await idp.tokens(await idp.signed_in(await idp.citizen()), party)
    answers = await asyncio.gather(*(idp.refresh(party, tokens["refresh_token"]) for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [200, 400, 400, 400, 400]


async def test_o_40_confidential_clients_keep_their_refresh_token(idp: Provider) -> None:
    party = await idp.client()
    tokens = await idp.tokens(await idp.signed_in(await idp.citizen()), party)
    for _ in range(3):
        response = await idp.refresh(party, tokens["refresh_token"])
        assert (response.status_code, response.json()["refresh_token"]) == (200, tokens["refresh_token"])


async def test_o_42_refresh_with_wider_scope(idp: Provider) -> None:
    party = await idp.client()
    tokens = await idp.tokens(await idp.signed_in(await idp.citizen()), party)
    wider = await idp.refresh(party, tokens["refresh_token"], scope="openid profile email")
    assert (wider.status_code, wider.json()["error"]) == (400, "invalid_scope")
    narrower = await idp.refresh(party, tokens["refresh_token"], scope="openid")
    assert "email" not in (await idp.userinfo(narrower.json()["access_token"])).json()


@pytest.mark.parametrize(
    "ending",
    [
        "UPDATE idp.consent SET ended_at = now() WHERE client_id = $1",
        "UPDATE idp.citizen SET state = 'frozen' WHERE $1 <> ''",
        "UPDATE idp.client SET state = 'disabled', revision = revision + 1 WHERE client_id = $1",
    ],
)
async def test_o_43_refresh_after_an_end(idp: Provider, ending: str) -> None:
    party = await idp.client()
    tokens = await idp.tokens(await idp.signed_in(await idp.citizen()), party)
    await idp.owner(ending, party.client_id)
    response = await idp.refresh(party, tokens["refresh_token"])
    assert response.status_code in (400, 401)
    assert response.json()["error"] in ("invalid_grant", "invalid_client")
    assert (await idp.userinfo(tokens["access_token"])).status_code == 401


async def test_o_45_tokens_of_another_client(idp: Provider) -> None:
    party, other = await idp.client(), await idp.client()
    tokens = await idp.tokens(await idp.signed_in(await idp.citizen()), party)
    for token in (tokens["access_token"], tokens["refresh_token"]):
        introspected = await idp.http.post("/idp/introspect", data={"token": token, **other.authentication()})
        assert introspected.json() == {"active": False}
        revoked = await idp.http.post("/idp/revoke", data={"token": token, **other.authentication()})
        assert (revoked.status_code, revoked.content) == (200, b"")
    assert (await idp.userinfo(tokens["access_token"])).status_code == 200
    mine = await idp.http.post("/idp/introspect", data={"token": tokens["access_token"], **party.authentication()})
    assert mine.json()["active"] is True


async def test_o_45_a_client_revokes_its_own(idp: Provider) -> None:
    party = await idp.client()
    browser = await idp.signed_in(await idp.citizen())
    tokens = await idp.tokens(browser, party)
    await idp.http.post("/idp/revoke", data={"token": tokens["access_token"], **party.authentication()})
    assert (await idp.userinfo(tokens["access_token"])).status_code == 401
    again = (await idp.refresh(party, tokens["refresh_token"])).json()
    await idp.http.post("/idp/revoke", data={"token": again["refresh_token"], **party.authentication()})
    assert (await idp.userinfo(again["access_token"])).status_code == 401


async def test_o_46_sub_is_pairwise_by_sector(idp: Provider) -> None:
    one, two = await idp.client(sector="tax"), await idp.client(sector="tax")
    three = await idp.client(sector="health")
    browser = await idp.signed_in(await idp.citizen())
    subs = []
    for party in (one, two, three):
        tokens = await idp.tokens(browser, party)
        subs.append((await idp.userinfo(tokens["access_token"])).json()["sub"])
    assert subs[0] == subs[1] != subs[2]


async def test_o_47_logout_without_a_hint_asks(idp: Provider) -> None:
    party = await idp.client(post_logout_redirect_uris=["https://rp.test/bye"])
    browser = await idp.signed_in(await idp.citizen())
    page = await browser.get(
        "/idp/end-session",
        params={"client_id": party.client_id, "post_logout_redirect_uri": "https://rp.test/bye"},
    )
    assert page.status_code == 200
    assert 'id="logout-confirm"' in page.text
    assert (await browser.get("/idp/authorize", params=party.request(prompt="none"))).status_code == 303


@pytest.mark.parametrize("uri", ["https://evil.test/", "https://rp.test/bye/../x"])
async def test_o_47_unregistered_post_logout_redirect_uri(idp: Provider, uri: str) -> None:
    party = await idp.client(post_logout_redirect_uris=["https://rp.test/bye"])
    browser = await idp.signed_in(await idp.citizen())
    tokens = await idp.tokens(browser, party)
    asked = await browser.get(
        "/idp/end-session", params={"id_token_hint": tokens["id_token"], "post_logout_redirect_uri": uri}
    )
    assert (asked.status_code, "error" in asked.text, 'id="logout-confirm"' in asked.text) == (400, True, True)
    confirmed = await browser.post(
        "/idp/end-session/confirm",
        data={"csrf": csrf_of(asked), "id_token_hint": tokens["id_token"], "post_logout_redirect_uri": uri},
    )
    assert confirmed.headers["location"] == "/idp/signed-out"


async def test_o_47_good_hint_signs_out_and_returns_with_state(idp: Provider) -> None:
    party = await idp.client(post_logout_redirect_uris=["https://rp.test/bye"])
    browser = await idp.signed_in(await idp.citizen())
    tokens = await idp.tokens(browser, party)
    response = await browser.get(
        "/idp/end-session",
        params={
            "id_token_hint": tokens["id_token"],
            "post_logout_redirect_uri": "https://rp.test/bye",
            "state": "a b",
        },
    )
    assert (response.status_code, response.headers["location"]) == (303, "https://rp.test/bye?state=a%20b")
    after = await browser.get("/idp/authorize", params=party.request(prompt="none"))
    assert answer_of(after)["error"] == "login_required"
    assert (await idp.userinfo(tokens["access_token"])).status_code == 401


@pytest.mark.parametrize("headers", [{"Host": "evil.test"}, {"X-Forwarded-Host": "evil.test"}])
async def test_o_49_foreign_host_changes_nothing(idp: Provider, headers: dict[str, str]) -> None:
    discovery = (await idp.http.get("/idp/.well-known/openid-configuration", headers=headers)).text
    assert "evil.test" not in discovery
    assert json.loads(discovery)["issuer"] == ISSUER
    page = await idp.http.get("/idp/authorize", headers={"Accept": "text/html", **headers})
    assert "evil.test" not in page.text


@pytest.mark.parametrize("host", ["[", "[::1", "]", "id.test:99999", "id.test:abc", "http://id.test"])
async def test_o_49_a_host_that_is_none_is_no_fault(idp: Provider, host: str) -> None:
    for path, status in (("/idp/sign-in", 200), ("/idp/authorize", 400), ("/idp/nowhere", 404)):
        page = await idp.http.get(path, headers={"Accept": "text/html", "Host": host})
        assert page.status_code in (status, 400)
        assert "content-security-policy" in page.headers


async def test_o_50_forms_answer_303_and_nothing_is_cached(idp: Provider) -> None:
    party = await idp.client()
    browser = await idp.signed_in(await idp.citizen())
    response = await browser.get("/idp/authorize", params=party.request())
    location = response.headers["location"]
    page = await browser.get(location)
    assert page.headers["cache-control"] == "no-store"
    answer = await browser.post(location, data={"csrf": csrf_of(page), "decision": "allow"})
    assert answer.status_code == 303
    tokens = await idp.http.post("/idp/token", data=party.exchange("unknown"))
    assert tokens.headers["cache-control"] == "no-store"


async def test_o_52_jwks_has_no_private_members_and_verifies_what_was_signed(idp: Provider) -> None:
    es, rs = await idp.client(), await idp.client(id_token_signed_response_alg="RS256")
    jwks = (await idp.http.get("/idp/jwks")).json()
    for key in jwks["keys"]:
        assert not {"d", "p", "q", "dp", "dq", "qi", "k"} & set(key)
    browser = await idp.signed_in(await idp.citizen())
    for party, alg in ((es, "ES256"), (rs, "RS256")):
        tokens = await idp.tokens(browser, party)
        claims = python_jose.decode(
            tokens["id_token"],
            next(key for key in jwks["keys"] if key["alg"] == alg),
            algorithms=[alg],
            audience=party.client_id,
            issuer=ISSUER,
            access_token=tokens["access_token"],
        )
        assert claims["nonce"] == "n-1"


async def test_o_consent_denied_goes_back_with_access_denied(idp: Provider) -> None:
    party = await idp.client()
    browser = await idp.signed_in(await idp.citizen())
    location = (await browser.get("/idp/authorize", params=party.request())).headers["location"]
    page = await browser.get(location)
    denied = await browser.post(location, data={"csrf": csrf_of(page), "decision": "deny"})
    assert answer_of(denied) == {"error": "access_denied", "state": "s-1", "iss": ISSUER}
    # Back and Allow after the answer: the interaction is over.
    late = await browser.post(location, data={"csrf": csrf_of(page), "decision": "allow"})
    assert late.status_code == 400


async def test_o_interaction_of_another_browser_is_over(idp: Provider) -> None:
    party = await idp.client()
    victim, attacker = await idp.signed_in(await idp.citizen()), await idp.signed_in(await idp.citizen(email="b@b.ma"))
    location = (await attacker.get("/idp/authorize", params=party.request())).headers["location"]
    assert (await victim.get(location)).status_code == 400
    interaction = location.partition("=")[2]
    assert (await victim.get(f"/idp/authorize/resume?interaction={interaction}")).status_code == 400


async def test_o_consent_is_remembered_and_asked_again_when_more_is_asked(idp: Provider) -> None:
    party = await idp.client()
    browser = await idp.signed_in(await idp.citizen())
    await idp.tokens(browser, party)
    same = await browser.get("/idp/authorize", params=party.request(prompt="none"))
    assert "code" in answer_of(same)
    more = await browser.get("/idp/authorize", params=party.request(scope="openid profile email"))
    assert more.headers["location"].startswith("/idp/consent")
    again = await browser.get("/idp/authorize", params=party.request(prompt="consent"))
    assert again.headers["location"].startswith("/idp/consent")
    assert "code" in answer_of(await press_allow(browser, again.headers["location"]))


async def test_p_10_claims_beyond_consent_are_absent(idp: Provider) -> None:
    party = await idp.client()
    tokens = await idp.tokens(await idp.signed_in(await idp.citizen()), party)
    answer = (await idp.userinfo(tokens["access_token"])).json()
    assert answer["given_name"] == "Amina"
    assert not {"email", "phone_number", "address", "uid"} & set(answer)
    claims = jwt.decode(tokens["id_token"], options={"verify_signature": False})
    assert not {"name", "given_name", "email", "uid"} & set(claims)


async def test_access_token_for_the_resource_is_not_for_userinfo(idp: Provider) -> None:
    party = await idp.client(scope="openid documents:read")
    browser = await idp.signed_in(await idp.citizen())
    tokens = await idp.tokens(browser, party, scope="openid documents:read", resource=RESOURCE)
    claims = jwt.decode(tokens["access_token"], options={"verify_signature": False})
    assert (claims["aud"], claims["scope"]) == (RESOURCE, "documents:read")
    assert (await idp.userinfo(tokens["access_token"])).status_code == 401
    for_us = await idp.refresh(party, tokens["refresh_token"], resource=ISSUER)
    assert (await idp.userinfo(for_us.json()["access_token"])).status_code == 200


async def test_p_16_an_ended_connection_is_dead_at_once(idp: Provider) -> None:
    party = await idp.client()
    browser = await idp.signed_in(await idp.citizen())
    tokens = await idp.tokens(browser, party)
    page = await browser.get("/idp/account/services")
    assert "A relying party" in page.text
    consent = page.text.partition('name="consent" value="')[2].partition('"')[0]
    ended = await browser.post("/idp/account/services", data={"csrf": csrf_of(page), "consent": consent})
    assert ended.status_code == 303
    assert (await idp.userinfo(tokens["access_token"])).status_code == 401
    assert (await idp.refresh(party, tokens["refresh_token"])).json()["error"] == "invalid_grant"


async def test_p_16_nobody_ends_a_strangers_connection(idp: Provider) -> None:
    party = await idp.client()
    mine = await idp.signed_in(await idp.citizen())
    tokens = await idp.tokens(mine, party)
    page = await mine.get("/idp/account/services")
    consent = page.text.partition('name="consent" value="')[2].partition('"')[0]
    stranger = await idp.signed_in(await idp.citizen(email="c@c.ma"))
    own = await stranger.get("/idp/account")
    refused = await stranger.post("/idp/account/services", data={"csrf": csrf_of(own), "consent": consent})
    assert refused.status_code == 404
    assert (await idp.userinfo(tokens["access_token"])).status_code == 200


async def test_o_46_a_token_for_a_resource_server_carries_its_own_sub(idp: Provider) -> None:
    await idp.owner("UPDATE idp.resource SET sector = 'locker' WHERE resource = $1", RESOURCE)
    idp.wiring.scopes.forget()
    one = await idp.client(sector="one", scope="openid documents:read")
    two = await idp.client(sector="two", scope="openid documents:read")
    browser = await idp.signed_in(await idp.citizen())
    seen = []
    for party in (one, two):
        tokens = await idp.tokens(browser, party, scope="openid documents:read", resource=RESOURCE)
        access, identity = (
            jwt.decode(tokens[name], options={"verify_signature": False})["sub"]
            for name in ("access_token", "id_token")
        )
        seen.append((access, identity))
    assert seen[0][0] == seen[1][0]
    assert len({seen[0][0], seen[0][1], seen[1][1]}) == 3


async def test_o_claims_locales_choose_the_script(idp: Provider) -> None:
    party = await idp.client()
    browser = await idp.signed_in(await idp.citizen())
    tokens = await idp.tokens(browser, party, claims_locales="ar")
    assert (await idp.userinfo(tokens["access_token"])).json()["given_name"] == "أمينة"


@pytest.mark.parametrize("interaction", ["%00", "x" * 5_000, "%F0%9F%98%80"])
async def test_o_an_interaction_that_cannot_be_is_over(idp: Provider, interaction: str) -> None:
    browser = await idp.signed_in(await idp.citizen())
    for path in ("/idp/consent", "/idp/authorize/resume"):
        assert (await browser.get(f"{path}?interaction={interaction}")).status_code == 400
