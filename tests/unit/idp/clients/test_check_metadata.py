"""Members of client metadata, each with what may not stand in it."""

from typing import Any

import msgspec
import pytest

from idp.clients.check_metadata import check_metadata
from idp.clients.schema import ClientMetadata
from idp.refusals import InvalidClientMetadata, InvalidRedirectUri
from kit.jose import SigningKey

KEYS = {"keys": [SigningKey.generate("ES256").public_jwk]}
CIBA = "urn:openid:params:grant-type:ciba"
DEVICE = "urn:ietf:params:oauth:grant-type:device_code"


def checked(*, profile: Any = "basic", production: bool = True, **members: Any) -> ClientMetadata:
    metadata = msgspec.convert(
        {"client_name": "A", "redirect_uris": ["https://rp.test/callback"], **members}, ClientMetadata
    )
    return check_metadata(metadata, profile, production=production, loopback_allowed=False)


@pytest.mark.parametrize(
    "members",
    [
        {"jwks": KEYS, "jwks_uri": "https://rp.test/jwks"},
        {"jwks": {"keys": []}},
        {"jwks": {"keys": [{"kty": "oct", "k": "AAAA"}]}},
        {"token_endpoint_auth_method": "private_key_jwt"},
        {"token_endpoint_auth_method": "self_signed_tls_client_auth"},
        {"id_token_encrypted_response_alg": "RSA-OAEP-256"},
        {"id_token_encrypted_response_enc": "A256GCM", "jwks": KEYS},
        {"userinfo_encrypted_response_enc": "A256GCM", "jwks": KEYS},
        {"introspection_encrypted_response_enc": "A256GCM", "jwks": KEYS},
        {"request_object_signing_alg": "ES256"},
        {"token_endpoint_auth_method": "tls_client_auth"},
        {
            "token_endpoint_auth_method": "tls_client_auth",
            "tls_client_auth_san_dns": "rp.test",
            "tls_client_auth_san_uri": "https://rp.test",
        },
        {"tls_client_auth_san_dns": "rp.test"},
        {"grant_types": ["authorization_code", CIBA]},
        {"grant_types": ["authorization_code", CIBA], "backchannel_token_delivery_mode": "ping"},
        {
            "grant_types": ["authorization_code", CIBA],
            "backchannel_token_delivery_mode": "poll",
            "backchannel_client_notification_endpoint": "https://rp.test/ciba",
        },
        {"backchannel_logout_uri": "https://rp.test/out#x"},
        {"backchannel_logout_uri": "http://rp.test/out"},
        {"jwks_uri": "https://rp.test/jwks#x"},
        {"request_uris": ["http://rp.test/request"]},
        {"request_uris": [f"https://rp.test/{number}" for number in range(21)]},
        {"policy_uri": "javascript:alert(1)"},
        {"tos_uri": "http://rp.test/tos"},
        {"client_uri": "data:text/html,x"},
        {"initiate_login_uri": "http://rp.test/login"},
        {"default_max_age": -1},
        {"response_types": []},
        {"client_name": ""},
        {"client_name": "Bank\u202egro.live"},
        {"client_name": "line\nbreak"},
        {"client_name": "x" * 101},
        {"purpose": "x" * 501},
        {"contacts": ["a@b.test"] * 11},
    ],
    ids=lambda members: ",".join(members),
)
def test_a_member_that_cannot_be_accepted(members: dict[str, Any]) -> None:
    with pytest.raises(InvalidClientMetadata):
        checked(**members)


@pytest.mark.parametrize(
    "uri",
    [
        "https://rp.test/cb#fragment",
        "http://rp.test/cb",
        "http://localhost/cb",
        "https://rp.test/*",
        "https://rp.test/a/../b",
        "https://user@rp.test/cb",
        "https://rp.test;script-src/cb",
        "https://rp.test,x/cb",
        "https://rp.test:port/cb",
        "https:///cb",
        "javascript:alert(1)",
        "com.example.app:/cb",
        "/cb",
        "",
    ],
)
def test_a_redirect_uri_of_a_web_client(uri: str) -> None:
    with pytest.raises(InvalidRedirectUri):
        checked(redirect_uris=[uri])
    with pytest.raises(InvalidRedirectUri):
        checked(post_logout_redirect_uris=[uri])


@pytest.mark.parametrize("uri", ["com.example.app:/cb", "http://127.0.0.1:8765/cb", "https://rp.test/cb"])
def test_a_redirect_uri_of_a_wallet(uri: str) -> None:
    """RFC 8252 §7"""
    assert checked(profile="wallet", redirect_uris=[uri]).redirect_uris == (uri,)


def test_defaults_that_follow_from_other_members() -> None:
    assert checked(id_token_encrypted_response_alg="ECDH-ES", jwks=KEYS).id_token_encrypted_response_enc == (
        "A128CBC-HS256"
    )
    device = checked(grant_types=[DEVICE], redirect_uris=[], response_types=["code"])
    assert device.response_types == ()


@pytest.mark.parametrize(
    "member",
    [
        {"id_token_signed_response_alg": "none"},
        {"id_token_signed_response_alg": "HS256"},
        {"userinfo_signed_response_alg": "none"},
        {"request_object_signing_alg": "none"},
        {"token_endpoint_auth_method": "client_secret_jwt"},
        {"response_types": ["token"]},
        {"response_types": ["code id_token"]},
        {"grant_types": ["implicit"]},
        {"grant_types": ["password"]},
        {"subject_type": "public"},
    ],
    ids=str,
)
def test_a_value_that_does_not_exist_here(member: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        checked(**member)
