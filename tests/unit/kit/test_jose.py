"""A token has one text, and what we sign others can read."""

import base64
import json
import time
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from jose import jwt as other_jwt

from kit.jose import Algorithm, KeyRefused, LocalKeySet, PublicKeys, SigningKey, TokenRefused, header_of, verify

KEYS = LocalKeySet([SigningKey.generate("ES256")])
ISSUER = "https://id.test/idp"


def token(**changed: object) -> str:
    now = int(time.time())
    claims = {"iss": ISSUER, "sub": "ⴰⵎⵉⵏⴰ", "aud": "a", "iat": now, "exp": now + 60, **changed}
    return KEYS.sign(claims, typ="at+jwt")


def verified(text: str) -> dict[str, object]:
    return verify(text, KEYS.public, algorithms=["ES256"], typ=["at+jwt"], issuer=ISSUER, audience="a")


@pytest.mark.parametrize("alg", ["ES256", "RS256", "EdDSA"])
def test_what_is_signed_verifies(alg: Algorithm) -> None:
    keys = LocalKeySet([SigningKey.generate(alg)])
    text = keys.sign({"iat": int(time.time()), "exp": int(time.time()) + 60, "n": "é"}, typ="JWT", alg=alg)
    assert verify(text, keys.public, algorithms=[alg], typ=["jwt"])["n"] == "é"


def test_another_library_reads_our_tokens() -> None:
    claims = other_jwt.decode(token(), KEYS.jwks(), algorithms=["ES256"], audience="a", issuer=ISSUER)
    assert claims["sub"] == "ⴰⵎⵉⵏⴰ"
    assert other_jwt.get_unverified_header(token()) == {"alg": "ES256", "kid": KEYS.keys[0].kid, "typ": "at+jwt"}


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("junk", ["=", "!", " ", "\n", "+", "/", ".", "é"])
def test_a_segment_holds_nothing_but_its_alphabet_rfc7515_2(place: int, junk: str) -> None:
    segments = token().split(".")
    for spoilt in (segments[place] + junk, junk + segments[place]):
        text = ".".join([*segments[:place], spoilt, *segments[place + 1 :]])
        with pytest.raises(TokenRefused):
            verified(text)


def test_bits_without_meaning_make_no_second_text_of_a_token() -> None:
    text = token()
    # 64 bytes of signature fill 85 characters and two bits of the last one.
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    twin = text[:-1] + alphabet[alphabet.index(text[-1]) + 1]
    assert base64.urlsafe_b64decode(twin.split(".")[2] + "==") == base64.urlsafe_b64decode(text.split(".")[2] + "==")
    with pytest.raises(TokenRefused):
        verified(twin)


@pytest.mark.parametrize("header", [b"[]", b'"x"', b"{", b"\xff", b'{"alg":"ES256","kid":7}', b"{}"])
def test_a_header_that_is_none_is_refused(header: bytes) -> None:
    encoded = base64.urlsafe_b64encode(header).rstrip(b"=").decode()
    with pytest.raises(TokenRefused):
        verified(encoded + "." + token().split(".", 1)[1])


@pytest.mark.parametrize("text", ["", "a", "a.b", "a.b.c.d", "..", "a..c", "a" * 20_000])
def test_what_is_no_jws_is_refused(text: str) -> None:
    with pytest.raises(TokenRefused):
        header_of(text)
    with pytest.raises(TokenRefused):
        verified(text)


def test_a_changed_claim_is_refused() -> None:
    header, claims, signature = token().split(".")
    opened = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
    forged = base64.urlsafe_b64encode(json.dumps({**opened, "sub": "other"}).encode()).rstrip(b"=").decode()
    with pytest.raises(TokenRefused, match="signature"):
        verified(f"{header}.{forged}.{signature}")


def test_keys_of_unknown_types_are_passed_over_and_secret_ones_refused_rfc7517_5() -> None:
    known, future = KEYS.keys[0].public_jwk, {"kty": "AKP", "alg": "ML-DSA-44", "pub": "AAAA"}
    assert PublicKeys({"keys": [future, known]}).knows(KEYS.keys[0].kid)
    for keys in ([future], [known, {"kty": "oct", "k": "AAAA"}], [{**known, "d": "AAAA"}], [{}], []):
        with pytest.raises(KeyRefused):
            PublicKeys({"keys": keys})


NOW = int(time.time())
CLAIMS: dict[str, dict[str, object]] = {
    "as it should be": {},
    "audience in a list": {"aud": ["b", "a"]},
    "another audience": {"aud": "b"},
    "audiences without us": {"aud": ["b", "c"]},
    "no audience": {"aud": None},
    "an audience that is no text": {"aud": ["a", 7]},
    "audience as an object": {"aud": {"a": 1}},
    "another issuer": {"iss": "https://id.test"},
    "no issuer": {"iss": None},
    "issuer in a list": {"iss": [ISSUER]},
    "expired": {"exp": NOW - 60},
    "expired within the leeway": {"exp": NOW - 2},
    "never expires": {"exp": None},
    "not yet issued": {"iat": NOW + 60},
    "issued within the leeway": {"iat": NOW + 2},
    "not yet": {"nbf": NOW + 60},
    "since now": {"nbf": NOW},
    "sub is a number": {"sub": 7},
    "jti is a number": {"jti": 7},
    "fractions of a second": {"exp": NOW + 60.5, "iat": NOW - 0.5},
}
STRICTER: dict[str, dict[str, object]] = {"exp in text": {"exp": str(NOW + 60)}, "iat is true": {"iat": True}}


@pytest.mark.parametrize("name", ["exp", "iat", "nbf"])
@pytest.mark.parametrize("moment", [10**400, -(10**400), 2**53 + 1], ids=["after", "before", "inexact"])
def test_a_moment_that_no_double_says_is_refused_and_no_fault(name: str, moment: int) -> None:
    now = int(time.time())
    claims = {"iat": now, "exp": now + 60, name: moment}
    text = jwt.encode(claims, KEYS.keys[0].private, algorithm="ES256")
    with pytest.raises(TokenRefused, match=name):
        verify(text, KEYS.public, algorithms=["ES256"], typ=None)


@pytest.mark.parametrize("name", [*CLAIMS, *STRICTER])
@pytest.mark.parametrize("strict", [False, True])
def test_claims_are_judged_as_pyjwt_does_or_more_strictly(name: str, strict: bool) -> None:
    changed = {**CLAIMS, **STRICTER}[name]
    text = KEYS.sign(
        {k: v for k, v in {"iss": ISSUER, "sub": "s", "aud": "a", "iat": NOW, "exp": NOW + 60, **changed}.items() if v},
        typ="at+jwt",
    )
    try:
        theirs = jwt.decode(
            text,
            KEYS.keys[0].private.public_key(),
            algorithms=["ES256"],
            issuer=ISSUER,
            audience="a",
            leeway=5,
            options={"require": ["exp", "iat"], "strict_aud": strict},
        )
    except jwt.PyJWTError:
        theirs = None
    try:
        ours: dict[str, object] | None = verify(
            text,
            KEYS.public,
            algorithms=["ES256"],
            typ=["at+jwt"],
            issuer=ISSUER,
            audience="a",
            strict_audience=strict,
            leeway_s=5,
        )
    except TokenRefused:
        ours = None
    assert ours == (None if name in STRICTER else theirs)


@pytest.mark.parametrize("member", [{"b64": False}, {"b64": False, "crit": ["b64"]}, {"crit": []}, {"alg": "none"}])
def test_a_header_that_changes_what_is_signed_is_refused_rfc7797_6(member: dict[str, object]) -> None:
    header = base64.urlsafe_b64encode(json.dumps({"typ": "at+jwt", "alg": "ES256", **member}).encode()).rstrip(b"=")
    signed = header + b"." + token().split(".")[1].encode()
    made = jwt.get_algorithm_by_name("ES256").sign(signed, KEYS.keys[0].private)
    with pytest.raises(TokenRefused):
        verified((signed + b"." + base64.urlsafe_b64encode(made).rstrip(b"=")).decode())


def test_a_damaged_key_is_refused_where_it_is_loaded(tmp_path: Path) -> None:
    whole = SigningKey.generate("RS256").private.private_numbers()
    assert isinstance(whole, rsa.RSAPrivateNumbers)
    flipped = rsa.RSAPrivateNumbers(
        p=whole.p,
        q=whole.q,
        d=whole.d ^ 2**77,
        dmp1=whole.dmp1 ^ 2**77,
        dmq1=whole.dmq1,
        iqmp=whole.iqmp,
        public_numbers=whole.public_numbers,
    )
    private = flipped.private_key(unsafe_skip_rsa_key_validation=True)
    path = tmp_path / "RS256-0.pem"
    path.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    with pytest.raises(ValueError, match=r"RS256-0\.pem: a damaged key"):
        SigningKey.load(path, "RS256")
