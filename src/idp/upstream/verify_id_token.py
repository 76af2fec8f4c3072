import base64
import hashlib
import hmac
import re
import time
from typing import Any

from idp.upstream.providers import Providers, Tokens
from idp.upstream.refusals import UpstreamRefused
from idp.upstream.schema import Shown, Upstream
from kit.jose import TokenRefused, header_of, verify
from kit.tokens import digest

CLOCKS_APART_MAX_S = 60
_SUB = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,253}[\x21-\x7e])?")
_AMR_MAX = 20


async def verify_id_token(
    providers: Providers, upstream: Upstream, tokens: Tokens, *, nonce_sha256: bytes, asked_s: float
) -> Shown:
    """OpenID Connect Core §3.1.3.7, each step. ``asked_s`` is when the browser was sent there: the citizen signed in
    after that, since ``max_age=0`` was asked. Raises UpstreamRefused, and UpstreamAway where the keys cannot be had.
    """
    registration = upstream.registration
    try:
        keys = await providers.keys(upstream, kid=header_of(tokens.id_token).get("kid"))
        claims = verify(
            tokens.id_token,
            keys,
            algorithms=[registration.id_token_signed_response_alg],
            # An ID token need not name its type; one that names another is none (RFC 8725 §3.11).
            typ=("", "jwt"),
            issuer=registration.issuer,
            audience=registration.client_id,
            require=("iss", "sub", "aud", "exp", "iat", "nonce", "auth_time"),
            leeway_s=CLOCKS_APART_MAX_S,
        )
    except TokenRefused as refused:
        raise UpstreamRefused(f"id-token-{refused.reason.lower().replace(' ', '-')}") from refused
    # §3.1.3.7, 3: no audience that we do not trust stands beside us.
    if claims["aud"] not in (registration.client_id, [registration.client_id]):
        raise UpstreamRefused("id-token-aud")
    if claims.get("azp", registration.client_id) != registration.client_id:
        raise UpstreamRefused("id-token-azp")
    nonce = claims["nonce"]
    if not isinstance(nonce, str) or not hmac.compare_digest(digest(nonce), nonce_sha256):
        raise UpstreamRefused("id-token-nonce")
    _check_times(claims, asked_s=asked_s)
    _check_at_hash(claims.get("at_hash"), tokens.access_token, registration.id_token_signed_response_alg)
    if not isinstance(claims["sub"], str) or not _SUB.fullmatch(claims["sub"]):
        raise UpstreamRefused("id-token-sub")
    acr, amr = claims.get("acr"), claims.get("amr")
    return Shown(
        sub=claims["sub"],
        acr=acr if acr is None or isinstance(acr, str) else "",
        amr=tuple(value for value in amr[:_AMR_MAX] if isinstance(value, str)) if isinstance(amr, list) else (),
    )


def _check_times(claims: dict[str, Any], *, asked_s: float) -> None:
    earliest, latest = asked_s - CLOCKS_APART_MAX_S, time.time() + CLOCKS_APART_MAX_S
    for name in ("iat", "auth_time"):
        at = claims[name]
        if isinstance(at, bool) or not isinstance(at, int | float) or not earliest <= at <= latest:
            raise UpstreamRefused(f"id-token-{name.replace('_', '-')}")


def _check_at_hash(at_hash: Any, access_token: str, alg: str) -> None:
    """§3.1.3.6: the left half of the digest that ``alg`` uses; Ed25519 uses SHA-512."""
    if at_hash is None:
        return
    whole = (hashlib.sha512 if alg == "EdDSA" else hashlib.sha256)(access_token.encode()).digest()
    right = base64.urlsafe_b64encode(whole[: len(whole) // 2]).rstrip(b"=").decode()
    if not isinstance(at_hash, str) or not hmac.compare_digest(at_hash.encode(), right.encode()):
        raise UpstreamRefused("id-token-at-hash")
