"""RFC 9101 §4 and RFC 9126 §3: their request objects are read, and nothing in them can be changed."""

import msgspec
import pytest

from idp.authorization.refusals import AuthorizationError
from idp.authorization.request_object import read_request_object
from idp.clients.schema import Client, ClientMetadata
from kit.jose import PublicKeys

CLIENT = Client(
    client_id="s6BhdRkqt3",
    profile="basic",
    sector="test",
    legal_ground=None,
    state="active",
    metadata=ClientMetadata(client_name="Example", redirect_uris=("https://client.example.org/cb",)),
    secret_sha256=None,
    revision=1,
    keys=None,
)
ISSUER = "https://server.example.com"

RFC9101_KEY = {
    "kty": "RSA",
    "kid": "k2bdc",
    "n": "x5RbkAZkmpRxia65qRQ1wwSMSxQUnS7gcpVTV_cdHmfmG2ltd2yabEO9XadD8pJNZubINPpmgHh3J1aD9WRwS05ucmFq3CfFsluL"
    "t13_7oX5yDRSKX7poXmT_5ko8k4NJZPMAO8fPToDTH7kHYbONSE2FYa5GZ60CUsFhSonI-dcMDJ0Ary9lxIw5k2z4TAdARVWcS7s"
    "D07VhlMMshrwsPHBQgTatlkxyIHXbYdtak8fqvNAwr7OlVEvM_Ipf5OfmdB8Sd-wjzaBsyP4VhJKoi_qdgSzpC694XZeYPq45Sw-"
    "q51iFUlcOlTCI7z6jltUtnR6ySn6XDGFnzH5Fe5ypw",
    "e": "AQAB",
}
RFC9101 = (
    "eyJhbGciOiJSUzI1NiIsImtpZCI6ImsyYmRjIn0.ewogICAgImlzcyI6ICJzNkJoZFJrcXQzIiwKICAgICJhdWQiOiAiaHR0cHM6Ly9zZXJ2ZXIuZXhh"
    "bXBsZS5jb20iLAogICAgInJlc3BvbnNlX3R5cGUiOiAiY29kZSBpZF90b2tlbiIsCiAgICAiY2xpZW50X2lkIjogInM2QmhkUmtxdDMiLAogICAgInJl"
    "ZGlyZWN0X3VyaSI6ICJodHRwczovL2NsaWVudC5leGFtcGxlLm9yZy9jYiIsCiAgICAic2NvcGUiOiAib3BlbmlkIiwKICAgICJzdGF0ZSI6ICJhZjBp"
    "ZmpzbGRraiIsCiAgICAibm9uY2UiOiAibi0wUzZfV3pBMk1qIiwKICAgICJtYXhfYWdlIjogODY0MDAKfQ.Nsxa_18VUElVaPjqW_ToI1yrEJ67BgKb5x"
    "suZRVqzGkfKrOIX7BCx0biSxYGmjK9KJPctH1OC0iQJwXu5YVY-vnW0_PLJb1C2HG-ztVzcnKZC2gE4i0vgQcpkUOCpW3SEYXnyWnKzuKzqSb1wAZALo"
    "5f89B_p6QA6j6JwBSRvdVsDPdulW8lKxGTbH82czCaQ50rLAg3EYLYaCb4ik4I1zGXE4fvim9FIMs8OCMmzwIB5S-ujFfzwFjoyuPEV4hJnoVUmXR_W9"
    "typPf846lGwA8h9G9oNTIuX8Ft2jfpnZdFmLg3_wr3Wa5q3a-lfbgF3S9H_8nN3j1i7tLR_5Nz-g"
)
RFC9126_KEY = {
    "kty": "RSA",
    "kid": "k2bdc",
    "n": "y9Lqv4fCp6Ei-u2-ZCKq83YvbFEk6JMs_pSj76eMkddWRuWX2aBKGHAtKlE5P7_vn__PCKZWePt3vGkB6ePgzAFu08NmKemwE5bQ"
    "I0e6kIChtt_6KzT5OaaXDFI6qCLJmk51Cc4VYFaxgqevMncYrzaW_50mZ1yGSFIQzLYP8bijAHGVjdEFgZaZEN9lsn_GdWLaJpHr"
    "B3ROlS50E45wxrlg9xMncVb8qDPuXZarvghLL0HzOuYRadBJVoWZowDNTpKpk2RklZ7QaBO7XDv3uR7s_sf2g-bAjSYxYUGsqkNA"
    "9b3xVW53am_UZZ3tZbFTIh557JICWKHlWj5uzeJXaw",
    "e": "AQAB",
}
RFC9126 = (
    "eyJraWQiOiJrMmJkYyIsImFsZyI6IlJTMjU2In0.eyJpc3MiOiJzNkJoZFJrcXQzIiwiYXVkIjoiaHR0cHM6Ly9zZXJ2ZXIuZXhhbXBsZS5jb20iLCJy"
    "ZXNwb25zZV90eXBlIjoiY29kZSIsImNsaWVudF9pZCI6InM2QmhkUmtxdDMiLCJyZWRpcmVjdF91cmkiOiJodHRwczovL2NsaWVudC5leGFtcGxlLm9y"
    "Zy9jYiIsInNjb3BlIjoiYWlzIiwic3RhdGUiOiJhZjBpZmpzbGRraiIsImNvZGVfY2hhbGxlbmdlIjoiSzItbHRjODNhY2M0aDBjOXc2RVNDX3JFTVRK"
    "M2J3dy11Q0hhb2VLMXQ4VSIsImNvZGVfY2hhbGxlbmdlX21ldGhvZCI6IlMyNTYifQ.O49ffUxRPdNkN3TRYDvbEYVr1CeAL64uW4FenV3n9WlaFIRHe"
    "Fblzv-wlEtMm8-tusGxeE9z3ek6FxkhvvLEqEpjthXnyXqqyJfq3k9GSf5ay74ml_0D6lHE1hy-kVWg7SgoPQ-GB1xQ9NRhF3EKS7UZIrUHbFUCF0MsR"
    "LbmtIvaLYbQH_Ef3UkDLOGiU7exhVFTPeyQUTM9FF-u3K-zX-FO05_brYxNGLhVkO1G8MjqQnn2HpAzlBd5179WTzTYhKmhTiwzH-qlBBI_9GLJmE3KO"
    "ipko9TfSpa26H4JOlMyfZFl0PCJwkByS0xZFJ2sTo3Gkk488RQohhgt1I0onw"
)


def test_rfc9101_section_4() -> None:
    assert read_request_object(RFC9101, PublicKeys({"keys": [RFC9101_KEY]}), CLIENT, issuer=ISSUER, now=0) == {
        "response_type": "code id_token",
        "client_id": "s6BhdRkqt3",
        "redirect_uri": "https://client.example.org/cb",
        "scope": "openid",
        "state": "af0ifjsldkj",
        "nonce": "n-0S6_WzA2Mj",
        "max_age": "86400",
    }


def test_rfc9126_section_3() -> None:
    assert read_request_object(RFC9126, PublicKeys({"keys": [RFC9126_KEY]}), CLIENT, issuer=ISSUER, now=0) == {
        "response_type": "code",
        "client_id": "s6BhdRkqt3",
        "redirect_uri": "https://client.example.org/cb",
        "scope": "ais",
        "state": "af0ifjsldkj",
        "code_challenge": "K2-ltc83acc4h0c9w6ESC_rEMTJ3bww-uCHaoeK1t8U",
        "code_challenge_method": "S256",
    }


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (RFC9101, RFC9126_KEY),
        (RFC9126, RFC9101_KEY),
        (RFC9101.replace(".ewog", ".fwog"), RFC9101_KEY),
        (RFC9101[:-4] + "AAAA", RFC9101_KEY),
        (RFC9101.rpartition(".")[0] + ".", RFC9101_KEY),
    ],
)
def test_what_was_changed_or_signed_by_another_key_is_refused(text: str, key: dict[str, str]) -> None:
    with pytest.raises(AuthorizationError) as refused:
        read_request_object(text, PublicKeys({"keys": [key]}), CLIENT, issuer=ISSUER, now=0)
    assert refused.value.error == "invalid_request_object"


@pytest.mark.parametrize(
    ("changed", "issuer"),
    [({"client_id": "another"}, ISSUER), ({}, "https://other.example.com"), ({"profile": "fapi2-ms"}, ISSUER)],
)
def test_for_another_client_issuer_or_profile_it_is_refused(changed: dict[str, str], issuer: str) -> None:
    with pytest.raises(AuthorizationError) as refused:
        read_request_object(
            RFC9101,
            PublicKeys({"keys": [RFC9101_KEY]}),
            msgspec.structs.replace(CLIENT, **changed),
            issuer=issuer,
            now=0,
        )
    assert refused.value.error == "invalid_request_object"
