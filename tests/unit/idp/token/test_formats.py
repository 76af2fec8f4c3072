"""Tokens and answers in the form that a client registered, read by libraries that did not make them."""

import hashlib
import json
import time
from typing import Any

import jwt
import pytest
from jose import jwt as python_jose
from joserfc import jwe
from joserfc.jwk import ECKey, OKPKey, RSAKey

from kit.jose import ASYMMETRIC, ENCRYPTION_ALGS, ENCRYPTION_ENCS, PublicKeys, verify
from tests.provider import ISSUER, Provider, RelyingParty

pytestmark = pytest.mark.asyncio(loop_scope="module")

RSA, EC, OKP = RSAKey.generate_key(2048), ECKey.generate_key("P-256"), OKPKey.generate_key("X25519")


def jwks(*keys: RSAKey | ECKey | OKPKey) -> dict[str, Any]:
    return {"keys": [{**key.as_dict(private=False), "use": "enc", "kid": f"k{n}"} for n, key in enumerate(keys)]}


def opened(text: str, key: RSAKey | ECKey | OKPKey) -> tuple[dict[str, Any], str]:
    found = jwe.decrypt_compact(text, key, algorithms=[*ENCRYPTION_ALGS, *ENCRYPTION_ENCS])
    assert found.plaintext is not None
    return dict(found.headers()), found.plaintext.decode()


async def signed_by_us(idp: Provider, text: str, *, typ: str = "jwt", audience: str) -> dict[str, Any]:
    keys = PublicKeys((await idp.http.get("/idp/jwks")).json())
    return verify(
        text, keys, algorithms=ASYMMETRIC, typ=[typ], issuer=ISSUER, audience=audience, require=("iss", "aud")
    )


async def tokens(idp: Provider, party: RelyingParty) -> dict[str, Any]:
    return await idp.tokens(await idp.signed_in(await idp.citizen()), party)


@pytest.mark.parametrize(
    ("alg", "digest"),
    [("ES256", hashlib.sha256), ("RS256", hashlib.sha256), ("PS256", hashlib.sha256), ("EdDSA", hashlib.sha512)],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_the_id_token_is_signed_as_registered_and_at_hash_is_of_that_algorithm(
    idp: Provider, alg: str, digest: Any
) -> None:
    party = await idp.client(id_token_signed_response_alg=alg)
    given = await tokens(idp, party)
    assert jwt.get_unverified_header(given["id_token"])["alg"] == alg
    claims = await signed_by_us(idp, given["id_token"], audience=party.client_id)
    half = digest(given["access_token"].encode()).digest()
    half = half[: len(half) // 2]
    assert claims["at_hash"] == jwt.utils.base64url_encode(half).decode()
    if alg != "EdDSA":
        listed = (await idp.http.get("/idp/jwks")).json()["keys"]
        key = next(one for one in listed if one["alg"] == alg)
        if alg != "PS256":
            python_jose.decode(
                given["id_token"], key, algorithms=[alg], audience=party.client_id, access_token=given["access_token"]
            )


@pytest.mark.parametrize("enc", ENCRYPTION_ENCS)
@pytest.mark.parametrize("alg", ENCRYPTION_ALGS)
async def test_the_id_token_is_encrypted_as_registered(idp: Provider, alg: str, enc: str) -> None:
    key = RSA if alg == "RSA-OAEP-256" else EC
    party = await idp.client(
        jwks=jwks(RSA, EC), id_token_encrypted_response_alg=alg, id_token_encrypted_response_enc=enc
    )
    header, inner = opened((await tokens(idp, party))["id_token"], key)
    assert (header["alg"], header["enc"], header["cty"]) == (alg, enc, "JWT")
    assert header["kid"] == ("k0" if key is RSA else "k1")
    assert (await signed_by_us(idp, inner, audience=party.client_id))["nonce"] == "n-1"


async def test_x25519_keys_are_encrypted_to(idp: Provider) -> None:
    party = await idp.client(jwks=jwks(OKP), id_token_encrypted_response_alg="ECDH-ES")
    header, inner = opened((await tokens(idp, party))["id_token"], OKP)
    assert header["enc"] == "A128CBC-HS256"
    await signed_by_us(idp, inner, audience=party.client_id)


async def test_a_client_without_a_key_to_encrypt_to_keeps_its_code(idp: Provider) -> None:
    party = await idp.client(jwks=jwks(RSA), id_token_encrypted_response_alg="ECDH-ES")
    code = await idp.code(await idp.signed_in(await idp.citizen()), party)
    refused = await idp.exchange(party, code)
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_request")
    rows = await idp.owner("SELECT consumed_at FROM idp.authorization_code WHERE client_id = $1", party.client_id)
    assert [row["consumed_at"] for row in rows] == [None]


async def test_userinfo_is_signed_as_registered_core_5_3_2(idp: Provider) -> None:
    for alg in ASYMMETRIC:
        party = await idp.client(userinfo_signed_response_alg=alg)
        answer = await idp.userinfo((await tokens(idp, party))["access_token"])
        assert answer.headers["content-type"] == "application/jwt"
        claims = await signed_by_us(idp, answer.text, audience=party.client_id)
        assert (claims["iss"], claims["given_name"]) == (ISSUER, "Amina")
        assert jwt.get_unverified_header(answer.text)["alg"] == alg


async def test_userinfo_is_encrypted_signed_or_not(idp: Provider) -> None:
    wanted = {"jwks": jwks(RSA, EC), "userinfo_encrypted_response_alg": "ECDH-ES+A256KW"}
    plain = await idp.client(**wanted, userinfo_encrypted_response_enc="A256GCM")
    answer = await idp.userinfo((await tokens(idp, plain))["access_token"])
    assert answer.headers["content-type"] == "application/jwt"
    header, inner = opened(answer.text, EC)
    assert "cty" not in header
    assert json.loads(inner)["given_name"] == "Amina"

    both = await idp.client(**wanted, userinfo_signed_response_alg="PS256")
    header, inner = opened((await idp.userinfo((await tokens(idp, both))["access_token"])).text, EC)
    assert header["cty"] == "JWT"
    assert (await signed_by_us(idp, inner, audience=both.client_id))["given_name"] == "Amina"


async def test_introspection_is_a_statement_that_can_be_kept_rfc9701(idp: Provider) -> None:
    party = await idp.client()
    given = await tokens(idp, party)
    accept = {"Accept": "application/token-introspection+jwt, application/json;q=0.5"}
    for token, active in ((given["access_token"], True), ("unknown", False)):
        answer = await idp.http.post("/idp/introspect", data={"token": token, **party.authentication()}, headers=accept)
        assert answer.headers["content-type"] == "application/token-introspection+jwt"
        claims = await signed_by_us(idp, answer.text, typ="token-introspection+jwt", audience=party.client_id)
        assert set(claims) == {"iss", "aud", "iat", "token_introspection"}
        assert abs(claims["iat"] - time.time()) < 30
        assert claims["token_introspection"]["active"] is active
        # RFC 9701 §8.1: it is no access token.
        assert (await idp.userinfo(answer.text)).status_code == 401
    assert jwt.get_unverified_header(answer.text)["alg"] == "RS256"
    assert claims["token_introspection"] == {"active": False}


async def test_introspection_is_signed_and_encrypted_as_registered(idp: Provider) -> None:
    party = await idp.client(
        jwks=jwks(RSA), introspection_signed_response_alg="EdDSA", introspection_encrypted_response_alg="RSA-OAEP-256"
    )
    given = await tokens(idp, party)
    answer = await idp.http.post(
        "/idp/introspect",
        data={"token": given["access_token"], **party.authentication()},
        headers={"Accept": "application/token-introspection+jwt"},
    )
    _, inner = opened(answer.text, RSA)
    claims = await signed_by_us(idp, inner, typ="token-introspection+jwt", audience=party.client_id)
    assert claims["token_introspection"]["scope"] == "openid profile"


@pytest.mark.parametrize("member", ["id_token_signed_response_alg", "userinfo_signed_response_alg"])
async def test_a_fapi2_client_gets_nothing_with_pkcs1(idp: Provider, member: str) -> None:
    with pytest.raises(Exception, match=member):
        await idp.fapi(**{member: "RS256"})
