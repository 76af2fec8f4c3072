from collections.abc import Mapping
from typing import Any

from idp.clients.authenticate import ClientAuthentication, authenticate, credentials_of
from idp.clients.schema import Client
from idp.clients.spend import spend
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
) -> tuple[Client, dict[str, Any]]:
    """Who asks, and the answer: for the client that the token was given to, and for the resource server that it is for;
    to anybody else a token is unknown (O-45)."""
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
    if token.count(".") != 2:
        return client, await _refresh_token(parts.db, token, client, secrets=secrets, issuer=parts.issuer)
    return client, _answer(claims, row, client)


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


def _answer(claims: Mapping[str, Any], row: Row, client: Client) -> dict[str, Any]:
    if not claims or not row["active"]:
        return INACTIVE
    if claims["client_id"] != client.client_id and claims["aud"] != (client.metadata.resource or None):
        return INACTIVE
    return {"active": True, "token_type": Binding.of_cnf(claims.get("cnf")).token_type, **claims}


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
