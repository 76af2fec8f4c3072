"""What the grants share: the parts they need, the audience, the answer."""

import datetime as dt
from typing import Any

import msgspec

from idp.authorization.details import narrowed_details
from idp.authorization.refusals import AuthorizationError, RequestRefused
from idp.clients.authenticate import ClientAuthentication, Credentials
from idp.clients.encryption import encryption_for
from idp.clients.registry import ClientRegistry
from idp.clients.schema import Client
from idp.clients.scopes import Scopes
from idp.keys.ring import KeyRing
from idp.keys.secrets import Secrets
from idp.parameters import Parameters
from idp.refusals import InvalidScope, InvalidTarget
from idp.subjects.pairwise import pairwise_sub
from idp.token import mint
from idp.token.binding import Binding
from idp.token.schema import Grant, TokenResponse
from idp.token.store import TokenStore
from kit.audit import Audit
from kit.db import Database
from kit.dpop import Proof
from kit.jose import Encryption


class TokenEndpoint(msgspec.Struct, frozen=True, kw_only=True):
    db: Database
    audit: Audit
    store: TokenStore
    clients: ClientRegistry
    client_authentication: ClientAuthentication
    keys: KeyRing
    secrets: Secrets
    issuer: str
    access_token_lifetime_s: int
    refresh_token_lifetime_s: int


class TokenRequest(msgspec.Struct, frozen=True, kw_only=True):
    parameters: Parameters
    credentials: Credentials
    scopes: Scopes
    proof: Proof | None = None


def narrowed(parameters: Parameters, granted: frozenset[str]) -> frozenset[str]:
    """RFC 6749 §6: never more than what was given."""
    if "scope" not in parameters:
        return granted
    asked = frozenset(parameters["scope"].split())
    if not asked or not asked <= granted:
        raise InvalidScope
    return asked


def details_of(
    parameters: Parameters, client: Client, granted: tuple[dict[str, Any], ...]
) -> tuple[dict[str, Any], ...]:
    """RFC 9396 §6: all that was granted, or the part of it that is asked for now, for this one access token."""
    text = parameters.get("authorization_details")
    if text is None:
        return granted
    registered, today = client.metadata.authorization_details_types, dt.datetime.now(dt.UTC).date()
    try:
        return narrowed_details(text, granted, registered=registered, today=today)
    except AuthorizationError as error:
        raise RequestRefused(error) from None


def audience_of(
    endpoint: TokenEndpoint,
    request: TokenRequest,
    scopes: frozenset[str],
    agreed: str | None,
    details: tuple[dict[str, Any], ...] = (),
) -> tuple[str, frozenset[str]]:
    """The one audience of the access token, and the scopes that mean something there (RFC 8707 §2.2). That a citizen
    gave ``details`` which it consumes is enough to go there (RFC 9396 §3)."""
    resource = request.parameters.get("resource", agreed)
    audience = request.scopes.audience(scopes, resource, issuer=endpoint.issuer)
    if audience is None:
        raise InvalidTarget("resource: name the one that the token is for")
    effective = request.scopes.for_audience(scopes, audience, issuer=endpoint.issuer)
    if resource is not None and not effective and not _consumed(request, details, audience):
        raise InvalidTarget("resource: none of the scopes is for it")
    return audience, effective


def _consumed(request: TokenRequest, details: tuple[dict[str, Any], ...], audience: str) -> tuple[dict[str, Any], ...]:
    types = request.scopes.details_types(audience)
    return tuple(detail for detail in details if detail["type"] in types)


async def id_token_encryption(endpoint: TokenEndpoint, client: Client, scopes: frozenset[str]) -> Encryption | None:
    """To be known before anything is spent: the client's key may stand at an address."""
    if "openid" not in scopes:
        return None
    return await encryption_for(endpoint.client_authentication.key_sets, client, "id_token")


async def respond(
    endpoint: TokenEndpoint,
    request: TokenRequest,
    client: Client,
    grant: Grant,
    *,
    target: tuple[str, frozenset[str]],
    binding: Binding,
    encryption: Encryption | None,
    refresh_token: str | None,
    id_token_claims: dict[str, object],
) -> TokenResponse:
    """``target`` is what ``audience_of`` said before anything was spent."""
    keys = endpoint.keys.current()
    audience, scopes = target
    # Where a token goes for its details alone, who holds it has no need of the resource server's identifier: the
    # resource server is told of it at introspection.
    sector = request.scopes.sector_of(audience) if scopes else None
    details = grant.authorization_details
    if audience != endpoint.issuer:
        # RFC 9396 §9.1: a resource server gets its own.
        details = _consumed(request, details, audience)
    access_token = await mint.access_token_of_grant(
        msgspec.structs.replace(grant, authorization_details=details),
        # A resource server knows citizens by its own pairwise identifier, whichever client speaks for them.
        sub=pairwise_sub(endpoint.secrets, sector=sector, citizen_id=grant.citizen_id) if sector else grant.sub,
        act=_actor(endpoint, grant, sector or client.sector),
        binding=binding,
        audience=audience,
        scopes=scopes,
        keys=keys,
        issuer=endpoint.issuer,
        lifetime_s=endpoint.access_token_lifetime_s,
    )
    id_token: str | msgspec.UnsetType = msgspec.UNSET
    if "openid" in grant.scopes:
        id_token = await mint.id_token(
            grant,
            access_token=access_token,
            claims=id_token_claims,
            act=_actor(endpoint, grant, client.sector),
            keys=keys,
            alg=client.metadata.id_token_signed_response_alg,
            issuer=endpoint.issuer,
            lifetime_s=endpoint.access_token_lifetime_s,
        )
        if encryption is not None:
            id_token = encryption.of(id_token, cty="JWT")
    return TokenResponse(
        access_token=access_token,
        token_type=binding.token_type,
        expires_in=endpoint.access_token_lifetime_s,
        scope=" ".join(sorted(grant.scopes)),
        refresh_token=refresh_token if refresh_token is not None else msgspec.UNSET,
        id_token=id_token,
        authorization_details=grant.authorization_details or msgspec.UNSET,
    )


def _actor(endpoint: TokenEndpoint, grant: Grant, sector: str) -> dict[str, str] | None:
    """Who acts for the citizen, as the reader of the token knows people (RFC 8693 §4.1)."""
    if grant.actor_citizen_id is None:
        return None
    return {"sub": pairwise_sub(endpoint.secrets, sector=sector, citizen_id=grant.actor_citizen_id)}
