import time
from typing import Any

from kit.jose import KeySet
from kit.tokens import new_token

_LIFETIME_S = 120
_EVENT = "http://schemas.openid.net/event/backchannel-logout"


async def logout_token(keys: KeySet, *, issuer: str, client_id: str, sub: str, sid: str, alg: str) -> str:
    """Back-Channel Logout §2.4: ``sub`` and ``sid`` both, and never a ``nonce``, so that it passes for no ID token."""
    now = int(time.time())
    claims: dict[str, Any] = {
        "iss": issuer,
        "sub": sub,
        "aud": client_id,
        "iat": now,
        "exp": now + _LIFETIME_S,
        "jti": new_token(),
        "sid": sid,
        "events": {_EVENT: {}},
    }
    return await keys.sign(claims, typ="logout+jwt", alg=alg)
