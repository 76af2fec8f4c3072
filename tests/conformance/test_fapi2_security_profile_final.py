"""FAPI 2.0 Security Profile Final: what each module of the plan fapi2-security-profile-final asks, unsigned requests,
plain responses, OpenID Connect; once with private_key_jwt and DPoP, once with mTLS for both.

A test is named after its module. The modules about TLS versions and ciphers are those of the edge.
"""

import datetime as dt
import json
import secrets
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import jwt
import pytest
import pytest_asyncio
from cryptography import x509

from kit.client_certificate import x5t_of
from kit.dpop import ath_of, prove
from kit.jose import SigningKey
from tests.client_certificates import certificate, header
from tests.conftest import Dsns
from tests.provider import CALLBACK, ISSUER, Provider, RelyingParty, answer_of, csrf_of, running_provider

pytestmark = pytest.mark.asyncio(loop_scope="module")

MTLS = "https://mtls.id.test/idp"
DPOP_ONLY = pytest.mark.parametrize("variant", ["private_key_jwt+dpop"])
BOTH = pytest.mark.parametrize("variant", ["private_key_jwt+dpop", "mtls"])
SCOPE = "openid profile email offline_access"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def idp(dsns: Dsns) -> AsyncIterator[Provider]:
    settings: dict[str, Any] = {"trusted_proxies": ("192.0.2.1/32",), "mtls_issuer": MTLS}
    async with running_provider(dsns.idp, dsns.owner, **settings) as provider:
        yield provider


@dataclass
class Client:
    """One of the plan's two clients, and the browser of its user."""

    idp: Provider
    party: RelyingParty
    shown: x509.Certificate | None
    browser: httpx.AsyncClient

    @classmethod
    async def of(cls, idp: Provider, variant: str) -> "Client":
        wanted: dict[str, Any] = {"profile": "fapi2", "scope": SCOPE}
        shown = None
        if variant == "mtls":
            key = SigningKey.generate("ES256")
            shown = certificate("CN=client", key=key)
            wanted |= {
                "token_endpoint_auth_method": "self_signed_tls_client_auth",
                "tls_client_certificate_bound_access_tokens": True,
                "jwks": {"keys": [key.public_jwk]},
            }
        else:
            wanted |= {"token_endpoint_auth_method": "private_key_jwt"}
        party = await idp.client(**wanted)
        browser = await idp.signed_in(await idp.citizen(email=f"{secrets.token_hex(6)}@example.org"))
        return cls(idp, party, shown, browser)

    def headers(self, method: str, path: str, token: str | None = None, **claims: Any) -> dict[str, str]:
        """What holds the token: a certificate, or a proof."""
        if self.party.dpop is None:
            return header(self.shown)
        address = f"{ISSUER}{path}"
        if not claims:
            return {"DPoP": prove(self.party.dpop, method=method, url=address, access_token=token)}
        made = {"jti": secrets.token_urlsafe(12), "htm": method, "htu": address, "iat": int(time.time()), **claims}
        if token is not None:
            made["ath"] = ath_of(token)
        return {"DPoP": self.party.dpop.sign_with_own_key(made, typ="dpop+jwt")}

    async def par(self, *, proof: dict[str, str] | None = None, **changed: Any) -> httpx.Response:
        form = {**self.party.request(**{"scope": SCOPE, **changed}), **self.authentication()}
        return await self.idp.http.post("/idp/par", data=form, headers={**header(self.shown), **(proof or {})})

    def authentication(self, **claims: Any) -> dict[str, str]:
        found = self.party.authentication()
        if not claims:
            return found
        now = int(time.time())
        party = self.party
        said = {"iss": party.client_id, "sub": party.client_id, "aud": ISSUER, "iat": now, "exp": now + 60}
        said |= {"jti": secrets.token_urlsafe(12), **claims}
        assert party.key is not None
        assertion = party.key.sign({name: value for name, value in said.items() if value is not None}, typ="JWT")
        return {**found, "client_assertion": assertion}

    async def authorize(self, request_uri: str, **extra: str) -> httpx.Response:
        parameters = {"client_id": self.party.client_id, "request_uri": request_uri, **extra}
        return await self.idp.allowed_of(self.browser, parameters)

    async def code(self, **changed: Any) -> str:
        pushed = await self.par(**changed)
        assert pushed.status_code == 201, pushed.text
        return answer_of(await self.authorize(pushed.json()["request_uri"]))["code"]

    async def exchange(self, code: str, headers: dict[str, str] | None = None, **changed: Any) -> httpx.Response:
        form = self.party.exchange(code, **changed)
        given = self.headers("POST", "/token") if headers is None else headers
        return await self.idp.http.post("/idp/token", data=form, headers=given)

    async def tokens(self, **changed: Any) -> dict[str, Any]:
        answer = await self.exchange(await self.code(**changed))
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def refresh(self, token: str, headers: dict[str, str] | None = None, **changed: str) -> httpx.Response:
        form = {"grant_type": "refresh_token", "refresh_token": token, **self.authentication(), **changed}
        given = self.headers("POST", "/token") if headers is None else headers
        return await self.idp.http.post("/idp/token", data=form, headers=given)

    async def resource(self, token: str, scheme: str | None = None, **claims: Any) -> httpx.Response:
        scheme = scheme or ("Bearer" if self.party.dpop is None else "DPoP")
        headers = {"Authorization": f"{scheme} {token}", **self.headers("GET", "/userinfo", token, **claims)}
        return await self.idp.http.get("/idp/userinfo", headers=headers)


def claims_of(token: str) -> dict[str, Any]:
    found: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return found


def error_of(answer: httpx.Response) -> str:
    assert answer.status_code in (400, 401), answer.text
    assert answer.headers["content-type"].startswith("application/json")
    return str(answer.json()["error"])


# -- discovery and the happy ways ----------------------------------------------------------------------------------


async def test_discovery_end_point_verification(idp: Provider) -> None:
    metadata = (await idp.http.get("/idp/.well-known/openid-configuration")).json()
    assert metadata["issuer"] == ISSUER
    assert metadata["authorization_response_iss_parameter_supported"] is True
    assert "S256" in metadata["code_challenge_methods_supported"]
    assert metadata["pushed_authorization_request_endpoint"] == f"{ISSUER}/par"
    assert isinstance(metadata["require_pushed_authorization_requests"], bool)
    assert {"private_key_jwt", "self_signed_tls_client_auth"} <= set(metadata["token_endpoint_auth_methods_supported"])
    for name in ("id_token", "dpop", "token_endpoint_auth", "userinfo", "request_object"):
        listed = metadata[f"{name}_signing_alg_values_supported"]
        assert set(listed) & {"PS256", "ES256", "EdDSA"}
        assert "none" not in listed
    assert "RS256" not in metadata["dpop_signing_alg_values_supported"]
    assert metadata["tls_client_certificate_bound_access_tokens"] is True
    aliases = metadata["mtls_endpoint_aliases"]
    assert {"token_endpoint", "userinfo_endpoint", "pushed_authorization_request_endpoint"} <= set(aliases)
    assert all(address.startswith(MTLS) for address in aliases.values())


@BOTH
async def test_happy_flow(idp: Provider, variant: str) -> None:
    first, second = await Client.of(idp, variant), await Client.of(idp, variant)
    given = []
    for client in (first, second):
        pushed = await client.par()
        assert pushed.status_code == 201
        assert pushed.json()["request_uri"].startswith("urn:ietf:params:oauth:request_uri:")
        assert 0 < pushed.json()["expires_in"] <= 600
        answer = answer_of(await client.authorize(pushed.json()["request_uri"]))
        assert (answer["state"], answer["iss"]) == ("s-1", ISSUER)
        response = await client.exchange(answer["code"])
        tokens = response.json()
        assert response.headers["cache-control"] == "no-store"
        assert tokens["token_type"] == ("Bearer" if variant == "mtls" else "DPoP")
        assert tokens["expires_in"] > 0
        identity, access = claims_of(tokens["id_token"]), claims_of(tokens["access_token"])
        assert (identity["iss"], identity["aud"], identity["nonce"]) == (ISSUER, client.party.client_id, "n-1")
        header_ = jwt.get_unverified_header(tokens["id_token"])
        assert header_["alg"] in ("ES256", "PS256", "EdDSA")
        assert header_["kid"]
        if client.shown is not None:
            assert access["cnf"] == {"x5t#S256": x5t_of(client.shown)}
        assert (await client.resource(tokens["access_token"])).status_code == 200
        given.append(tokens["access_token"])
    # Each holds its own: the other's token is good for nothing.
    assert (await first.resource(given[1])).status_code == 401
    assert (await second.resource(given[0])).status_code == 401


@BOTH
async def test_user_rejects_authentication(idp: Provider, variant: str) -> None:
    client = await Client.of(idp, variant)
    request_uri = (await client.par()).json()["request_uri"]
    asked = await client.browser.get(
        "/idp/authorize", params={"client_id": client.party.client_id, "request_uri": request_uri}
    )
    page = await client.browser.get(asked.headers["location"])
    denied = await client.browser.post(asked.headers["location"], data={"csrf": csrf_of(page), "decision": "deny"})
    if denied.headers["location"].startswith("/"):
        denied = await client.browser.get(denied.headers["location"])
    assert answer_of(denied)["error"] == "access_denied"


@BOTH
@pytest.mark.parametrize("ticked", [True, False])
async def test_claims_parameter_identity_claims(idp: Provider, variant: str, ticked: bool) -> None:
    """What would be nice to have is the citizen's to tick, and an address brings along whether it is verified."""
    client = await Client.of(idp, variant)
    asked = json.dumps({"userinfo": {"email": None, "email_verified": {"essential": False}}})
    request_uri = (await client.par(scope="openid", claims=asked)).json()["request_uri"]
    first = await client.browser.get(
        "/idp/authorize", params={"client_id": client.party.client_id, "request_uri": request_uri}
    )
    page = await client.browser.get(first.headers["location"])
    form = {"csrf": csrf_of(page), "decision": "allow", **({"claim:email": "on"} if ticked else {})}
    allowed = await client.browser.post(first.headers["location"], data=form)
    code = answer_of(await client.browser.get(allowed.headers["location"]))["code"]
    tokens = (await client.exchange(code)).json()
    given = (await client.resource(tokens["access_token"])).json()
    assert set(given) == ({"sub", "email", "email_verified"} if ticked else {"sub"})


@BOTH
async def test_ensure_authorization_request_without_state_success(idp: Provider, variant: str) -> None:
    client = await Client.of(idp, variant)
    answer = answer_of(await client.authorize((await client.par(state=None)).json()["request_uri"]))
    assert "state" not in answer
    assert "s_hash" not in claims_of((await client.exchange(answer["code"])).json()["id_token"])


@BOTH
async def test_ensure_authorization_request_without_nonce_success(idp: Provider, variant: str) -> None:
    client = await Client.of(idp, variant)
    assert "nonce" not in claims_of((await client.tokens(nonce=None))["id_token"])


@BOTH
@pytest.mark.parametrize("length", [64, 384])
async def test_ensure_authorization_request_with_64_char_nonce_success(
    idp: Provider, variant: str, length: int
) -> None:
    client, nonce = await Client.of(idp, variant), "n" * length
    assert claims_of((await client.tokens(nonce=nonce))["id_token"])["nonce"] == nonce


@BOTH
async def test_ensure_authorization_request_with_long_state(idp: Provider, variant: str) -> None:
    client, state = await Client.of(idp, variant), "s" * 384
    answer = answer_of(await client.authorize((await client.par(state=state)).json()["request_uri"]))
    assert answer["state"] == state


@BOTH
async def test_ensure_other_scope_order_succeeds(idp: Provider, variant: str) -> None:
    client = await Client.of(idp, variant)
    client.party.redirect_uri = CALLBACK
    form = {**client.party.request(scope=" ".join(reversed(SCOPE.split()))), **client.authentication()}
    pushed = await idp.http.post("/idp/par", data=form, headers=header(client.shown))
    code = answer_of(await client.authorize(pushed.json()["request_uri"]))["code"]
    assert (await client.exchange(code)).status_code == 200


@BOTH
async def test_access_token_type_header_case_sensitivity(idp: Provider, variant: str) -> None:
    client = await Client.of(idp, variant)
    token = (await client.tokens())["access_token"]
    name = "bearer" if variant == "mtls" else "dpop"
    for scheme in (name, name.upper(), name.title()):
        assert (await client.resource(token, scheme)).status_code == 200


# -- DPoP ----------------------------------------------------------------------------------------------------------


@DPOP_ONLY
async def test_check_dpop_proof_nbf_exp(idp: Provider, variant: str) -> None:
    client = await Client.of(idp, variant)
    now = int(time.time())
    with_both = {"nbf": now, "exp": now + 300}
    answer = await client.exchange(await client.code(), client.headers("POST", "/token", **with_both))
    assert (await client.resource(answer.json()["access_token"], **with_both)).status_code == 200


@DPOP_ONLY
@pytest.mark.parametrize("seconds", [-10, 8, 10])
async def test_ensure_dpopproof_with_iat_10seconds_before_and_after_succeeds(
    idp: Provider, variant: str, seconds: int
) -> None:
    client = await Client.of(idp, variant)
    at = {"iat": int(time.time()) + seconds}
    code = await client.code(proof=client.headers("POST", "/par", **at))
    answer = await client.exchange(code, client.headers("POST", "/token", **at))
    assert answer.status_code == 200, answer.text
    assert (await client.resource(answer.json()["access_token"], **at)).status_code == 200


@DPOP_ONLY
async def test_ensure_mismatched_dpop_jkt_fails(idp: Provider, variant: str) -> None:
    client = await Client.of(idp, variant)
    refused = await client.par(proof=client.headers("POST", "/par"), dpop_jkt=SigningKey.generate("ES256").kid)
    assert error_of(refused) in ("invalid_request", "invalid_dpop_proof")


@DPOP_ONLY
async def test_ensure_token_endpoint_fails_with_mismatched_dpop_proof_jkt(idp: Provider, variant: str) -> None:
    client = await Client.of(idp, variant)
    code = await client.code(proof=client.headers("POST", "/par"))
    client.party.dpop = SigningKey.generate("ES256")
    assert error_of(await client.exchange(code)) in ("invalid_request", "invalid_grant", "invalid_dpop_proof")


@DPOP_ONLY
async def test_ensure_token_endpoint_fails_with_mismatched_dpop_jkt(idp: Provider, variant: str) -> None:
    client = await Client.of(idp, variant)
    code = await client.code(dpop_jkt=SigningKey.generate("ES256").kid)
    assert error_of(await client.exchange(code)) in ("invalid_request", "invalid_grant", "invalid_dpop_proof")


@DPOP_ONLY
@pytest.mark.parametrize("named", [False, True])
async def test_ensure_dpop_auth_code_binding_success(idp: Provider, variant: str, named: bool) -> None:
    client = await Client.of(idp, variant)
    assert client.party.dpop is not None
    also = {"dpop_jkt": client.party.dpop.kid} if named else {}
    code = await client.code(proof=client.headers("POST", "/par"), **also)
    assert (await client.exchange(code)).status_code == 200


@DPOP_ONLY
@pytest.mark.parametrize(
    ("claims", "status"),
    [
        ({"htm": "PUT"}, 401),
        ({"htm": None}, 401),
        ({"htu": "https://id.test/other"}, 401),
        ({"htu": None}, 401),
        ({"htu": f"{ISSUER}/userinfo?q=1#f"}, 200),
        ({"htu": "HTTPS://ID.TEST:443/idp/userinfo"}, 200),
        ({"jti": None}, 401),
        ({"iat": None}, 401),
        ({"extra": "claim"}, 200),
    ],
    ids=str,
)
async def test_dpop_negative_tests(idp: Provider, variant: str, claims: dict[str, Any], status: int) -> None:
    client = await Client.of(idp, variant)
    token = (await client.tokens())["access_token"]
    answer = await client.resource(token, **claims)
    assert answer.status_code == status
    if status == 401:
        assert 'error="invalid_dpop_proof"' in answer.headers["www-authenticate"]


@DPOP_ONLY
async def test_dpop_negative_tests_in_time_and_twice(idp: Provider, variant: str) -> None:
    client = await Client.of(idp, variant)
    token = (await client.tokens())["access_token"]
    for seconds in (-3_600, 3_600):
        assert (await client.resource(token, iat=int(time.time()) + seconds)).status_code == 401
    again = {"jti": secrets.token_urlsafe(12)}
    assert [(await client.resource(token, **again)).status_code for _ in range(2)] == [200, 401]
    assert (await client.resource(token, "Bearer")).status_code == 401


# -- the authorization request -------------------------------------------------------------------------------------


@BOTH
async def test_ensure_request_object_without_redirect_uri_fails(idp: Provider, variant: str) -> None:
    assert error_of(await (await Client.of(idp, variant)).par(redirect_uri=None)) == "invalid_request"


@BOTH
async def test_plain_fapi_tolerate_unregistered_redirect_uri(idp: Provider, variant: str) -> None:
    refused = await (await Client.of(idp, variant)).par(redirect_uri="https://rp.test/not-registered")
    assert error_of(refused) == "invalid_request"


@BOTH
async def test_ensure_unsigned_authorization_request_without_using_par_fails(idp: Provider, variant: str) -> None:
    client = await Client.of(idp, variant)
    answer = await client.browser.get("/idp/authorize", params=client.party.request(scope=SCOPE))
    assert answer_of(answer)["error"] == "invalid_request"


@BOTH
@pytest.mark.parametrize("response_type", ["code id_token", "token", "id_token token"])
async def test_ensure_response_type_code_idtoken_and_token_fail(
    idp: Provider, variant: str, response_type: str
) -> None:
    refused = await (await Client.of(idp, variant)).par(response_type=response_type)
    assert error_of(refused) in ("unsupported_response_type", "invalid_request", "unauthorized_client")


@BOTH
@pytest.mark.parametrize(
    "changed",
    [{"code_challenge": None, "code_challenge_method": None}, {"code_challenge_method": "plain"}],
    ids=["par-ensure-pkce-required", "par-plain-pkce-rejected"],
)
async def test_par_ensure_pkce_with_s256_required(idp: Provider, variant: str, changed: dict[str, Any]) -> None:
    assert error_of(await (await Client.of(idp, variant)).par(**changed)) == "invalid_request"


@BOTH
async def test_par_authorization_request_containing_request_uri_form_param(idp: Provider, variant: str) -> None:
    client = await Client.of(idp, variant)
    refused = await client.par(request_uri=f"urn:ietf:params:oauth:request_uri:{secrets.token_urlsafe(16)}")
    assert error_of(refused) == "invalid_request"


@BOTH
async def test_par_attempt_invalid_http_method(idp: Provider, variant: str) -> None:
    client = await Client.of(idp, variant)
    for method in ("GET", "PUT"):
        answer = await idp.http.request(method, "/idp/par", headers=header(client.shown))
        assert answer.status_code == 405


@BOTH
async def test_par_ensure_reused_request_uri_prior_to_auth_completion_succeeds(idp: Provider, variant: str) -> None:
    client = await Client.of(idp, variant)
    request_uri = (await client.par()).json()["request_uri"]
    async with idp.browser() as stranger:
        page = await stranger.get(
            "/idp/authorize", params={"client_id": client.party.client_id, "request_uri": request_uri}
        )
        assert page.headers["location"].startswith("/idp/sign-in")
    assert "code" in answer_of(await client.authorize(request_uri))


@BOTH
async def test_par_attempt_reuse_request_uri(idp: Provider, variant: str) -> None:
    client = await Client.of(idp, variant)
    request_uri = (await client.par()).json()["request_uri"]
    assert "code" in answer_of(await client.authorize(request_uri))
    again = await client.authorize(request_uri)
    assert again.status_code == 400
    assert "invalid_request_uri" in again.text


@BOTH
async def test_par_attempt_to_use_expired_request_uri(idp: Provider, variant: str) -> None:
    client = await Client.of(idp, variant)
    pushed = (await client.par()).json()
    await idp.owner(
        "UPDATE idp.pushed_request SET expires_at = expires_at - make_interval(secs => $2) WHERE client_id = $1",
        client.party.client_id,
        float(pushed["expires_in"] + 1),
    )
    late = await client.authorize(pushed["request_uri"])
    assert late.status_code == 400
    assert "invalid_request_uri" in late.text


@BOTH
async def test_par_attempt_to_use_request_uri_for_different_client(idp: Provider, variant: str) -> None:
    first, second = await Client.of(idp, variant), await Client.of(idp, variant)
    refused = await second.authorize((await first.par()).json()["request_uri"])
    assert refused.status_code == 400
    assert "invalid_request_uri" in refused.text


@BOTH
async def test_par_without_duplicate_parameters(idp: Provider, variant: str) -> None:
    client = await Client.of(idp, variant)
    request_uri = (await client.par()).json()["request_uri"]
    outside = await client.authorize(request_uri, state="outside", scope="openid", redirect_uri="https://evil.test/")
    assert answer_of(outside)["state"] == "s-1"
    assert outside.headers["location"].startswith(f"{CALLBACK}?")


# -- the token request ---------------------------------------------------------------------------------------------


@BOTH
async def test_ensure_client_id_in_token_endpoint(idp: Provider, variant: str) -> None:
    first, second = await Client.of(idp, variant), await Client.of(idp, variant)
    code = await first.code()
    # The second client's name, the first one's proof of who it is.
    form = {**first.party.exchange(code), "client_id": second.party.client_id}
    answer = await idp.http.post("/idp/token", data=form, headers=first.headers("POST", "/token"))
    assert error_of(answer) in ("invalid_client", "invalid_grant")


@BOTH
async def test_ensure_holder_of_key_required(idp: Provider, variant: str) -> None:
    client = await Client.of(idp, variant)
    refused = await client.exchange(await client.code(), {})
    allowed = {"invalid_client", "invalid_request"} if variant == "mtls" else {"invalid_request", "invalid_dpop_proof"}
    assert error_of(refused) in allowed


@BOTH
async def test_ensure_authorization_code_is_bound_to_client(idp: Provider, variant: str) -> None:
    first, second = await Client.of(idp, variant), await Client.of(idp, variant)
    code = await first.code()
    second.party.verifier = first.party.verifier
    assert error_of(await second.exchange(code)) == "invalid_grant"


@BOTH
async def test_attempt_reuse_authorization_code_after_one_second(idp: Provider, variant: str) -> None:
    client = await Client.of(idp, variant)
    code = await client.code()
    token = (await client.exchange(code)).json()["access_token"]
    assert error_of(await client.exchange(code)) == "invalid_grant"
    assert (await client.resource(token)).status_code == 401


@BOTH
async def test_ensure_token_endpoint_fails_with_expired_auth_code(idp: Provider, variant: str) -> None:
    client = await Client.of(idp, variant)
    code = await client.code()
    await idp.owner(
        "UPDATE idp.authorization_code SET expires_at = expires_at - $2::interval WHERE client_id = $1",
        client.party.client_id,
        dt.timedelta(seconds=61),
    )
    assert error_of(await client.exchange(code)) == "invalid_grant"


@BOTH
@pytest.mark.parametrize("verifier", [None, "x" * 43], ids=["missing", "incorrect"])
async def test_ensure_pkce_code_verifier_required_and_right(idp: Provider, variant: str, verifier: str | None) -> None:
    client = await Client.of(idp, variant)
    assert error_of(await client.exchange(await client.code(), code_verifier=verifier)) == "invalid_grant"


@BOTH
async def test_refresh_token(idp: Provider, variant: str) -> None:
    first, second = await Client.of(idp, variant), await Client.of(idp, variant)
    tokens, others = await first.tokens(), await second.tokens()
    answer = await first.refresh(tokens["refresh_token"], scope=SCOPE)
    assert answer.status_code == 200, answer.text
    again = answer.json()
    before, after = claims_of(tokens["id_token"]), claims_of(again["id_token"])
    assert all(before[name] == after[name] for name in ("iss", "sub", "aud", "auth_time"))
    assert after.get("nonce", before["nonce"]) == before["nonce"]
    assert after["iat"] >= before["iat"]
    assert (await first.resource(again["access_token"])).status_code == 200
    # It does not rotate (FAPI 2.0 Security Profile §5.3.2.1), and the first one works on.
    assert again["refresh_token"] == tokens["refresh_token"]
    assert (await first.refresh(tokens["refresh_token"])).status_code == 200
    assert error_of(await first.refresh(others["refresh_token"])) in ("invalid_grant", "invalid_request")
    without = await first.refresh(tokens["refresh_token"], {})
    allowed = {"invalid_client", "invalid_request"} if variant == "mtls" else {"invalid_dpop_proof", "invalid_request"}
    assert error_of(without) in allowed


# -- client assertions ---------------------------------------------------------------------------------------------


@DPOP_ONLY
@pytest.mark.parametrize(
    "claims",
    [
        {"exp": int(time.time()) - 300},
        {"aud": "https://other.test/idp"},
        {"aud": f"{ISSUER}/token"},
        {"aud": [ISSUER]},
        {"sub": None},
        {"iat": int(time.time()) + 7_200, "nbf": int(time.time()) + 7_200, "exp": int(time.time()) + 7_260},
    ],
    ids=["exp-is-5-minutes-in-past", "wrong-aud", "token-endpoint-as-aud", "array-as-aud", "no-sub", "nbf-over-60"],
)
async def test_ensure_client_assertion_fails(idp: Provider, variant: str, claims: dict[str, Any]) -> None:
    client = await Client.of(idp, variant)
    code = await client.code()
    answer = await idp.http.post(
        "/idp/token",
        data={**client.party.exchange(code), **client.authentication(**claims)},
        headers=client.headers("POST", "/token"),
    )
    assert error_of(answer) == "invalid_client"
    form = {**client.party.request(scope=SCOPE), **client.authentication(**claims)}
    assert error_of(await idp.http.post("/idp/par", data=form)) == "invalid_client"


@DPOP_ONLY
async def test_par_test_par_endpoint_url_as_audience_fails(idp: Provider, variant: str) -> None:
    client = await Client.of(idp, variant)
    form = {**client.party.request(scope=SCOPE), **client.authentication(aud=f"{ISSUER}/par")}
    assert error_of(await idp.http.post("/idp/par", data=form)) == "invalid_client"


@DPOP_ONLY
async def test_par_ensure_jwt_client_assertions_nbf_8_seconds_in_the_future_is_accepted(
    idp: Provider, variant: str
) -> None:
    client = await Client.of(idp, variant)
    soon = int(time.time()) + 8
    form = {**client.party.request(scope=SCOPE), **client.authentication(iat=soon, nbf=soon, exp=soon + 60)}
    assert (await idp.http.post("/idp/par", data=form)).status_code == 201


@DPOP_ONLY
async def test_ensure_client_assertion_in_token_endpoint(idp: Provider, variant: str) -> None:
    client = await Client.of(idp, variant)
    code = await client.code()
    for client_id in (None, client.party.client_id):
        answer = await client.exchange(code, client_assertion=None, client_assertion_type=None, client_id=client_id)
        assert error_of(answer) in ("invalid_client", "invalid_request")


@DPOP_ONLY
async def test_ensure_signed_client_assertion_with_rs256_fails(idp: Provider, variant: str) -> None:
    key = SigningKey.generate("RS256")
    bare = {name: value for name, value in key.public_jwk.items() if name != "alg"}
    client = await Client.of(idp, variant)
    client.party = await idp.client(
        profile="fapi2", token_endpoint_auth_method="private_key_jwt", scope=SCOPE, jwks={"keys": [bare]}
    )
    client.party.key = SigningKey(key.private, "PS256")
    code = await client.code()
    client.party.key = key
    assert error_of(await client.exchange(code)) == "invalid_client"
