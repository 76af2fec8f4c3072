"""Vectors of OpenID Connect Core, appendix A, and what RFC 8705 §3.1 and RFC 8414 §3.2 show."""

import pytest

from idp.discovery.describe import describe
from idp.token.binding import Binding
from kit.jose import PublicKeys, TokenRefused, hash_of, verify

# OpenID Connect Core §A.7.
KEY = {
    "kty": "RSA",
    "kid": "1e9gdk7",
    "n": "w7Zdfmece8iaB0kiTY8pCtiBtzbptJmP28nSWwtdjRu0f2GFpajvWE4VhfJAjEsOcwYzay7XGN0b-X84BfC8hmCTOj2b2eHT7NsZegFP"
    "KRUQzJ9wW8ipn_aDJWMGDuB1XyqT1E7DYqjUCEOD1b4FLpy_xPn6oV_TYOfQ9fZdbE5HGxJUzekuGcOKqOQ8M7wfYHhHHLxGpQVgL0apWuP2"
    "gDDOdTtpuld4D2LK1MZK99s9gaSjRHE8JDb1Z4IGhEcEyzkxswVdPndUWzfvWBBWXWxtSUvQGBRkuy1BHOa4sP6FKjWEeeF7gm7UMs2Nm2QU"
    "gNZw6xvEDGaLk4KASdIxRQ",
    "e": "AQAB",
}
# §A.3, where the token lives a thousand seconds in 2011.
ID_TOKEN = (
    "eyJraWQiOiIxZTlnZGs3IiwiYWxnIjoiUlMyNTYifQ.ewogImlzcyI6ICJodHRwOi8vc2VydmVyLmV4YW1wbGUuY29tIiwKICJzdWIiOiAiMjQ4"
    "Mjg5NzYxMDAxIiwKICJhdWQiOiAiczZCaGRSa3F0MyIsCiAibm9uY2UiOiAibi0wUzZfV3pBMk1qIiwKICJleHAiOiAxMzExMjgxOTcwLAogImlh"
    "dCI6IDEzMTEyODA5NzAsCiAiYXRfaGFzaCI6ICI3N1FtVVB0alBmeld0RjJBbnBLOVJRIgp9.F9gRev0Dt2tKcrBkHy72cmRqnLdzw9FLCCSebV7m"
    "Ws7o_sv2O5s6zMky2kmhHTVx9HmdvNnx9GaZ8XMYRFeYk8L5NZ7aYlA5W56nsG1iWOou_-gji0ibWIuuf4Owaho3YSoi7EvsTuLFz6tq-dLyz0dK"
    "ABMDsiCmJ5wqkPUDTE3QTXjzbUmOzUDli-gCh5QPuZAq0cNW3pf_2n4zpvTYtbmj12cVcxGIMZby7TMWESRjQ9_o3jvhVNcCGcE0KAQXejhA1ocJ"
    "hNEvQNqMFGlBb6_0RxxKjDZ-Oa329eGDidOvvp0h5hoES4a8IuGKS7NOcpp-aFwp0qVMDLI-Xnm-Pg"
)
ISSUED_AT = 1_311_280_970
ACCESS_TOKEN = "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y"
CODE = "Qcb0Orv1zh30vL1MPRsbm-diHiMwcLyZvn1arpZv-Jxf_11jnpEX3Tgfvk"


def verified(token: str, *, leeway_s: int) -> dict[str, object]:
    return verify(
        token,
        PublicKeys({"keys": [KEY]}),
        algorithms=["RS256"],
        typ=None,
        issuer="http://server.example.com",
        audience="s6BhdRkqt3",
        leeway_s=leeway_s,
    )


def test_id_token_openid_core_a_3() -> None:
    claims = verified(ID_TOKEN, leeway_s=10**10)
    assert claims == {
        "iss": "http://server.example.com",
        "sub": "248289761001",
        "aud": "s6BhdRkqt3",
        "nonce": "n-0S6_WzA2Mj",
        "exp": ISSUED_AT + 1_000,
        "iat": ISSUED_AT,
        "at_hash": hash_of(ACCESS_TOKEN, alg="RS256"),
    }


def test_id_token_openid_core_a_3_is_old_today_and_cannot_be_changed() -> None:
    with pytest.raises(TokenRefused):
        verified(ID_TOKEN, leeway_s=5)
    header, claims, signature = ID_TOKEN.split(".")
    with pytest.raises(TokenRefused):
        verified(f"{header}.{claims[:-4]}AAAA.{signature}", leeway_s=10**10)


@pytest.mark.parametrize(
    ("text", "expected"), [(ACCESS_TOKEN, "77QmUPtjPfzWtF2AnpK9RQ"), (CODE, "LDktKdoQak3Pk0cnXxCltA")]
)
def test_at_hash_and_c_hash_openid_core_a_3_and_a_4(text: str, expected: str) -> None:
    assert hash_of(text, alg="RS256") == expected


def test_confirmation_of_a_certificate_rfc8705_3_1() -> None:
    cnf = {"x5t#S256": "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2"}
    assert Binding.of_cnf(cnf) == Binding(x5t="bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2")
    assert Binding.of_cnf(cnf).cnf() == cnf


def test_members_of_the_metadata_are_those_that_rfc8414_3_2_shows_and_of_its_kinds() -> None:
    shown: dict[str, type] = {
        "issuer": str,
        "authorization_endpoint": str,
        "token_endpoint": str,
        "token_endpoint_auth_methods_supported": list,
        "token_endpoint_auth_signing_alg_values_supported": list,
        "userinfo_endpoint": str,
        "jwks_uri": str,
        "registration_endpoint": str,
        "scopes_supported": list,
        "response_types_supported": list,
        "ui_locales_supported": list,
    }
    described = describe("https://server.example.com", signing=["ES256", "RS256"], trust_frameworks=[])
    assert {name: type(described.get(name)) for name in shown} == shown
    # §2: none of these may be "none", and nothing is said of what has no value (§3.2).
    assert "none" not in described["token_endpoint_auth_signing_alg_values_supported"]
    assert all(value not in (None, [], "") for value in described.values())
