from collections.abc import Mapping
from typing import Any

from idp.clients.authenticate import ClientAuthentication, authenticate, credentials_of
from idp.clients.schema import Client
from idp.clients.scopes import Scopes
from idp.clients.spend import spend
from idp.consents.stands import stands
from idp.introspection.grant_id import AUTHORIZATION, GRANT, id_of, opened
from idp.keys.secrets import Secrets
from idp.parameters import Parameters
from idp.refusals import InvalidClient, InvalidRequest
from idp.subjects.pairwise import pairwise_sub
from idp.token import store
from idp.token.accept import REQUIRED, family_of_claims
from idp.token.binding import Binding
from idp.token.store import TokenStore, Used
from kit.db import Row, Tx
from kit.jose import ASYMMETRIC, KeySet, TokenRefused, verify
from kit.tokens import digest

INACTIVE: dict[str, Any] = {"active": False}
_NO_TOKEN = Used("", "", None, 0)


async def introspect(
    parts: ClientAuthentication,
    tokens: TokenStore,
    headers: Mapping[str, str],
    parameters: Parameters,
    *,
    keys: KeySet,
    secrets: Secrets,
    scopes: Scopes,
) -> tuple[Client, dict[str, Any]]:
    """Who asks, and the answer: for the client that the token was given to, and for the resource server that it is for;
    to anybody else a token is unknown (O-45). A resource server may also ask for a grant that it was told of, by its
    ``grant_id`` and that word as ``token_type_hint``."""
    credentials = credentials_of(headers, parameters)
    token = parameters.get("token", "")
    claims = _access_token(token, keys=keys, issuer=parts.issuer)
    used = Used(claims["jti"], claims["client_id"], family_of_claims(claims), 0) if claims else _NO_TOKEN
    # Client and token in one question: what it says of the token is not told before the client has said who it is.
    row = await tokens.introspect((credentials.client_id, parts.clients.known_revision(credentials.client_id), used))
    client = parts.clients.client(row) if row else None
    assertion = await authenticate(parts, client, credentials, path="/introspect")
    assert client is not None
    assert row is not None
    await spend(parts.db, assertion)
    # Public clients have no secret to protect the answer with, so they get none.
    if client.public:
        raise InvalidClient("a public client cannot introspect")
    if not token:
        raise InvalidRequest("token is missing")
    if parameters.get("token_type_hint") == "grant_id":
        consent_id = opened(secrets, client.sector, GRANT, token) if client.metadata.resource else None
        active = consent_id is not None and await stands(parts.db, consent_id)
        return client, {"active": True, "grant_id": token} if active else INACTIVE
    if token.count(".") != 2:
        return client, await _refresh_token(parts.db, token, client, secrets=secrets, issuer=parts.issuer)
    return client, _answer(claims, row, client, secrets=secrets, scopes=scopes)


def _access_token(token: str, *, keys: KeySet, issuer: str) -> dict[str, Any]:
    """Empty for whatever is no access token of ours."""
    if token.count(".") != 2:
        return {}
    try:
        return verify(
            token, keys.public, algorithms=ASYMMETRIC, typ=["at+jwt"], issuer=issuer, require=REQUIRED, leeway_s=0
        )
    except TokenRefused:
        return {}


def _answer(claims: Mapping[str, Any], row: Row, client: Client, *, secrets: Secrets, scopes: Scopes) -> dict[str, Any]:
    if not claims or not row["active"]:
        return INACTIVE
    token = {"active": True, "token_type": Binding.of_cnf(claims.get("cnf")).token_type, **claims}
    if claims["aud"] == (client.metadata.resource or None):
        return {**token, **_for_its_server(claims, row, client, secrets=secrets, scopes=scopes)}
    return token if claims["client_id"] == client.client_id else INACTIVE


def _for_its_server(
    claims: Mapping[str, Any], row: Row, client: Client, *, secrets: Secrets, scopes: Scopes
) -> dict[str, Any]:
    """What a resource server is told beside the token: the citizen by its own identifier. One that consumes
    authorization details (RFC 9396 §9.2) hears of those, and from which connection and which one answer of the citizen
    the token is."""
    if row["citizen_id"] is None:
        return {}
    sector = scopes.sector_of(claims["aud"])
    known = {"sub": pairwise_sub(secrets, sector=sector, citizen_id=row["citizen_id"])} if sector else {}
    types = scopes.details_types(claims["aud"])
    if not types:
        return known
    details = [detail for detail in claims.get("authorization_details", ()) if detail["type"] in types]
    return {
        **known,
        "authorization_details": details,
        "grant_id": id_of(secrets, client.sector, GRANT, row["consent_id"]),
        "authorization_id": id_of(secrets, client.sector, AUTHORIZATION, row["family_id"]),
    }


async def _refresh_token(tx: Tx, token: str, client: Client, *, secrets: Secrets, issuer: str) -> dict[str, Any]:
    row = await store.select_refresh_token(tx, digest(token))
    if row is None or row["client_id"] != client.client_id or not row["live"]:
        return INACTIVE
    actor = row["actor_citizen_id"]
    return {
        "active": True,
        "iss": issuer,
        "client_id": row["client_id"],
        "sub": row["sub"],
        "scope": " ".join(sorted(row["scopes"])),
        "iat": int(row["created_at"].timestamp()),
        "exp": int(row["expires_at"].timestamp()),
        # RFC 8693 §4.1, as in the access tokens that it gives.
        **({"act": {"sub": pairwise_sub(secrets, sector=client.sector, citizen_id=actor)}} if actor else {}),
    }
