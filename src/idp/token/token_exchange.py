"""A token for one party becomes a narrower one for the next, which says who acts for whom (RFC 8693)."""

import time
from collections.abc import Mapping
from typing import Any

import msgspec

from idp.clients.authenticate import authenticate
from idp.clients.schema import Client
from idp.clients.spend import once, refuse_repeated
from idp.refusals import InvalidRequest, InvalidScope, InvalidTarget, UnauthorizedClient
from idp.subjects.pairwise import pairwise_sub
from idp.token import mint, store
from idp.token.accept import REQUIRED, family_of_claims
from idp.token.binding import binding_of
from idp.token.grants import TokenEndpoint, TokenRequest, details_of
from idp.token.schema import Grant, TokenResponse
from kit.audit import AuditEvent
from kit.jose import ASYMMETRIC, TokenRefused, verify

GRANT_TYPE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
_ACTORS_MAX = 3


async def token_exchange(endpoint: TokenEndpoint, request: TokenRequest) -> TokenResponse:
    """The new token hangs on the family of the old one and dies with it, and never lives longer."""
    claims = _subject_claims(endpoint, request)
    client_id = request.credentials.client_id
    row = await store.prefetch_exchange(
        endpoint.db,
        client_id,
        known_revision=endpoint.clients.known_revision(client_id),
        jti=str(claims.get("jti", "")),
        subject_client_id=str(claims.get("client_id", "")),
        family_id=family_of_claims(claims) if claims else None,
    )
    client = endpoint.clients.client(row) if row else None
    assertion = await authenticate(endpoint.client_authentication, client, request.credentials, path="/token")
    assert client is not None
    assert row is not None
    if GRANT_TYPE not in client.metadata.grant_types:
        raise UnauthorizedClient
    _check_parameters(request)
    binding = binding_of(client, request.proof, request.credentials.certificate)
    if not claims or not row["live"] or not _may_exchange(claims, client):
        raise InvalidRequest("subject_token is not one that this client may exchange")
    act = _acting(client, claims)
    audience, scopes = _target(endpoint, request, client, claims)
    sector = request.scopes.sector_of(audience)
    held = tuple(claims.get("authorization_details", ())) if audience == claims["aud"] else ()
    grant = msgspec.structs.replace(
        Grant.of(row, client_id=client_id, nonce=None),
        authorization_details=details_of(request.parameters, client, held),
    )
    lifetime_s = min(endpoint.access_token_lifetime_s, int(claims["exp"] - time.time()))
    token = await mint.access_token_of_grant(
        grant,
        sub=pairwise_sub(endpoint.secrets, sector=sector, citizen_id=grant.citizen_id) if sector else claims["sub"],
        act=act,
        audience=audience,
        scopes=scopes,
        binding=binding,
        keys=endpoint.keys.current(),
        issuer=endpoint.issuer,
        lifetime_s=lifetime_s,
    )
    shown = once(assertion, request.proof)
    written = await endpoint.store.exchange(
        endpoint.db,
        once=shown,
        family_id=grant.family_id,
        client_id=client_id,
        event=AuditEvent(
            action="token.issued",
            actor_kind="client",
            actor=client_id,
            owner=str(grant.citizen_id),
            object_id=str(grant.family_id),
            detail={"grant_type": "token-exchange", "scopes": sorted(scopes)},
        ),
    )
    refuse_repeated(shown, written.fresh)
    return TokenResponse(
        access_token=token,
        issued_token_type=ACCESS_TOKEN,
        token_type=binding.token_type,
        expires_in=lifetime_s,
        scope=" ".join(sorted(scopes)),
        authorization_details=grant.authorization_details or msgspec.UNSET,
    )


def _subject_claims(endpoint: TokenEndpoint, request: TokenRequest) -> dict[str, Any]:
    """Empty for whatever is no access token of ours: the client hears of that after it has said who it is."""
    try:
        return verify(
            request.parameters.get("subject_token", ""),
            endpoint.keys.current().public,
            algorithms=ASYMMETRIC,
            typ=["at+jwt"],
            issuer=endpoint.issuer,
            require=REQUIRED,
            leeway_s=0,
        )
    except TokenRefused:
        return {}


def _check_parameters(request: TokenRequest) -> None:
    """§2.1; an access token is the one thing that is taken and given here."""
    asked = request.parameters
    if "subject_token" not in asked or asked.get("subject_token_type") != ACCESS_TOKEN:
        raise InvalidRequest(f"subject_token and subject_token_type: an access token ({ACCESS_TOKEN})")
    if asked.get("requested_token_type", ACCESS_TOKEN) != ACCESS_TOKEN:
        raise InvalidRequest("requested_token_type: an access token")
    if "actor_token" in asked or "actor_token_type" in asked:
        raise InvalidRequest("actor_token: the actor is the client, by its authentication")


def _may_exchange(claims: Mapping[str, Any], client: Client) -> bool:
    """A token of a citizen, which was given to this client, or sent to the resource server that it is."""
    if claims["sub"] == claims["client_id"]:
        return False
    return bool(claims["client_id"] == client.client_id or claims["aud"] == client.metadata.resource)


def _acting(client: Client, claims: Mapping[str, Any]) -> dict[str, Any]:
    """§4.1: who acts now is outermost, and earlier actors stand inside."""
    depth, inner = 1, claims.get("act")
    while inner is not None:
        depth, inner = depth + 1, inner.get("act")
    if depth > _ACTORS_MAX:
        raise InvalidRequest(f"subject_token: at most {_ACTORS_MAX} act one for another")
    before = {"act": claims["act"]} if "act" in claims else {}
    return {"sub": client.client_id, "client_id": client.client_id, **before}


def _target(
    endpoint: TokenEndpoint, request: TokenRequest, client: Client, claims: Mapping[str, Any]
) -> tuple[str, frozenset[str]]:
    """Never more scope than the old token had, nor than this client may have anywhere (§2.1, RFC 8707 §2)."""
    named = {request.parameters[name] for name in ("resource", "audience") if name in request.parameters}
    if len(named) > 1:
        raise InvalidTarget("resource, audience: one")
    audience = request.scopes.audience(frozenset(), next(iter(named), claims["aud"]), issuer=endpoint.issuer)
    if audience is None:
        raise InvalidTarget("resource: unknown")
    held = frozenset(str(claims["scope"]).split()) & client.metadata.scopes
    asked = frozenset(request.parameters["scope"].split()) if "scope" in request.parameters else held
    if not asked or not asked <= held:
        raise InvalidScope
    scopes = request.scopes.for_audience(asked, audience, issuer=endpoint.issuer)
    if not scopes:
        raise InvalidTarget("resource: none of the scopes is for it")
    return audience, scopes
