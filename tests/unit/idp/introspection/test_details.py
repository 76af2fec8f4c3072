"""What a resource server is told of a citizen's grant (RFC 7662, RFC 9396 §9.2), and of which it hears nothing."""

import datetime as dt
import json
import secrets
from typing import Any

import pytest

from idp.clients.register_resource import register_resource
from idp.subjects.pairwise import pairwise_sub
from kit.jose import unverified_claims
from tests.provider import ISSUER, RESOURCE, Provider, RelyingParty

pytestmark = pytest.mark.asyncio(loop_scope="module")

DETAIL: dict[str, Any] = {
    "type": "locker_document",
    "document_types": ["BIRTHEXTRACT"],
    "purpose": "account",
    "until": (dt.datetime.now(dt.UTC).date() + dt.timedelta(days=30)).isoformat(),
}
DETAILS = json.dumps([DETAIL])


async def server(idp: Provider, *details_types: str, scope: str | None = None) -> tuple[str, RelyingParty]:
    """A resource server of its own sector, and the client by which it introspects."""
    name = secrets.token_hex(8)
    resource = f"https://{name}.test"
    await register_resource(
        idp.wiring.db,
        idp.wiring.audit,
        resource,
        name="Server",
        scopes=[scope or f"{name}:read"],
        sector=name,
        details_types=details_types,
        officer="test",
    )
    idp.wiring.scopes.forget()
    client = await idp.client(
        profile="machine",
        token_endpoint_auth_method="private_key_jwt",
        redirect_uris=[],
        grant_types=["client_credentials"],
        sector=name,
        resource=resource,
        scope="documents:read",
    )
    return resource, client


async def bank(idp: Provider, **metadata: Any) -> RelyingParty:
    party = await idp.client(authorization_details_types=["locker_document"], **metadata)
    await idp.purpose(party, "account", {"BIRTHEXTRACT": None})
    return party


async def told(idp: Provider, asking: RelyingParty, token: str, hint: str | None = None) -> dict[str, Any]:
    form = {"token": token, **({"token_type_hint": hint} if hint else {}), **asking.authentication()}
    answer = await idp.http.post("/idp/introspect", data=form)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def granted(idp: Provider, resource: str, party: RelyingParty, citizen: Any = None) -> dict[str, Any]:
    browser = await idp.signed_in(citizen or await idp.citizen())
    code = await idp.code(browser, party, authorization_details=DETAILS)
    answer = await idp.exchange(party, code, resource=resource)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_a_server_that_consumes_them_hears_of_details_the_grant_and_its_own_sub(idp: Provider) -> None:
    resource, asking = await server(idp, "locker_document")
    party, citizen = await bank(idp), await idp.citizen()
    tokens = await granted(idp, resource, party, citizen)
    own, theirs = (
        pairwise_sub(idp.wiring.secrets, sector=sector, citizen_id=citizen)
        for sector in (asking_sector(resource), "test")
    )
    claims = unverified_claims(tokens["access_token"])
    # Who holds the token learns no identifier that another service's token would have, too.
    assert (claims["aud"], claims["scope"], claims["sub"]) == (resource, "", theirs)
    found = await told(idp, asking, tokens["access_token"])
    assert (found["active"], found["sub"], found["authorization_details"]) == (True, own, [DETAIL])
    mine = await told(idp, party, tokens["access_token"])
    assert (mine["sub"], "grant_id" in mine, "authorization_id" in mine) == (theirs, False, False)
    # The way from that sub back to the citizen is known, as for every sub that is given.
    assert await idp.owner("SELECT FROM idp.subject WHERE sub = $1 AND citizen_id = $2", own, citizen)


def asking_sector(resource: str) -> str:
    return resource.removeprefix("https://").removesuffix(".test")


async def test_a_grant_has_one_name_at_each_server_and_another_elsewhere(idp: Provider) -> None:
    resource, asking = await server(idp, "locker_document")
    other_resource, other = await server(idp, "locker_document")
    party, citizen = await bank(idp), await idp.citizen()
    found = [
        await told(idp, who, (await granted(idp, where, party, citizen))["access_token"])
        for where, who in ((resource, asking), (resource, asking), (other_resource, other))
    ]
    first, again, elsewhere = found
    assert first["grant_id"] == again["grant_id"] != elsewhere["grant_id"]
    assert first["authorization_id"] != again["authorization_id"]
    assert len({found["grant_id"] for found in found} | {found["authorization_id"] for found in found}) == 5
    somebody = await told(idp, asking, (await granted(idp, resource, party))["access_token"])
    assert somebody["grant_id"] != first["grant_id"]


ENDINGS = {
    "ended": "UPDATE idp.consent SET ended_at = now() WHERE client_id = $1",
    "client": "UPDATE idp.client SET state = 'disabled', revision = revision + 1 WHERE client_id = $1",
    "frozen service": "INSERT INTO idp.frozen (citizen_id, kind, name)"
    " SELECT citizen_id, 'service', client_id FROM idp.consent WHERE client_id = $1",
    **{
        state: f"UPDATE idp.citizen z SET state = '{state}' FROM idp.consent g"
        " WHERE g.citizen_id = z.citizen_id AND g.client_id = $1"
        for state in ("frozen", "suspended", "deceased", "erased")
    },
}


@pytest.mark.parametrize("ending", ENDINGS)
async def test_a_grant_is_asked_for_by_its_name_and_stands_until_it_ends(idp: Provider, ending: str) -> None:
    resource, asking = await server(idp, "locker_document")
    party = await bank(idp)
    tokens = await granted(idp, resource, party)
    grant_id = (await told(idp, asking, tokens["access_token"]))["grant_id"]
    # It outlives the session and the tokens of that sign-in.
    await idp.owner("UPDATE idp.token_family SET ended_at = now() WHERE client_id = $1", party.client_id)
    assert await told(idp, asking, grant_id, "grant_id") == {"active": True, "grant_id": grant_id}
    await idp.owner(ENDINGS[ending], party.client_id)
    assert await told(idp, asking, grant_id, "grant_id") == {"active": False}


async def test_nobody_else_learns_of_a_grant_nor_makes_one_up(idp: Provider) -> None:
    resource, asking = await server(idp, "locker_document")
    _, other = await server(idp, "locker_document")
    party = await bank(idp, sector=asking_sector(resource))
    found = await told(idp, asking, (await granted(idp, resource, party))["access_token"])
    grant_id = found["grant_id"]
    for who, name, hint in (
        (other, grant_id, "grant_id"),
        # Of the same sector, and no resource server.
        (party, grant_id, "grant_id"),
        (asking, found["authorization_id"], "grant_id"),
        (asking, grant_id[:-2] + ("AA" if grant_id[-2:] != "AA" else "BA"), "grant_id"),
        (asking, secrets.token_urlsafe(32), "grant_id"),
        (asking, "é" * 43, "grant_id"),
        (asking, " " * 43, "grant_id"),
        (asking, "x" * 10_000, "grant_id"),
        (asking, grant_id, None),
    ):
        assert await told(idp, who, name, hint) == {"active": False}


async def test_a_server_that_consumes_none_hears_of_none_and_gets_no_token_for_them(idp: Provider) -> None:
    party = await bank(idp, scope="openid documents:read")
    server_of_resource = await idp.client(
        profile="machine",
        token_endpoint_auth_method="private_key_jwt",
        redirect_uris=[],
        grant_types=["client_credentials"],
        resource=RESOURCE,
        scope="documents:read",
    )
    browser = await idp.signed_in(await idp.citizen())
    code = await idp.code(browser, party, scope="openid", authorization_details=DETAILS)
    assert (await idp.exchange(party, code, resource=RESOURCE)).json()["error"] == "invalid_target"
    code = await idp.code(browser, party, scope="openid documents:read", authorization_details=DETAILS)
    tokens = (await idp.exchange(party, code, resource=RESOURCE)).json()
    # What was given is said to the client (RFC 9396 §7); the token has what its reader consumes.
    assert tokens["authorization_details"] == [DETAIL]
    assert "authorization_details" not in unverified_claims(tokens["access_token"])
    found = await told(idp, server_of_resource, tokens["access_token"])
    assert found["active"] is True
    assert not {"authorization_details", "grant_id", "authorization_id"} & found.keys()


async def test_a_refreshed_token_goes_there_too_and_says_what_still_holds(idp: Provider) -> None:
    resource, asking = await server(idp, "locker_document")
    party = await bank(idp)
    browser = await idp.signed_in(await idp.citizen())
    once = {**{name: value for name, value in DETAIL.items() if name != "until"}, "once": True}
    code = await idp.code(browser, party, authorization_details=json.dumps([once]))
    tokens = (await idp.exchange(party, code, resource=resource)).json()
    first = await told(idp, asking, tokens["access_token"])
    again = (await idp.refresh(party, tokens["refresh_token"], resource=resource)).json()
    second = await told(idp, asking, again["access_token"])
    assert (first["authorization_details"], second["authorization_details"]) == ([once], [])
    for name in ("grant_id", "authorization_id", "sub"):
        assert first[name] == second[name]
    # Without details there was never a way.
    plain = await idp.tokens(browser, party)
    refused = await idp.refresh(party, plain["refresh_token"], resource=resource)
    assert refused.json()["error"] == "invalid_target"
    assert unverified_claims(plain["access_token"])["aud"] == ISSUER
