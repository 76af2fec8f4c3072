"""An access token that is used at the provider itself: is it ours, for us, and does it still stand?"""

from collections.abc import Mapping
from typing import Any

import msgspec

from idp.parameters import Parameters
from idp.token import store
from idp.token.mint import family_of
from idp.userinfo.refusals import InsufficientScope, InvalidToken, NoToken, TokenTwice
from kit.db import Row, Tx
from kit.jose import ASYMMETRIC, KeySet, TokenRefused, verify


class AcceptedToken(msgspec.Struct, frozen=True, kw_only=True):
    claims: dict[str, Any]
    status: Row

    @property
    def client_id(self) -> str:
        return str(self.claims["client_id"])


def bearer_token(headers: Mapping[str, str], body: Parameters) -> str:
    """RFC 6750 §2.1 and §2.2; never in the query (§2.3 lets it leak into logs)."""
    authorization = headers.get("authorization", "")
    in_header = authorization[7:].strip() if authorization[:7].lower() == "bearer " else None
    in_body = body.get("access_token")
    if in_header and in_body:
        raise TokenTwice
    token = in_header or in_body
    if not token:
        raise NoToken
    return token


async def accept(tx: Tx, token: str, *, keys: KeySet, issuer: str, scope: str) -> AcceptedToken:
    try:
        claims = verify(
            token,
            keys.public,
            algorithms=ASYMMETRIC,
            typ=["at+jwt"],
            issuer=issuer,
            audience=issuer,
            strict_audience=True,
            require=("iss", "sub", "aud", "client_id", "iat", "exp", "jti", "scope"),
            leeway_s=0,
        )
    except TokenRefused:
        raise InvalidToken from None
    if scope not in str(claims["scope"]).split():
        raise InsufficientScope(scope)
    status = await store.select_status(
        tx, jti=claims["jti"], client_id=claims["client_id"], family_id=family_of_claims(claims)
    )
    if status is None or not status["active"]:
        raise InvalidToken
    return AcceptedToken(claims=claims, status=status)


def family_of_claims(claims: Mapping[str, Any]) -> Any:
    """None for a client that acts for itself: its token has no family."""
    return None if claims["sub"] == claims["client_id"] else family_of(str(claims["jti"]))
