"""Vectors of RFC 7636, RFC 7638, RFC 8705 and RFC 9449."""

import base64
import time
from typing import Any

import pytest

from idp.token.authorization_code import s256_challenge
from kit import dpop
from kit.client_certificate import read
from kit.dpop import ALGORITHMS, ProofRefused, ath_of, check
from kit.jose import TokenRefused, thumbprint, verify_by_own_key

# RFC 9449 §4.1, figure 2, and §6.1, figure 8.
PROOF = (
    "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJo"
    "RjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19"
    ".eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0"
    "IjoxNTYyMjYyNjE2fQ"
    ".2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg"
)
JKT = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"

# RFC 8705, appendix A: a certificate and what a token that is bound to it says.
CERTIFICATE = (
    "MIIBBjCBrAIBAjAKBggqhkjOPQQDAjAPMQ0wCwYDVQQDDARtdGxzMB4XDTE4MTAxODEyMzcwOVoXDTIyMDUwMjEyMzcwOVowDzENMAsGA1UEAwwE"
    "bXRsczBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABNcnyxwqV6hY8QnhxxzFQ03C7HKW9OylMbnQZjjJ/Au08/coZwxS7LfA4vOLS9WuneIXhbGG"
    "WvsDSb0tH6IxLm8wCgYIKoZIzj0EAwIDSQAwRgIhAP0RC1E+vwJD/D1AGHGzuri+hlV/PpQEKTWUVeORWz83AiEA5x2eXZOVbUlJSGQgjwD5vaUa"
    "KlLR50Q2DmFfQj1L+SY="
)
X5T = "A4DtL2JmUMhAsvJj5tKyn64SqzmuXbMrJa0n761y5v0"


def test_code_challenge_rfc7636_appendix_b() -> None:
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    assert s256_challenge(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_thumbprint_rfc7638_3_1() -> None:
    key = {
        "kty": "RSA",
        "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiF"
        "V4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu"
        "6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awa"
        "pJzKnqDKgw",
        "e": "AQAB",
        "alg": "RS256",
        "kid": "2011-04-29",
    }
    assert thumbprint(key) == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"


@pytest.mark.parametrize("member", [{"kty": "oct", "k": "AA"}, {"kty": "EC", "crv": "P-256", "x": "AA"}, {}])
def test_a_key_without_its_members_has_no_thumbprint_rfc7638_3_2(member: dict[str, Any]) -> None:
    with pytest.raises(TokenRefused):
        thumbprint(member)


def test_certificate_thumbprint_rfc8705_appendix_a() -> None:
    assert read(f":{CERTIFICATE}:").x5t == X5T


def test_proof_rfc9449_figures_2_and_8() -> None:
    jkt, claims = verify_by_own_key(PROOF, algorithms=ALGORITHMS, typ="dpop+jwt")
    assert jkt == JKT
    assert claims == {
        "jti": "-BwC3ESc6acc2lTc",
        "htm": "POST",
        "htu": "https://server.example.com/token",
        "iat": 1562262616,
    }


def test_proof_rfc9449_figure_2_is_old_today_and_was_good_then(monkeypatch: pytest.MonkeyPatch) -> None:
    url = "https://server.example.com/token"
    with pytest.raises(ProofRefused, match="iat"):
        check(PROOF, method="POST", urls=[url])
    monkeypatch.setattr(dpop.time, "time", lambda: 1562262626.0)
    assert check(PROOF, method="POST", urls=[url]).jkt == JKT
    spoilt = PROOF[:-4] + ("AAAA" if not PROOF.endswith("AAAA") else "BBBB")
    with pytest.raises(ProofRefused, match="signature"):
        check(spoilt, method="POST", urls=[url])


def test_ath_rfc9449_figure_13() -> None:
    assert ath_of("Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU") == "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://a.test/x", "HTTPS://A.TEST:443/x"),
        ("https://a.test/", "https://a.test"),
        ("https://a.test/x", "https://a.test/./y/../x?q#f"),
        ("https://a.test/~x", "https://a.test/%7Ex"),
        ("https://a.test/%2F", "https://a.test/%2f"),
    ],
)
def test_addresses_that_are_one_rfc3986_6_2(one: str, other: str) -> None:
    assert dpop.normalized(one) == dpop.normalized(other) is not None


@pytest.mark.parametrize(
    "other",
    ["https://a.test/X", "https://a.test:8443/x", "http://a.test/x", "https://u@a.test/x", "https://a.test/x/", "/x"],
)
def test_addresses_that_are_two(other: str) -> None:
    assert dpop.normalized("https://a.test/x") != dpop.normalized(other)


def test_nonces_are_ours_for_two_steps_and_nobody_elses(monkeypatch: pytest.MonkeyPatch) -> None:
    nonces, others = dpop.Nonces(b"k" * 32), dpop.Nonces(b"o" * 32)
    now = time.time()
    nonce = nonces.current()
    assert len(base64.urlsafe_b64decode(nonce)) == 18
    assert nonces.knows(nonce)
    assert not others.knows(nonce)
    monkeypatch.setattr(dpop.time, "time", lambda: now + 180)
    assert nonces.knows(nonce)
    assert nonces.current() != nonce
    monkeypatch.setattr(dpop.time, "time", lambda: now + 400)
    assert not nonces.knows(nonce)
