"""Each member of an object stands there once, wherever the object is and however its name is written."""

import base64
import json
from typing import Any

import msgspec
import pytest

from kit import strict_json
from kit.jose import LocalKeySet, SigningKey, TokenRefused, unverified_claims, verify, verify_by_own_key


def forged(key: SigningKey, header: str, claims: str) -> str:
    """Signed as it stands."""
    signed = b".".join(base64.urlsafe_b64encode(part.encode()).rstrip(b"=") for part in (header, claims))
    return (signed + b"." + base64.urlsafe_b64encode(key.signature(signed)).rstrip(b"=")).decode()


class Named(msgspec.Struct):
    name: str


@pytest.mark.parametrize(
    "text",
    [
        '{"a":1,"a":1}',
        '{"a":1,"\\u0061":2}',
        '{ "a" : 1 , "a" : 2 }',
        '[{"b":[{"a":{"c":1,"c":1}}]}]',
        '{"a":{"a":1},"b":1,"a":{}}',
        '{"":1,"":2}',
        # As long as one without: what is lost is made up for by what is written longer.
        '{"a":1,"a":1,"b":1e2}',
    ],
)
def test_two_equal_members_are_refused(text: str) -> None:
    for data in (text, text.encode()):
        with pytest.raises(strict_json.MemberTwice):
            strict_json.decode(data)


@pytest.mark.parametrize(
    "text",
    [
        '{"a":1,"A":2,"b":{"a":1},"c":[{"a":1},{"a":1}]}',
        '{"n":1e2,"m":0.10,"i":123456789012345678901234567890, "t":"\\u00e9\\/é"}',
        "[]",
        '"a\\"a\\":1"',
        "null",
        ' {"a" : true}\n',
    ],
)
def test_anything_else_is_read_as_others_read_it(text: str) -> None:
    assert strict_json.decode(text) == json.loads(text)


def test_a_type_is_checked_too() -> None:
    assert strict_json.decode(b'{"name":"x"}', Named) == Named("x")
    with pytest.raises(msgspec.ValidationError):
        strict_json.decode(b'{"name":1}', Named)
    with pytest.raises(strict_json.MemberTwice):
        strict_json.decode(b'{"other":1,"name":"x","other":2}', Named)


@pytest.mark.parametrize("data", [b'"\xff"', "\ud800", b"[" * 100_000, b'{"a":' * 50_000, b"{", b"", b'{"a":1e999}'])
def test_whatever_cannot_be_read_is_one_error(data: Any) -> None:
    with pytest.raises(msgspec.DecodeError):
        strict_json.decode(data)


def test_a_token_that_says_a_thing_twice_is_refused_rfc7515_4() -> None:
    key = SigningKey.generate("ES256")
    keys = LocalKeySet([key])
    claims = '{"sub":"a","sub":"b"}'
    for header, payload in (('{"alg":"ES256"}', claims), ('{"alg":"ES256","alg":"ES256"}', '{"sub":"a"}')):
        token = forged(key, header, payload)
        with pytest.raises(TokenRefused, match="not a JWT"):
            verify(token, keys.public, algorithms=["ES256"], typ=None, require=())
    assert verify(
        forged(key, '{"alg":"ES256"}', '{"sub":"b"}'), keys.public, algorithms=["ES256"], typ=None, require=()
    )
    with pytest.raises(TokenRefused):
        unverified_claims(forged(key, '{"alg":"ES256"}', claims))
    jwk = json.dumps(key.public_jwk)
    for header, payload in (
        (f'{{"alg":"ES256","typ":"dpop+jwt","jwk":{jwk}}}', '{"htm":"GET","htm":"POST"}'),
        (f'{{"alg":"ES256","typ":"dpop+jwt","jwk":{jwk},"jwk":{jwk}}}', '{"htm":"GET"}'),
    ):
        with pytest.raises(TokenRefused, match="not a JWT"):
            verify_by_own_key(forged(key, header, payload), algorithms=["ES256"], typ="dpop+jwt")
