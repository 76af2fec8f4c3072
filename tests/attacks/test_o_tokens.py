"""Group O of the attack catalogue: client assertions, DPoP proofs and the tokens that are bound to a key."""

import asyncio
import base64
import json
import secrets
import time
from typing import Any

import httpx
import jwt
import pytest

from kit.dpop import ath_of, prove
from kit.jose import Algorithm, SigningKey
from tests.provider import ISSUER, RESOURCE, Provider, RelyingParty

pytestmark = pytest.mark.asyncio(loop_scope="module")

TOKEN, USERINFO = f"{ISSUER}/token", f"{ISSUER}/userinfo"


async def machine(idp: Provider, **metadata: Any) -> RelyingParty:
    return await idp.client(
        **{
            "profile": "machine",
            "token_endpoint_auth_method": "private_key_jwt",
            "redirect_uris": [],
            "grant_types": ["client_credentials"],
            "scope": "documents:deposit",
            **metadata,
        }
    )


def error_of(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["error"]


# -- client assertions (O-32) --------------------------------------------------------------------------------------


def assertion(party: RelyingParty, *, key: SigningKey | None = None, **changed: Any) -> dict[str, str]:
    now = int(time.time())
    claims = {
        "iss": party.client_id,
        "sub": party.client_id,
        "aud": ISSUER,
        "jti": secrets.token_urlsafe(8),
        "iat": now,
        "exp": now + 60,
    } | changed
    signer = key or party.key
    assert signer is not None
    text = signer.sign({name: value for name, value in claims.items() if value is not None}, typ="JWT")
    return {**party.authentication(), "client_assertion": text}


async def asked(idp: Provider, party: RelyingParty, **changed: Any) -> httpx.Response:
    return await idp.token(party, {"grant_type": "client_credentials", **assertion(party, **changed)})


@pytest.mark.parametrize("aud", [TOKEN, [ISSUER], [ISSUER, TOKEN], f"{ISSUER}/par", f"{ISSUER}/", None])
async def test_o_32_a_fapi2_client_names_the_issuer_and_nothing_else(idp: Provider, aud: Any) -> None:
    party = await idp.fapi(grant_types=["authorization_code", "client_credentials"], scope="documents:deposit")
    assert error_of(await asked(idp, party, aud=aud)) == (401, "invalid_client")
    assert (await asked(idp, party)).status_code == 200


@pytest.mark.parametrize("aud", [ISSUER, TOKEN, [ISSUER], [TOKEN, "https://other.test"]])
async def test_o_32_others_may_name_the_endpoint_rfc7523_3(idp: Provider, aud: Any) -> None:
    assert (await asked(idp, await machine(idp), aud=aud)).status_code == 200


@pytest.mark.parametrize(("claim", "seconds", "accepted"), [
    ("iat", 8, True), ("nbf", 8, True), ("iat", 10, True), ("nbf", 10, True), ("iat", 70, False), ("nbf", 70, False),
    ("exp", 3_590, True), ("exp", 3_700, False), ("exp", -300, False),
])  # fmt: skip
async def test_o_32_clocks_may_differ_by_ten_seconds_fapi2_5_3_2_1(
    idp: Provider, claim: str, seconds: int, accepted: bool
) -> None:
    response = await asked(idp, await machine(idp), **{claim: int(time.time()) + seconds})
    assert response.status_code == (200 if accepted else 401), response.text


async def test_o_32_the_registered_algorithm_is_the_only_one(idp: Provider) -> None:
    es, ed = SigningKey.generate("ES256"), SigningKey.generate("EdDSA")
    party = await machine(idp, jwks={"keys": [es.public_jwk, ed.public_jwk]}, token_endpoint_auth_signing_alg="EdDSA")
    assert error_of(await asked(idp, party, key=es)) == (401, "invalid_client")
    assert (await asked(idp, party, key=ed)).status_code == 200


async def test_o_32_rs256_is_refused_for_fapi2(idp: Provider) -> None:
    with pytest.raises(Exception, match="token_endpoint_auth_signing_alg"):
        await idp.fapi(token_endpoint_auth_signing_alg="RS256")
    key = SigningKey.generate("RS256")
    bare = {name: value for name, value in key.public_jwk.items() if name != "alg"}
    party = await idp.fapi(
        jwks={"keys": [bare]}, grant_types=["authorization_code", "client_credentials"], scope="documents:deposit"
    )
    assert error_of(await asked(idp, party, key=key)) == (401, "invalid_client")
    assert (await asked(idp, party, key=SigningKey(key.private, "PS256"))).status_code == 200


async def test_o_32_client_secret_jwt_is_no_method_here(idp: Provider) -> None:
    with pytest.raises(Exception, match="client_secret_jwt"):
        await idp.client(token_endpoint_auth_method="client_secret_jwt")
    party = await idp.client()
    assert party.secret is not None
    now = int(time.time())
    claims = {"iss": party.client_id, "sub": party.client_id, "aud": ISSUER, "jti": "h", "exp": now + 60}
    text = jwt.encode(claims, party.secret, algorithm="HS256")
    form = {
        "grant_type": "authorization_code",
        "code": "x",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": text,
    }
    assert error_of(await idp.http.post("/idp/token", data=form)) == (401, "invalid_client")


# -- DPoP at the token endpoint (O-38) -----------------------------------------------------------------------------


def encoded(data: Any) -> str:
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def proof(key: SigningKey, header: dict[str, Any] | None = None, **changed: Any) -> str:
    """By hand: ``header`` and claims may be wrong in every way; None takes one away."""
    member = {name: value for name, value in key.public_jwk.items() if name not in ("kid", "use", "alg")}
    head = {"typ": "dpop+jwt", "alg": key.alg, "jwk": member} | (header or {})
    claims = {"jti": secrets.token_urlsafe(8), "htm": "POST", "htu": TOKEN, "iat": int(time.time())} | changed
    signed = ".".join(
        encoded({name: value for name, value in part.items() if value is not None}) for part in (head, claims)
    )
    algorithm = jwt.get_algorithm_by_name(key.alg)
    return f"{signed}.{encoded(algorithm.sign(signed.encode(), key.private))}"


async def with_proof(idp: Provider, party: RelyingParty, *proofs: str) -> httpx.Response:
    form = {"grant_type": "client_credentials", **party.authentication()}
    return await idp.http.post("/idp/token", data=form, headers=[("DPoP", one) for one in proofs])


KEY = SigningKey.generate("ES256")
PRIVATE = {"d": encoded(b"x" * 32)}


WRONG: dict[str, dict[str, Any]] = {
    "other path": {"htu": f"{ISSUER}/userinfo"},
    "other host": {"htu": "https://evil.test/idp/token"},
    "other scheme": {"htu": "http://id.test/idp/token"},
    "no htu": {"htu": None},
    "other method": {"htm": "GET"},
    "method in small letters": {"htm": "post"},
    "no htm": {"htm": None},
    "an hour ago": {"iat": int(time.time()) - 3_600},
    "in an hour": {"iat": int(time.time()) + 3_600},
    "iat is text": {"iat": "now"},
    "iat is true": {"iat": True},
    "no iat": {"iat": None},
    "iat of no clock": {"iat": 10**400},
    "exp of no clock": {"exp": -(10**400)},
    "no jti": {"jti": None},
    "empty jti": {"jti": ""},
    "jti is a number": {"jti": 7},
    "expired by itself": {"exp": int(time.time()) - 60},
    "no typ": {"header": {"typ": None}},
    "typ of any JWT": {"header": {"typ": "JWT"}},
    "alg none": {"header": {"alg": "none"}},
    "alg RS256": {"header": {"alg": "RS256"}},
    "alg of another key": {"header": {"alg": "PS256"}},
    "no alg": {"header": {"alg": None}},
    "no jwk": {"header": {"jwk": None}},
    "symmetric key": {"header": {"jwk": {"kty": "oct", "k": "AAAA"}}},
    "no point of the curve": {"header": {"jwk": {"kty": "EC", "crv": "P-256", "x": "AAAA", "y": "AAAA"}}},
    "private member": {"header": {"jwk": {**KEY.public_jwk, **PRIVATE}}},
    "another key": {"header": {"jwk": SigningKey.generate("ES256").public_jwk}},
    "crit": {"header": {"crit": ["exp"]}},
}


@pytest.mark.parametrize("name", WRONG)
async def test_o_38_a_proof_that_is_not_for_this_request(idp: Provider, name: str) -> None:
    answer = await with_proof(idp, await machine(idp), proof(KEY, **WRONG[name]))
    assert error_of(answer) == (400, "invalid_dpop_proof")


async def test_o_38_no_proof_or_several_or_half_of_one(idp: Provider) -> None:
    party = await machine(idp)
    for proofs in ([], [proof(KEY), proof(KEY)], [proof(KEY)[:-20]], ["x"], [f"{proof(KEY)}, {proof(KEY)}"]):
        assert error_of(await with_proof(idp, party, *proofs)) == (400, "invalid_dpop_proof")


async def test_o_38_rsa_pkcs1_is_no_algorithm_of_proofs(idp: Provider) -> None:
    key = SigningKey.generate("RS256")
    assert error_of(await with_proof(idp, await machine(idp), proof(key))) == (400, "invalid_dpop_proof")


@pytest.mark.parametrize("alg", ["ES256", "PS256", "EdDSA"])
async def test_o_38_a_good_proof_binds_the_token_to_its_key(idp: Provider, alg: Algorithm) -> None:
    key = SigningKey.generate(alg)
    response = await with_proof(idp, await machine(idp), proof(key))
    assert response.status_code == 200, response.text
    assert response.json()["token_type"] == "DPoP"
    claims = jwt.decode(response.json()["access_token"], options={"verify_signature": False})
    assert claims["cnf"] == {"jkt": key.kid}


RIGHT: dict[str, dict[str, Any]] = {
    "query and fragment": {"htu": f"{TOKEN}?a=b#c"},
    "another way to write the address": {"htu": "HTTPS://ID.TEST:443/idp/%74oken"},
    "dot segments": {"htu": "https://id.test/idp/x/../token"},
    "more members": {"header": {"typ": "DPoP+JWT", "extra": 1}, "more": {"a": 1}},
}


@pytest.mark.parametrize("name", RIGHT)
async def test_o_38_what_a_proof_may_be_rfc9449_4_3(idp: Provider, name: str) -> None:
    answer = await with_proof(idp, await machine(idp), proof(KEY, **RIGHT[name]))
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("seconds", [-10, 8, 10])
async def test_o_38_clocks_may_differ_by_ten_seconds(idp: Provider, seconds: int) -> None:
    at = int(time.time()) + seconds
    answer = await with_proof(idp, await machine(idp), proof(KEY, iat=at, nbf=int(time.time()), exp=at + 300))
    assert answer.status_code == 200, answer.text


async def test_o_38_the_host_header_says_nothing_about_htu(idp: Provider) -> None:
    party = await machine(idp)
    form = {"grant_type": "client_credentials", **party.authentication()}
    headers = {"Host": "evil.test", "DPoP": proof(KEY, htu="https://evil.test/idp/token")}
    assert error_of(await idp.http.post("/idp/token", data=form, headers=headers)) == (400, "invalid_dpop_proof")


async def test_o_38_a_proof_is_good_once_when_five_race(idp: Provider) -> None:
    party, one = await machine(idp), proof(KEY)
    answers = await asyncio.gather(*(with_proof(idp, party, one) for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [200, 400, 400, 400, 400]
    assert {error_of(answer) for answer in answers if answer.status_code == 400} == {(400, "invalid_dpop_proof")}


async def test_o_38_a_replayed_proof_does_not_spend_the_code(idp: Provider) -> None:
    party, browser = await idp.wallet(), await idp.signed_in(await idp.citizen())
    assert party.dpop is not None
    one = proof(party.dpop)
    first, second = await idp.code(browser, party), await idp.code(browser, party)
    assert (await idp.http.post("/idp/token", data=party.exchange(first), headers={"DPoP": one})).status_code == 200
    replayed = await idp.http.post("/idp/token", data=party.exchange(second), headers={"DPoP": one})
    assert error_of(replayed) == (400, "invalid_dpop_proof")
    assert (await idp.exchange(party, second)).status_code == 200


async def test_o_38_every_answer_to_a_proof_offers_a_nonce_and_only_ours_is_right(idp: Provider) -> None:
    party = await machine(idp)
    answer = await with_proof(idp, party, proof(KEY))
    nonce = answer.headers["dpop-nonce"]
    assert (await with_proof(idp, party, proof(KEY, nonce=nonce))).status_code == 200
    wrong = await with_proof(idp, party, proof(KEY, nonce="x" * 24))
    assert error_of(wrong) == (400, "use_dpop_nonce")
    assert (await with_proof(idp, party, proof(KEY, nonce=wrong.headers["dpop-nonce"]))).status_code == 200


# -- tokens that are bound to a key --------------------------------------------------------------------------------


async def shown(idp: Provider, token: str, scheme: str, **claims: Any) -> httpx.Response:
    key = claims.pop("key", None)
    headers = {"Authorization": f"{scheme} {token}"}
    if key is not None:
        claims = {"htm": "GET", "htu": USERINFO, "ath": ath_of(token)} | claims
        headers["DPoP"] = proof(key, **claims)
    return await idp.http.get("/idp/userinfo", headers=headers)


async def test_o_38_a_stolen_token_is_good_for_nobody_else(idp: Provider) -> None:
    party = await idp.wallet()
    tokens = await idp.tokens(await idp.signed_in(await idp.citizen()), party)
    token, key = tokens["access_token"], party.dpop
    assert tokens["token_type"] == "DPoP"
    assert key is not None

    for response, error in (
        (await shown(idp, token, "Bearer"), "invalid_token"),
        (await shown(idp, token, "Bearer", key=key), "invalid_token"),
        (await shown(idp, token, "DPoP"), "invalid_dpop_proof"),
        (await shown(idp, token, "DPoP", key=SigningKey.generate("ES256")), "invalid_token"),
        (await shown(idp, token, "DPoP", key=key, ath=None), "invalid_dpop_proof"),
        (await shown(idp, token, "DPoP", key=key, ath=ath_of("other")), "invalid_dpop_proof"),
        (await shown(idp, token, "DPoP", key=key, htm="POST"), "invalid_dpop_proof"),
        (await shown(idp, token, "DPoP", key=key, htu=TOKEN), "invalid_dpop_proof"),
    ):
        assert error_of(response) == (401, error)
        challenge = response.headers["www-authenticate"]
        assert f'error="{error}"' in challenge
        assert 'DPoP realm="khizana"' in challenge
        assert 'algs="ES256 PS256 EdDSA"' in challenge
    in_body = await idp.http.post("/idp/userinfo", data={"access_token": token})
    assert error_of(in_body) == (401, "invalid_token")

    for scheme in ("DPoP", "dpop", "DPOP"):
        assert (await shown(idp, token, scheme, key=key)).status_code == 200


async def test_o_38_a_proof_is_good_once_at_a_resource(idp: Provider) -> None:
    party = await idp.wallet()
    token = (await idp.tokens(await idp.signed_in(await idp.citizen()), party))["access_token"]
    assert party.dpop is not None
    same = {"key": party.dpop, "jti": "again"}
    answers = await asyncio.gather(*(shown(idp, token, "DPoP", **same) for _ in range(3)))
    assert sorted(answer.status_code for answer in answers) == [200, 401, 401]


async def test_o_38_a_bearer_token_is_not_shown_as_bound(idp: Provider) -> None:
    party = await idp.client()
    token = (await idp.tokens(await idp.signed_in(await idp.citizen()), party))["access_token"]
    assert error_of(await shown(idp, token, "DPoP", key=KEY)) == (401, "invalid_token")
    assert (await shown(idp, token, "bearer")).status_code == 200


async def test_o_38_a_basic_client_may_bind_its_tokens_by_itself(idp: Provider) -> None:
    party = await idp.client()
    code = await idp.code(await idp.signed_in(await idp.citizen()), party)
    headers = {"DPoP": prove(KEY, method="POST", url=TOKEN)}
    tokens = (await idp.http.post("/idp/token", data=party.exchange(code), headers=headers)).json()
    assert tokens["token_type"] == "DPoP"
    assert (await shown(idp, tokens["access_token"], "Bearer")).status_code == 401
    # A confidential client is known by its authentication: another key later is its own affair (RFC 9449 §5).
    assert (await idp.refresh(party, tokens["refresh_token"])).json()["token_type"] == "Bearer"


async def test_o_38_the_refresh_token_of_a_public_client_is_bound_to_its_key(idp: Provider) -> None:
    party = await idp.wallet()
    tokens = await idp.tokens(await idp.signed_in(await idp.citizen()), party)
    mine, party.dpop = party.dpop, SigningKey.generate("ES256")
    assert error_of(await idp.refresh(party, tokens["refresh_token"])) == (400, "invalid_grant")
    party.dpop = mine
    assert (await idp.refresh(party, tokens["refresh_token"])).status_code == 200


async def test_o_38_a_fapi2_client_refreshes_with_another_key_and_keeps_its_token(idp: Provider) -> None:
    party = await idp.fapi()
    browser = await idp.signed_in(await idp.citizen())
    answered = await idp.allowed_of(browser, await idp.pushed(party))
    code = httpx.URL(answered.headers["location"]).params["code"]
    tokens = (await idp.exchange(party, code)).json()
    party.dpop = SigningKey.generate("ES256")
    again = (await idp.refresh(party, tokens["refresh_token"])).json()
    assert (again["refresh_token"], again["token_type"]) == (tokens["refresh_token"], "DPoP")
    assert (await idp.userinfo(again["access_token"], party)).status_code == 200
    party.dpop = None
    assert error_of(await idp.refresh(party, tokens["refresh_token"])) == (400, "invalid_dpop_proof")


async def test_o_38_introspection_says_to_which_key(idp: Provider) -> None:
    party = await machine(idp)
    token = (await with_proof(idp, party, proof(KEY))).json()["access_token"]
    answer = (await idp.http.post("/idp/introspect", data={"token": token, **party.authentication()})).json()
    assert (answer["token_type"], answer["cnf"], answer["aud"]) == ("DPoP", {"jkt": KEY.kid}, RESOURCE)


# -- what ends a token (O-43) --------------------------------------------------------------------------------------

ENDINGS = {
    "consent": "UPDATE idp.consent SET ended_at = now() WHERE client_id = $1",
    "client": "UPDATE idp.client SET state = 'disabled', revision = revision + 1 WHERE client_id = $1",
    "session": "UPDATE idp.session s SET ended_at = now() FROM idp.token_family f"
    " WHERE f.sid = s.sid AND f.client_id = $1",
    **{
        state: f"UPDATE idp.citizen z SET state = '{state}' FROM idp.token_family f"
        " WHERE f.citizen_id = z.citizen_id AND f.client_id = $1"
        for state in ("frozen", "suspended", "deceased")
    },
}


@pytest.mark.parametrize("ended", ENDINGS)
async def test_o_43_what_has_ended_is_refused_everywhere_at_once(idp: Provider, ended: str) -> None:
    party = await idp.client(scope="openid profile documents:read")
    server = await machine(idp, resource=RESOURCE)
    browser = await idp.signed_in(await idp.citizen())
    tokens = await idp.tokens(browser, party)
    for_locker = (await idp.tokens(browser, party, scope="documents:read", resource=RESOURCE))["access_token"]

    async def outcomes() -> tuple[int, int, bool]:
        refreshed = await idp.refresh(party, tokens["refresh_token"])
        seen = await idp.http.post("/idp/introspect", data={"token": for_locker, **server.authentication()})
        userinfo = await idp.userinfo(tokens["access_token"])
        return refreshed.status_code, userinfo.status_code, seen.json()["active"]

    assert await outcomes() == (200, 200, True)
    await idp.owner(ENDINGS[ended], party.client_id)
    # Nothing is remembered: the next statement knows.
    assert await outcomes() == (401 if ended == "client" else 400, 401, False)


async def test_o_43_offline_access_outlives_the_session_and_nothing_else(idp: Provider) -> None:
    party = await idp.client()
    browser = await idp.signed_in(await idp.citizen())
    tokens = await idp.tokens(browser, party, scope="openid offline_access")
    await idp.owner(ENDINGS["session"], party.client_id)
    assert (await idp.refresh(party, tokens["refresh_token"])).status_code == 200
    assert (await idp.userinfo(tokens["access_token"])).status_code == 200
    await idp.owner(ENDINGS["consent"], party.client_id)
    assert (await idp.refresh(party, tokens["refresh_token"])).status_code == 400
