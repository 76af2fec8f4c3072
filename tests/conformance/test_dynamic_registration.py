"""OpenID Connect Dynamic Client Registration 1.0, RFC 7591 and RFC 7592: what the dynamic certification plan asks,
module by module, and what the texts demand beside."""

import asyncio
import base64
import itertools
import json
import secrets
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import jwt
import pytest

from idp.clients.schema import ClientMetadata
from idp.registration.invite import invite, withdraw
from idp.registration.sector import sector_of
from kit.jose import ASYMMETRIC, SigningKey
from tests.conftest import Dsns
from tests.provider import ISSUER, Provider, RelyingParty, running_provider, signing_keys
from tests.sites import Site

pytestmark = pytest.mark.asyncio(loop_scope="module")

CALLBACK = "https://rp.test/callback"
_numbers = itertools.count()


async def token(idp: Provider, **changed: Any) -> str:
    """An initial access token."""
    settings: dict[str, Any] = {
        "profile": "basic",
        "sector": None,
        "scopes": ["openid", "profile", "email", "phone", "address", "offline_access"],
        "acr": "substantial",
        "uses": 1_000,
        "lifetime_s": 3_600,
        **changed,
    }
    wiring = idp.wiring
    invited = await invite(wiring.db, wiring.audit, officer="test", **settings)
    return str(invited["initial_access_token"])


async def asked(idp: Provider, initial_access_token: str | None = None, **members: Any) -> httpx.Response:
    request = {"redirect_uris": [CALLBACK], "client_name": "A dynamic client", **members}
    return await idp.http.post(
        "/idp/register",
        json={name: value for name, value in request.items() if value is not ...},
        headers=bearer(initial_access_token or await token(idp)),
    )


async def registered(idp: Provider, initial_access_token: str | None = None, **members: Any) -> dict[str, Any]:
    response = await asked(idp, initial_access_token, **members)
    assert response.status_code == 201, response.text
    found: dict[str, Any] = response.json()
    return found


def bearer(value: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {value}"}


def basic(client: dict[str, Any]) -> dict[str, str]:
    credentials = f"{client['client_id']}:{client['client_secret']}".encode()
    return {"Authorization": f"Basic {base64.b64encode(credentials).decode()}"}


def managed(client: dict[str, Any]) -> tuple[str, dict[str, str]]:
    return client["registration_client_uri"].removeprefix("https://id.test"), bearer(
        client["registration_access_token"]
    )


async def signed_in(idp: Provider, client: dict[str, Any], *, citizen: Any = None, **headers: str) -> dict[str, Any]:
    """The tokens of a whole sign-in with client_secret_basic."""
    party = RelyingParty(client["client_id"], redirect_uri=client["redirect_uris"][0])
    browser = await idp.signed_in(citizen or await idp.citizen())
    code = await idp.code(browser, party)
    body = {name: value for name, value in party.exchange(code).items() if name != "client_id"}
    response = await idp.http.post("/idp/token", data=body, headers=headers or basic(client))
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


async def error_of(response: httpx.Response) -> str:
    assert response.status_code == 400, response.text
    assert response.headers["cache-control"] == "no-store"
    return str(response.json()["error"])


async def test_discovery_names_the_registration_endpoint(idp: Provider) -> None:
    metadata = (await idp.http.get("/idp/.well-known/openid-configuration")).json()
    assert metadata["registration_endpoint"] == f"{ISSUER}/register"


async def test_registration_with_the_standards_defaults_and_a_whole_sign_in(idp: Provider) -> None:
    """Registration §2: client_secret_basic, RS256, code, web."""
    response = await asked(idp, client_name=..., extension_of_somebody=[1, {"x": None}], **{"client_name#ja": "名"})
    assert response.status_code == 201
    assert response.headers["cache-control"] == "no-store"
    client = response.json()
    expected = {
        "redirect_uris": [CALLBACK],
        "client_name": "rp.test",
        "token_endpoint_auth_method": "client_secret_basic",
        "id_token_signed_response_alg": "RS256",
        "grant_types": ["authorization_code"],
        "response_types": ["code"],
        "application_type": "web",
        "subject_type": "pairwise",
        "client_secret_expires_at": 0,
        "registration_client_uri": f"{ISSUER}/register/{client['client_id']}",
    }
    assert {name: client.get(name) for name in expected} == expected
    assert "extension_of_somebody" not in client
    assert len(client["client_secret"]) >= 43
    assert client["client_id_issued_at"] > 1_700_000_000
    tokens = await signed_in(idp, client)
    assert jwt.get_unverified_header(tokens["id_token"])["alg"] == "RS256"


async def test_registration_needs_an_initial_access_token(idp: Provider) -> None:
    for headers in ({}, bearer("wrong"), {"Authorization": "Basic eDp5"}):
        response = await idp.http.post("/idp/register", json={"redirect_uris": [CALLBACK]}, headers=headers)
        assert response.status_code == 401
        assert response.headers["www-authenticate"].startswith("Bearer")


async def test_an_initial_access_token_is_spent_as_often_as_it_says_under_race(idp: Provider) -> None:
    initial = await token(idp, uses=2)
    # A refused request spends nothing.
    assert (await asked(idp, initial, redirect_uris=["http://rp.test/"])).status_code == 400
    answers = await asyncio.gather(*(asked(idp, initial) for _ in range(6)))
    assert sorted(answer.status_code for answer in answers) == [201, 201, 401, 401, 401, 401]
    revoked = await invite(
        idp.wiring.db,
        idp.wiring.audit,
        profile="basic",
        sector=None,
        scopes=["openid"],
        acr="substantial",
        uses=1,
        lifetime_s=60,
        officer="test",
    )
    await withdraw(idp.wiring.db, idp.wiring.audit, UUID(revoked["invitation_id"]), officer="test")
    assert (await asked(idp, revoked["initial_access_token"])).status_code == 401
    expired = await token(idp)
    await idp.owner("UPDATE idp.client_invitation SET expires_at = now() - interval '1 second' WHERE uses_left = 1000")
    assert (await asked(idp, expired)).status_code == 401


async def test_the_scopes_are_those_of_the_invitation(idp: Provider) -> None:
    initial = await token(idp, scopes=["openid", "profile"])
    assert (await registered(idp, initial))["scope"] == "openid profile"
    assert (await registered(idp, initial, scope="openid email uid subjects:resolve"))["scope"] == "openid"
    assert await error_of(await asked(idp, initial, scope="email")) == "invalid_client_metadata"


async def test_what_only_an_operator_decides_is_not_taken(idp: Provider) -> None:
    client = await registered(
        idp,
        profile="machine",
        sector="test",
        legal_ground="because",
        resource="https://locker.test",
        authorization_details_types=["locker_document"],
        client_id="locker",
        client_secret="chosen",
        subject_type="public",
        state="active",
    )
    row = (await idp.owner("SELECT * FROM idp.client WHERE client_id = $1", client["client_id"]))[0]
    assert (row["profile"], row["sector"], row["legal_ground"]) == ("basic", "host:rp.test", None)
    assert "resource" not in client
    assert "authorization_details_types" not in client
    assert client["client_id"] != "locker"
    assert client["client_secret"] != "chosen"
    assert client["subject_type"] == "pairwise"
    refused = await asked(idp, default_acr_values=["low"])
    assert await error_of(refused) == "invalid_client_metadata"


async def test_registration_jwks_by_value(idp: Provider) -> None:
    key = SigningKey.generate("ES256")
    client = await registered(idp, token_endpoint_auth_method="private_key_jwt", jwks={"keys": [key.public_jwk]})
    assert "client_secret" not in client
    party = RelyingParty(client["client_id"], key=key)
    browser = await idp.signed_in(await idp.citizen())
    assert (await idp.tokens(browser, party))["id_token"]


async def test_registration_jwks_uri(idp: Provider, site: Site) -> None:
    key = SigningKey.generate("RS256")
    uri = site.serve(f"/jwks/{next(_numbers)}", json.dumps({"keys": [key.public_jwk]}))
    client = await registered(idp, token_endpoint_auth_method="private_key_jwt", jwks_uri=uri)
    assert client["jwks_uri"] == uri
    party = RelyingParty(client["client_id"], key=key)
    browser = await idp.signed_in(await idp.citizen())
    assert (await idp.tokens(browser, party))["id_token"]


async def test_registration_logo_policy_and_tos_uri(idp: Provider, site: Site) -> None:
    png = b"\x89PNG\r\n\x1a\n" + secrets.token_bytes(64)
    client = await registered(
        idp,
        logo_uri=site.serve("/logo.png", png, "image/png"),
        policy_uri="https://rp.test/policy",
        tos_uri="https://rp.test/tos",
    )
    party = RelyingParty(client["client_id"])
    async with idp.browser() as browser:
        first = await browser.get("/idp/authorize", params=party.request())
        page = await browser.get(first.headers["location"])
        assert f'src="/idp/logos/{client["client_id"]}"' in page.text
        assert 'href="https://rp.test/policy"' in page.text
        assert 'href="https://rp.test/tos"' in page.text
        assert (await browser.get(f"/idp/logos/{client['client_id']}")).content == png


async def test_registration_sector_uri(idp: Provider, site: Site) -> None:
    """Several hosts, one sub (OpenID Connect Core §8.1)."""
    both = ["https://one.test/cb", "https://two.test/cb"]
    uri = site.serve("/sector.json", json.dumps(both))
    one = await registered(idp, redirect_uris=both, sector_identifier_uri=uri)
    two = await registered(idp, redirect_uris=[both[1]], sector_identifier_uri=uri)
    other = await registered(idp)
    citizen = await idp.citizen()
    subs = [_sub(await signed_in(idp, client, citizen=citizen)) for client in (one, two, other)]
    assert subs[0] == subs[1] != subs[2]


async def test_ensure_redirect_uri_in_authorization_request(idp: Provider) -> None:
    """Several hosts that nothing holds together: the client is a sector of its own, and says where each answer goes."""
    client = await registered(idp, redirect_uris=[CALLBACK, "https://example.org/redirect"])
    alone = await registered(idp, redirect_uris=[CALLBACK])
    citizen = await idp.citizen()
    assert _sub(await signed_in(idp, client, citizen=citizen)) != _sub(await signed_in(idp, alone, citizen=citizen))
    request = RelyingParty(client["client_id"]).request()
    del request["redirect_uri"]
    async with idp.browser() as browser:
        answer = await browser.get("/idp/authorize", params=request)
    assert answer.status_code == 400
    assert "error: invalid_request" in answer.text


async def test_registration_sector_bad(idp: Provider, site: Site) -> None:
    uri = site.serve("/bad-sector.json", json.dumps(["https://other.test/cb"]))
    assert await error_of(await asked(idp, sector_identifier_uri=uri)) == "invalid_client_metadata"


@pytest.mark.parametrize(
    "uri", [f"{CALLBACK}#fragment", "http://rp.test/callback", "javascript:alert(1)", "", "/callback", "com.app:/cb"]
)
async def test_a_redirect_uri_that_cannot_be(idp: Provider, uri: str) -> None:
    """oidcc-redirect-uri-regfrag, and http for a web client."""
    assert await error_of(await asked(idp, redirect_uris=[uri])) == "invalid_redirect_uri"


@pytest.mark.parametrize(
    "members",
    [
        {"redirect_uris": "https://rp.test/callback"},
        {"redirect_uris": [1]},
        {"response_types": ["token"]},
        {"response_types": ["code id_token"]},
        {"grant_types": ["implicit"]},
        {"id_token_signed_response_alg": "none"},
        {"token_endpoint_auth_method": "client_secret_jwt"},
        {"token_endpoint_auth_method": "none"},
        {"jwks": {"keys": []}, "jwks_uri": "https://rp.test/jwks"},
        {"jwks": "keys"},
        {"logo_uri": "javascript:alert(1)"},
        {"policy_uri": "http://rp.test/policy"},
        {"scope": ["openid"]},
        {"default_max_age": "x<script>"},
        {"contacts": {}},
    ],
    ids=str,
)
async def test_metadata_that_cannot_be(idp: Provider, members: dict[str, Any]) -> None:
    response = await asked(idp, **members)
    assert await error_of(response) == "invalid_client_metadata"
    assert "<script>" not in response.text


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"{", b"\xff", b"[" * 60_000])
async def test_a_body_that_is_no_object(idp: Provider, body: bytes) -> None:
    response = await idp.http.post(
        "/idp/register",
        content=body,
        headers={**bearer(await token(idp)), "Content-Type": "application/json"},
    )
    assert await error_of(response) == "invalid_client_metadata"


async def test_userinfo_and_id_token_algorithms_are_in_force(idp: Provider) -> None:
    client = await registered(idp, id_token_signed_response_alg="ES256")
    tokens = await signed_in(idp, client)
    assert jwt.get_unverified_header(tokens["id_token"])["alg"] == "ES256"


async def test_management_read(idp: Provider) -> None:
    """RFC 7592 §2.1"""
    client = await registered(idp)
    path, headers = managed(client)
    response = await idp.http.get(path, headers=headers)
    assert response.status_code == 200
    assert response.headers["cache-control"] == "no-store"
    for name in ("client_id", "registration_access_token", "registration_client_uri", "redirect_uris", "scope"):
        assert response.json()[name] == client[name]
    for wrong in ({}, bearer("wrong"), bearer((await registered(idp))["registration_access_token"])):
        assert (await idp.http.get(path, headers=wrong)).status_code == 401
    assert (await idp.http.get("/idp/register/nobody", headers=headers)).status_code == 401
    assert (await idp.http.get(f"/idp/register/{'x' * 5_000}", headers=headers)).status_code == 401


async def test_management_replace_is_whole_and_turns_the_token(idp: Provider) -> None:
    """RFC 7592 §2.2"""
    client = await registered(idp, client_uri="https://rp.test/", contacts=["a@rp.test"])
    path, headers = managed(client)
    wanted = {"client_id": client["client_id"], "redirect_uris": ["https://rp.test/other"], "client_name": "New"}
    response = await idp.http.put(path, json={**wanted, "client_secret": client["client_secret"]}, headers=headers)
    assert response.status_code == 200, response.text
    after = response.json()
    assert (after["redirect_uris"], after["client_name"]) == (["https://rp.test/other"], "New")
    assert "contacts" not in after
    assert "client_uri" not in after
    assert "client_secret" not in after
    assert after["registration_access_token"] != client["registration_access_token"]
    assert (await idp.http.get(path, headers=headers)).status_code == 401
    assert (await idp.http.get(path, headers=managed(after)[1])).status_code == 200
    after["client_secret"] = client["client_secret"]
    await signed_in(idp, after)


@pytest.mark.parametrize(
    "changed",
    [
        {"client_id": "another"},
        {"client_id": ...},
        {"client_secret": "another"},
        {"registration_access_token": "x"},
        {"registration_client_uri": "x"},
        {"client_secret_expires_at": 0},
        {"client_id_issued_at": 1},
        {"redirect_uris": []},
        {"redirect_uris": ["https://elsewhere.test/callback"]},
        {"redirect_uris": ["http://rp.test/callback"]},
        {"grant_types": ["implicit"]},
    ],
    ids=str,
)
async def test_management_replace_refuses_what_may_not_be(idp: Provider, changed: dict[str, Any]) -> None:
    client = await registered(idp)
    path, headers = managed(client)
    wanted = {"client_id": client["client_id"], "redirect_uris": [CALLBACK], **changed}
    body = {name: value for name, value in wanted.items() if value is not ...}
    await error_of(await idp.http.put(path, json=body, headers=headers))
    assert (await idp.http.get(path, headers=headers)).json()["redirect_uris"] == [CALLBACK]


async def test_management_replace_by_two_at_once_is_done_by_one(idp: Provider) -> None:
    client = await registered(idp)
    path, headers = managed(client)
    body = {"client_id": client["client_id"], "redirect_uris": [CALLBACK]}
    answers = await asyncio.gather(*(idp.http.put(path, json=body, headers=headers) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 401, 401, 401]


async def test_another_way_to_authenticate_makes_and_takes_the_secret(idp: Provider) -> None:
    key = SigningKey.generate("ES256")
    client = await registered(idp)
    path, headers = managed(client)
    body = {"client_id": client["client_id"], "redirect_uris": [CALLBACK], "jwks": {"keys": [key.public_jwk]}}
    to_key = await idp.http.put(path, json={**body, "token_endpoint_auth_method": "private_key_jwt"}, headers=headers)
    row = (await idp.owner("SELECT secret_sha256 FROM idp.client WHERE client_id = $1", client["client_id"]))[0]
    assert (to_key.status_code, row["secret_sha256"]) == (200, None)
    back = await idp.http.put(path, json=body, headers=managed(to_key.json())[1])
    assert back.json()["client_secret"] != client["client_secret"]
    await signed_in(idp, back.json())


async def test_management_delete_ends_everything(idp: Provider) -> None:
    """RFC 7592 §2.3"""
    client = await registered(idp, grant_types=["authorization_code", "refresh_token"])
    citizen = await idp.citizen()
    tokens = await signed_in(idp, client, citizen=citizen)
    path, headers = managed(client)
    assert (await idp.http.delete(path, headers=bearer("wrong"))).status_code == 401
    response = await idp.http.delete(path, headers=headers)
    assert (response.status_code, response.content) == (204, b"")
    assert (await idp.http.get(path, headers=headers)).status_code == 401
    assert (await idp.http.delete(path, headers=headers)).status_code == 401
    assert (await idp.userinfo(tokens["access_token"])).status_code == 401
    refreshed = await idp.http.post(
        "/idp/token",
        data={"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]},
        headers=basic(client),
    )
    assert refreshed.status_code == 401
    browser = await idp.signed_in(citizen)
    page = await browser.get("/idp/authorize", params=RelyingParty(client["client_id"]).request())
    assert (page.status_code, "location" in page.headers) == (400, False)
    live = await idp.owner("SELECT 1 FROM idp.consent WHERE client_id = $1 AND ended_at IS NULL", client["client_id"])
    assert live == []


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/idp/register"), ("PUT", "/idp/register"), ("POST", "/idp/register/x")]
)
async def test_other_methods_are_not_there(idp: Provider, method: str, path: str) -> None:
    assert (await idp.http.request(method, path)).status_code == 405


async def test_too_many_registrations_from_one_address(dsns: Dsns) -> None:
    async with running_provider(dsns.idp, dsns.owner, registrations_per_minute_of_address=3) as idp:
        answers = [await asked(idp, "wrong") for _ in range(8)]
    assert [answer.status_code for answer in answers][:3] == [401] * 3
    assert answers[-1].status_code == 429
    assert int(answers[-1].headers["retry-after"]) > 0


async def test_attack_a_registered_client_joins_no_sector_of_an_operator(idp: Provider) -> None:
    """Whatever host it names: an operator's sector has no colon, and this one always does."""
    named = await idp.client(sector="rp.test")
    dynamic = await registered(idp)
    citizen = await idp.citizen()
    theirs = await idp.tokens(await idp.signed_in(citizen), named)
    assert _sub(theirs) != _sub(await signed_in(idp, dynamic, citizen=citizen))


@pytest.mark.parametrize(
    "changed",
    [
        {"redirect_uris": [CALLBACK, "com.evil.app:/cb"]},
        {"redirect_uris": [CALLBACK, "http://127.0.0.1:8765/cb"]},
        {"redirect_uris": ["http://127.0.0.1:8765/cb"]},
        {"redirect_uris": ["com.evil.app:/cb"]},
    ],
    ids=str,
)
async def test_attack_a_client_whose_answers_arrive_elsewhere_is_a_sector_of_its_own(
    idp: Provider, changed: dict[str, Any]
) -> None:
    """Else a native application that also names the victim's host would learn the victim's identifiers."""
    initial = await token(idp, profile="wallet")
    client = await registered(idp, initial, token_endpoint_auth_method="none", **changed)
    assert await _sector(idp, client) == f"client:{client['client_id']}"


async def test_attack_a_victims_sector_document_does_not_help_where_no_redirect_is_needed() -> None:
    """A device or CIBA grant proves no redirect_uri, so the victim's document vouches for nothing."""
    for grant in ("urn:ietf:params:oauth:grant-type:device_code", "urn:openid:params:grant-type:ciba"):
        metadata = ClientMetadata(
            client_name="evil",
            redirect_uris=(CALLBACK,),
            sector_identifier_uri="https://rp.test/sector.json",
            grant_types=("authorization_code", grant),  # type: ignore[arg-type]
        )
        assert sector_of(metadata, "c-1") == "client:c-1"


async def test_an_invitation_may_name_the_sector(idp: Provider) -> None:
    client = await registered(idp, await token(idp, sector="health"))
    assert await _sector(idp, client) == "health"


async def _sector(idp: Provider, client: dict[str, Any]) -> str:
    rows = await idp.owner("SELECT sector FROM idp.client WHERE client_id = $1", client["client_id"])
    return str(rows[0]["sector"])


def _sub(tokens: dict[str, Any]) -> str:
    claims = jwt.decode(tokens["id_token"], options={"verify_signature": False}, algorithms=list(ASYMMETRIC))
    return str(claims["sub"])


async def test_an_algorithm_for_which_there_is_no_key_is_refused_at_registration_and_later(
    idp: Provider, dsns: Dsns, tmp_path: Path
) -> None:
    for name, pem in signing_keys().items():
        if name.startswith(("ES256-", "RS256-")):
            (tmp_path / name).write_bytes(pem)
    async with running_provider(dsns.idp, dsns.owner, keys_folder=tmp_path) as poor:
        for kind in ("id_token", "userinfo", "introspection", "authorization"):
            refused = await asked(poor, **{f"{kind}_signed_response_alg": "PS256"})
            assert (refused.status_code, refused.json()["error"]) == (400, "invalid_client_metadata")
        client = await registered(poor, id_token_signed_response_alg="ES256")
        where, authorization = managed(client)
        members = {
            "client_id": client["client_id"],
            "redirect_uris": [CALLBACK],
            "id_token_signed_response_alg": "EdDSA",
        }
        refused = await poor.http.put(where, json=members, headers=authorization)
        assert (refused.status_code, refused.json()["error"]) == (400, "invalid_client_metadata")
    assert (await registered(idp, id_token_signed_response_alg="PS256"))["id_token_signed_response_alg"] == "PS256"
