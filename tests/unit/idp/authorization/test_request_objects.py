"""What RFC 9101, OpenID Connect Core §6 and FAPI 2.0 Message Signing §5.3 demand of request objects."""

import hashlib
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from kit.jose import SigningKey
from tests.conftest import Dsns
from tests.provider import CALLBACK, ISSUER, Provider, RelyingParty, answer_of, running_provider
from tests.sites import Site, authority_files, running_site

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def idp(dsns: Dsns) -> AsyncIterator[Provider]:
    async with running_provider(
        dsns.idp, dsns.owner, outbound_loopback=True, outbound_ca_file=authority_files()[0]
    ) as provider:
        yield provider


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site() -> AsyncIterator[Site]:
    async with running_site() as found:
        yield found


async def signer(idp: Provider, **metadata: Any) -> RelyingParty:
    return await idp.client(token_endpoint_auth_method="private_key_jwt", **metadata)


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"aud": [ISSUER, "https://other.test"]},
        {"nbf": 8, "iat": 8},
        {"nbf": -3_500, "exp": 60},
        {"exp": 3_590},
    ],
    ids=str,
)
async def test_signed_request_is_pushed_and_answered_with_a_signed_answer(
    idp: Provider, changed: dict[str, Any]
) -> None:
    """Numbers are seconds from now."""
    party = await idp.fapi("fapi2-ms")
    now = int(time.time())
    claims = {name: now + value if isinstance(value, int) else value for name, value in changed.items()}
    pushed = await idp.push(party, request=party.request_object(response_mode="jwt", **claims))
    assert pushed.status_code == 201, pushed.text
    browser = await idp.signed_in(await idp.citizen())
    answer = await idp.allowed_of(browser, {"client_id": party.client_id, "request_uri": pushed.json()["request_uri"]})
    assert set(answer_of(answer)) == {"response"}


@pytest.mark.parametrize("typ", ["oauth-authz-req+jwt", "JWT", "application/oauth-authz-req+jwt"])
async def test_by_value_with_any_of_the_types_of_a_request_object(idp: Provider, typ: str) -> None:
    party = await signer(idp)
    browser = await idp.signed_in(await idp.citizen())
    request = party.request_object(typ=typ)
    answer = answer_of(await idp.allowed_of(browser, {"client_id": party.client_id, "request": request}))
    assert answer["state"] == "s-1"


async def test_without_a_type_issuer_audience_or_time_where_the_profile_is_basic(idp: Provider) -> None:
    party = await signer(idp)
    browser = await idp.signed_in(await idp.citizen())
    request = party.request_object(iss=None, aud=None, nbf=None, exp=None)
    assert "code" in answer_of(await idp.allowed_of(browser, party.request(request=request)))


async def test_claims_and_numbers_need_no_second_encoding_inside(idp: Provider) -> None:
    party = await signer(idp)
    browser = await idp.signed_in(await idp.citizen())
    claims = {"id_token": {"email": {"essential": True}}}
    request = party.request_object(claims=claims, max_age=600, scope="openid")
    location = (await browser.get("/idp/authorize", params={"client_id": party.client_id, "request": request})).headers[
        "location"
    ]
    assert "amina@example.com" in (await browser.get(location)).text


async def test_redirect_uri_of_the_object_comes_before_the_one_beside_it_core_6_1(idp: Provider) -> None:
    party = await signer(idp)
    browser = await idp.signed_in(await idp.citizen())
    parameters = party.request(redirect_uri="https://rp.test/unregistered", request=party.request_object())
    answer = await idp.allowed_of(browser, parameters)
    assert answer.headers["location"].startswith(f"{CALLBACK}?code=")


async def test_error_of_a_request_in_an_object_carries_the_state_of_the_object(idp: Provider) -> None:
    party = await signer(idp)
    async with idp.browser() as browser:
        request = party.request_object(scope="unheard-of", state="inside", response_mode="query")
        answer = answer_of(await browser.get("/idp/authorize", params=party.request(state="outside", request=request)))
    assert answer == {
        "error": "invalid_scope",
        "error_description": "a scope that this client has not registered",
        "state": "inside",
        "iss": ISSUER,
    }


async def test_response_type_beside_the_object_must_be_the_same_core_6_1(idp: Provider) -> None:
    party = await signer(idp)
    async with idp.browser() as browser:
        answer = answer_of(
            await browser.get(
                "/idp/authorize", params=party.request(response_type="code id_token", request=party.request_object())
            )
        )
    assert answer["error"] == "invalid_request"


@pytest.mark.parametrize("alg", ["ES256", "PS256", "EdDSA", "RS256"])
async def test_algorithms_of_the_profiles(idp: Provider, alg: Any) -> None:
    key = SigningKey.generate(alg)
    party = await idp.client(jwks={"keys": [key.public_jwk]})
    strict = await idp.fapi("fapi2")
    await idp.owner(
        "UPDATE idp.client SET metadata = jsonb_set(metadata, '{jwks,keys,1}', $2), revision = revision + 1"
        " WHERE client_id = $1",
        strict.client_id,
        json.dumps(key.public_jwk),
    )
    assert (await idp.push(party, request=party.request_object(key=key))).status_code == 201
    pushed = await idp.push(strict, request=strict.request_object(key=key))
    if alg == "RS256":
        assert pushed.json()["error"] == "invalid_request_object"
    else:
        assert pushed.status_code == 201, pushed.text


async def test_registered_request_uri_is_fetched_core_6_2(idp: Provider, site: Site) -> None:
    fragment = hashlib.sha256(b"not what stands there").hexdigest()
    request_uri = f"{site.url('/object')}#{fragment}"
    party = await signer(idp, request_uris=[request_uri])
    site.serve("/object", party.request_object(nbf=None, exp=None), "application/oauth-authz-req+jwt")
    browser = await idp.signed_in(await idp.citizen())
    answer = answer_of(await idp.allowed_of(browser, party.request(state=None, request_uri=request_uri)))
    assert answer["state"] == "s-1"
    assert (await site.next()).path == "/object"


async def test_o_24_request_uri_is_fetched_letter_by_letter_as_registered(idp: Provider, site: Site) -> None:
    request_uri = site.url("/registered")
    party, other = await signer(idp, request_uris=[request_uri]), await signer(idp)
    site.serve("/registered", party.request_object(), "application/oauth-authz-req+jwt")
    async with idp.browser() as browser:
        for asked in (f"{request_uri}?x=1", f"{request_uri}/", f"{request_uri}#x", site.url("/other")):
            response = await browser.get("/idp/authorize", params=party.request(request_uri=asked))
            assert answer_of(response)["error"] == "invalid_request_uri"
        response = await browser.get("/idp/authorize", params=other.request(request_uri=request_uri))
        assert answer_of(response)["error"] == "invalid_request_uri"
    assert site.requests.empty()


async def test_o_24_what_stands_at_a_request_uri_is_signed_or_refused(idp: Provider, site: Site) -> None:
    request_uri = site.url("/unsigned")
    party = await signer(idp, request_uris=[request_uri, site.url("/gone"), site.url("/moved")])
    site.serve("/unsigned", "<html>not a request object</html>", "text/html")
    site.refuse("/moved", 302, Location=request_uri)
    async with idp.browser() as browser:
        for asked, error in (
            (request_uri, "invalid_request_object"),
            (site.url("/gone"), "invalid_request_uri"),
            (site.url("/moved"), "invalid_request_uri"),
        ):
            response = await browser.get("/idp/authorize", params=party.request(request_uri=asked))
            assert answer_of(response)["error"] == error


async def test_client_that_pushes_is_never_fetched_from(idp: Provider, site: Site) -> None:
    request_uri = site.url("/never")
    party = await idp.fapi("fapi2", request_uris=[request_uri])
    before = site.requests.qsize()
    async with idp.browser() as browser:
        response = await browser.get("/idp/authorize", params=party.request(request_uri=request_uri))
    assert answer_of(response)["error"] == "invalid_request"
    assert site.requests.qsize() == before


async def test_keys_of_a_request_object_come_from_jwks_uri(idp: Provider, site: Site) -> None:
    key = SigningKey.generate("ES256")
    jwks_uri = site.serve("/jwks", json.dumps({"keys": [key.public_jwk]}))
    party = await idp.client(jwks_uri=jwks_uri)
    browser = await idp.signed_in(await idp.citizen())
    parameters = {"client_id": party.client_id, "request": party.request_object(key=key)}
    assert "code" in answer_of(await idp.allowed_of(browser, parameters))


async def test_discovery_says_what_request_objects_may_be(idp: Provider) -> None:
    described = (await idp.http.get("/idp/.well-known/openid-configuration")).json()
    assert described["request_parameter_supported"] is True
    assert described["request_uri_parameter_supported"] is True
    assert described["require_request_uri_registration"] is True
    assert set(described["request_object_signing_alg_values_supported"]) == {"ES256", "RS256", "PS256", "EdDSA"}
