"""Making the tokens themselves. Nothing is stored here and nothing is decided."""

import base64
import secrets
import time
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any
from uuid import UUID

from idp.sessions.sid import sid_at
from idp.token.binding import Binding
from idp.token.schema import Grant
from kit.jose import KeySet, hash_of

_RANDOM_BYTES = 9


async def access_token_of_grant(
    grant: Grant,
    *,
    sub: str,
    act: Mapping[str, Any] | None,
    audience: str,
    scopes: Iterable[str],
    binding: Binding,
    keys: KeySet,
    issuer: str,
    lifetime_s: int,
) -> str:
    """RFC 9068 §2. The ``jti`` begins with the family, so that the family's end is found by it."""
    now = int(time.time())
    return await keys.sign(
        {
            "iss": issuer,
            "sub": sub,
            "aud": audience,
            "client_id": grant.client_id,
            "iat": now,
            "exp": now + lifetime_s,
            "jti": _jti(grant.family_id),
            "scope": " ".join(sorted(scopes)),
            "auth_time": int(grant.auth_time.timestamp()),
            "acr": grant.acr,
            "amr": list(grant.amr),
            **_where_there({"cnf": binding.cnf(), "act": act, "authorization_details": grant.authorization_details}),
        },
        typ="at+jwt",
    )


async def access_token_of_client(
    client_id: str,
    *,
    audience: str,
    scopes: Iterable[str],
    binding: Binding,
    keys: KeySet,
    issuer: str,
    lifetime_s: int,
) -> tuple[str, str]:
    """The token and its ``jti``; a client that acts for itself is its own subject (RFC 9068 §2.2)."""
    now = int(time.time())
    jti = secrets.token_urlsafe(16 + _RANDOM_BYTES)
    token = await keys.sign(
        {
            "iss": issuer,
            "sub": client_id,
            "aud": audience,
            "client_id": client_id,
            "iat": now,
            "exp": now + lifetime_s,
            "jti": jti,
            "scope": " ".join(sorted(scopes)),
            **_where_there({"cnf": binding.cnf()}),
        },
        typ="at+jwt",
    )
    return token, jti


async def id_token(
    grant: Grant,
    *,
    access_token: str,
    claims: Mapping[str, Any],
    act: Mapping[str, Any] | None,
    keys: KeySet,
    alg: str,
    issuer: str,
    lifetime_s: int,
) -> str:
    """OpenID Connect Core §2, with ``at_hash`` (§3.1.3.6)."""
    now = int(time.time())
    body: dict[str, Any] = {
        **claims,
        "iss": issuer,
        "sub": grant.sub,
        "aud": grant.client_id,
        "iat": now,
        "exp": now + lifetime_s,
        "auth_time": int(grant.auth_time.timestamp()),
        "acr": grant.acr,
        "amr": list(grant.amr),
        "sid": sid_at(grant.sid, grant.client_id),
        "at_hash": hash_of(access_token, alg=alg),
        **_where_there({"act": act}),
    }
    if grant.nonce is not None:
        body["nonce"] = grant.nonce
    return await keys.sign(body, typ="JWT", alg=alg)


@lru_cache(maxsize=4_096)
def family_of(jti: str) -> UUID | None:
    """The family in an access token's ``jti``; what a client's own token has there matches no family."""
    try:
        raw = base64.urlsafe_b64decode(jti + "=" * (-len(jti) % 4))
    except ValueError:
        return None
    return UUID(bytes=raw[:16]) if len(raw) == 16 + _RANDOM_BYTES else None


def _where_there(members: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value}


def _jti(family_id: UUID) -> str:
    return base64.urlsafe_b64encode(family_id.bytes + secrets.token_bytes(_RANDOM_BYTES)).rstrip(b"=").decode()
