"""D-07: two equal members in one JSON object are refused wherever JSON is read; nobody gets to choose which counts."""

import base64
import json
import secrets
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from idp.officers.add import add
from idp.officers.authenticate import sign
from idp.registration.invite import invite
from kit.jose import SigningKey
from tests.citizen_browser import CitizenWorld, open_citizen_world
from tests.provider import CALLBACK, ISSUER, Provider, RelyingParty, answer_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

SAID = "a member stands there twice"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(dsns: Any, s3: Any, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[CitizenWorld]:
    async with open_citizen_world(dsns, s3, tmp_path_factory.mktemp("locker")) as opened:
        yield opened


def twice(members: dict[str, Any]) -> bytes:
    """The first member once more, at the end."""
    name, value = next(iter(members.items()))
    return json.dumps(members)[:-1].encode() + f", {json.dumps(name)}: {json.dumps(value)}}}".encode()


async def test_d_07_no_body_of_the_lockers_says_a_thing_twice(place: CitizenWorld) -> None:
    document_id = await place.document()
    _share_id, path = await place.share(document_id, pin="482913")
    administration = place.world.machine(scope="webhooks:manage")
    share = {"documents": [document_id], "recipient": "R", "purpose": "P"}
    for there, headers, members in (
        ("/v1/shares", place.share_headers(), share),
        (path, {}, {"pin": "482913"}),
        ("/code", {}, {"code": "1" * 12}),
        ("/v1/webhooks", administration, {"url": "https://hooks.example/a", "events": ["share.opened"]}),
        ("/v1/receipts/proof", {}, {"receipt": "a.b.c"}),
    ):
        headers = {**headers, "Content-Type": "application/json"}
        answer = await place.world.locker.post(there, headers=headers, content=twice(members))
        assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json"), there
        assert (answer.json()["code"], answer.json()["detail"]) == ("member-twice", SAID), there
        once = await place.world.locker.post(there, headers=headers, json=members)
        assert once.json().get("code") != "member-twice", there
    seen = await place.world.rows("SELECT count(*) AS n FROM locker.audit WHERE action = 'share.opened'")
    assert seen[0]["n"] <= 1


def compact(key: SigningKey, header: dict[str, Any], claims: dict[str, Any], *, where: str) -> str:
    parts = [twice(part) if name == where else json.dumps(part).encode() for name, part in
             (("header", header), ("claims", claims))]  # fmt: skip
    signed = b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in parts)
    return (signed + b"." + base64.urlsafe_b64encode(key.signature(signed)).rstrip(b"=")).decode()


@pytest.mark.parametrize(("where", "status"), [("none", 200), ("header", 401), ("claims", 401)])
async def test_d_07_a_client_assertion_says_each_thing_once(idp: Provider, where: str, status: int) -> None:
    party = await machine(idp)
    assert party.key is not None
    now = int(time.time())
    claims = {"sub": party.client_id, "iss": party.client_id, "aud": ISSUER, "jti": secrets.token_hex(8),
              "iat": now, "exp": now + 60}  # fmt: skip
    assertion = compact(party.key, {"alg": "ES256", "kid": party.key.kid}, claims, where=where)
    form = {**party.authentication(), "client_assertion": assertion, "grant_type": "client_credentials"}
    answer = await idp.token(party, form)
    assert answer.status_code == status, answer.text


async def test_d_07_no_body_of_the_providers_says_a_thing_twice(idp: Provider) -> None:
    party = await machine(idp)
    answer = await idp.token(party, {"grant_type": "client_credentials", **party.authentication()})
    for path, members in (
        ("/idp/subjects/resolve", {"uid": "0" * 10}),
        ("/idp/subjects/resolve-several", {"subjects": [{"uid": "0" * 10}]}),
    ):
        answered = await idp.http.post(
            path,
            content=twice(members),
            headers={"Content-Type": "application/json"},
            auth=party.holder(answer.json()["access_token"]),
        )
        assert (answered.status_code, answered.json()["code"]) == (400, "member-twice"), path
    invited = await invite(
        idp.wiring.db,
        idp.wiring.audit,
        officer="test",
        profile="basic",
        sector=None,
        scopes=["openid"],
        acr="substantial",
        uses=10,
        lifetime_s=3_600,
    )
    registered = await idp.http.post(
        "/idp/register",
        content=twice({"redirect_uris": [CALLBACK], "client_name": "A"}),
        headers={"Authorization": f"Bearer {invited['initial_access_token']}", "Content-Type": "application/json"},
    )
    assert registered.status_code == 400
    assert registered.json() == {"error": "invalid_client_metadata", "error_description": SAID}


async def test_d_07_what_an_officer_signs_says_each_thing_once(idp: Provider) -> None:
    key = SigningKey.generate("ES256")
    await add(idp.wiring.db, idp.wiring.audit, "twice", public_jwk=key.public_jwk, abilities=("citizens",), by="test")
    path, body = "/admin/citizens/look-up", twice({"uid": "0" * 10, "reason": "a reason that is long enough"})
    header = sign(key, officer_id="twice", issuer=ISSUER, method="POST", path=path, body=body)
    answer = await idp.http.post(f"/idp{path}", content=body, headers={"Authorization": header})
    assert (answer.status_code, answer.json()["code"]) == (400, "member-twice")


async def test_d_07_what_is_asked_for_in_json_is_asked_once(idp: Provider) -> None:
    party = await idp.client(authorization_details_types=["locker_document"])
    await idp.purpose(party, "open", {"RESIDENCE": ["commune"], "DIPLOMA": None})
    narrow = json.dumps({"type": "locker_document", "document_types": ["RESIDENCE"], "purpose": "open", "once": True})
    details = f'[{narrow[:-1]}, "document_types": ["DIPLOMA"]}}]'
    claims = '{"id_token": {}, "userinfo": {}, "id_token": {"acr": {"essential": true}}}'
    for name, value, error, description in (
        ("authorization_details", details, "invalid_authorization_details", SAID),
        ("claims", claims, "invalid_request", f"claims: {SAID}"),
    ):
        request = party.request(**{name: value})
        pushed = await idp.push(party, **request)
        assert (pushed.status_code, pushed.json()["error"]) == (400, error), name
        assert pushed.json()["error_description"] == description
        async with idp.browser() as browser:
            answer = answer_of(await browser.get("/idp/authorize", params=request))
        assert (answer["error"], answer["error_description"]) == (error, description)


async def machine(idp: Provider) -> RelyingParty:
    return await idp.client(
        profile="machine",
        token_endpoint_auth_method="private_key_jwt",
        redirect_uris=[],
        grant_types=["client_credentials"],
        sector="land",
        legal_ground="Law 00-00, article 7",
        scope="subjects:resolve",
    )
