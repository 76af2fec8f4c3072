from typing import Any

from idp.clients.schema import Client
from idp.token import store
from idp.token.accept import family_of_claims
from idp.token.binding import Binding
from kit.db import Tx
from kit.jose import ASYMMETRIC, KeySet, TokenRefused, verify
from kit.tokens import digest

INACTIVE: dict[str, Any] = {"active": False}


async def introspect(
    tx: Tx, token: str, client: Client, *, keys: KeySet, issuer: str, resources: frozenset[str]
) -> dict[str, Any]:
    """For the client that the token was given to, and for the resource server that it is for; to anybody else a token
    is unknown (O-45). ``resources`` are the audiences that this client answers for."""
    if token.count(".") == 2:
        return await _access_token(tx, token, client, keys=keys, issuer=issuer, resources=resources)
    return await _refresh_token(tx, token, client, issuer=issuer)


async def _access_token(
    tx: Tx, token: str, client: Client, *, keys: KeySet, issuer: str, resources: frozenset[str]
) -> dict[str, Any]:
    try:
        claims = verify(
            token,
            keys.public,
            algorithms=ASYMMETRIC,
            typ=["at+jwt"],
            issuer=issuer,
            require=("iss", "sub", "aud", "client_id", "iat", "exp", "jti", "scope"),
            leeway_s=0,
        )
    except TokenRefused:
        return INACTIVE
    if claims["client_id"] != client.client_id and claims["aud"] not in resources:
        return INACTIVE
    status = await store.select_status(
        tx, jti=claims["jti"], client_id=claims["client_id"], family_id=family_of_claims(claims)
    )
    if status is None or not status["active"]:
        return INACTIVE
    return {"active": True, "token_type": Binding.of_cnf(claims.get("cnf")).token_type, **claims}


async def _refresh_token(tx: Tx, token: str, client: Client, *, issuer: str) -> dict[str, Any]:
    row = await store.select_refresh_token(tx, digest(token))
    if row is None or row["client_id"] != client.client_id or not row["live"]:
        return INACTIVE
    return {
        "active": True,
        "iss": issuer,
        "client_id": row["client_id"],
        "sub": row["sub"],
        "scope": " ".join(sorted(row["scopes"])),
        "iat": int(row["created_at"].timestamp()),
        "exp": int(row["expires_at"].timestamp()),
    }
