"""The citizen comes back from the provider."""

import datetime as dt
import hmac
from collections.abc import Mapping
from typing import Any

import msgspec

from kit import strict_json
from kit.audit import Audit, AuditEvent
from kit.db import Database, Tx
from kit.i18n import strip_controls
from kit.jose import TokenRefused
from kit.tokens import digest, new_token
from locker.access import store
from locker.access.provider import Provider
from locker.access.refusals import SignInDeclined, SignInLost, SignInRefused
from locker.access.schema import NAME_CLAIMS, FreshSession
from locker.vault.refusals import Erased

_LEVELS = frozenset({"substantial", "high"})
_NAME_MAX = 200


class Returned(msgspec.Struct, frozen=True, kw_only=True):
    """Parameters of the authorization response (RFC 6749 §4.1.2, RFC 9207)."""

    state: str | None
    code: str | None
    iss: str | None
    error: str | None


class SignedIn(msgspec.Struct, frozen=True, kw_only=True):
    session: str
    return_to: str


class _Tokens(msgspec.Struct, frozen=True):
    access_token: str
    id_token: str


async def finish_sign_in(
    db: Database,
    provider: Provider,
    audit: Audit,
    returned: Returned,
    *,
    browser: str | None,
    old_session: str | None,
    redirect_uri: str,
    session_lifetime_s: int,
) -> SignedIn:
    """A fresh session for the browser that started this sign-in.

    Raises SignInLost where no such sign-in was started, SignInDeclined where the citizen said no, SignInRefused where
    the provider's answer is not what we asked for, and Erased where there is no locker any more.
    """
    if not browser or not returned.state:
        raise SignInLost
    started = await store.spend_sign_in(db, state_sha256=digest(returned.state), browser_sha256=digest(browser))
    if started is None:
        raise SignInLost
    # Before anything else is believed: who speaks (mix-up, RFC 9207 §2.4).
    if returned.iss != provider.issuer:
        raise SignInRefused("iss")
    if returned.error == "access_denied":
        raise SignInDeclined
    if returned.error or not returned.code:
        raise SignInRefused("error")
    tokens = await _exchange(provider, returned.code, redirect_uri=redirect_uri, verifier=started.code_verifier)
    claims = await _verified(provider, tokens.id_token, nonce=started.nonce)
    names = _names({**claims, **await _userinfo(provider, tokens.access_token, sub=claims["sub"])})
    session = new_token()
    fresh = FreshSession(
        owner=claims["sub"],
        sid=claims.get("sid"),
        acr=claims["acr"],
        auth_time=_moment(claims.get("auth_time")),
        names=names,
        id_token=tokens.id_token,
    )

    async def begin(tx: Tx) -> None:
        if old_session:
            await store.end_session(tx, session_sha256=digest(old_session))
        if not await store.start_session(tx, fresh, session_sha256=digest(session), lifetime_s=session_lifetime_s):
            raise Erased
        await audit.append(
            tx,
            AuditEvent(
                action="session.started",
                actor_kind="citizen",
                actor=fresh.owner,
                owner=fresh.owner,
                detail={"acr": fresh.acr},
            ),
        )

    await db.transact(begin)
    return SignedIn(session=session, return_to=started.return_to)


async def _exchange(provider: Provider, code: str, *, redirect_uri: str, verifier: str) -> _Tokens:
    answer = await provider.post_as_client(
        (await provider.metadata()).token_endpoint,
        {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
        },
    )
    if answer.status_code != 200:
        raise SignInRefused("token")
    try:
        return strict_json.decode(answer.content, _Tokens)
    except msgspec.DecodeError as fault:
        raise SignInRefused("token") from fault


async def _verified(provider: Provider, id_token: str, *, nonce: str) -> dict[str, Any]:
    """OpenID Connect Core §3.1.3.7: signature, iss, aud and exp by the keys, then azp, nonce and acr."""
    try:
        claims = await provider.verify(
            id_token,
            typ=("jwt",),
            audience=provider.client_id,
            require=("iss", "sub", "aud", "exp", "iat", "nonce", "acr"),
        )
    except TokenRefused as refused:
        raise SignInRefused("id_token") from refused
    if claims["aud"] not in (provider.client_id, [provider.client_id]):
        raise SignInRefused("aud")
    if claims.get("azp", provider.client_id) != provider.client_id:
        raise SignInRefused("azp")
    if not isinstance(claims["nonce"], str) or not hmac.compare_digest(claims["nonce"], nonce):
        raise SignInRefused("nonce")
    if claims["acr"] not in _LEVELS:
        raise SignInRefused("acr")
    return claims


async def _userinfo(provider: Provider, access_token: str, *, sub: str) -> dict[str, Any]:
    endpoint = (await provider.metadata()).userinfo_endpoint
    if endpoint is None:
        return {}
    answer = await provider.send("GET", endpoint, headers={"Authorization": f"Bearer {access_token}"})
    if answer.status_code != 200:
        raise SignInRefused("userinfo")
    try:
        claims = strict_json.decode(answer.content, dict[str, Any])
    except msgspec.DecodeError as fault:
        raise SignInRefused("userinfo") from fault
    # Token substitution: userinfo of somebody else (OpenID Connect Core §5.3.2).
    if claims.get("sub") != sub:
        raise SignInRefused("userinfo sub")
    return claims


def _names(claims: Mapping[str, Any]) -> dict[str, str]:
    return {
        claim: strip_controls(value)[:_NAME_MAX]
        for claim, value in claims.items()
        if claim.split("#", 1)[0] in NAME_CLAIMS and isinstance(value, str)
    }


def _moment(seconds: Any) -> dt.datetime | None:
    return dt.datetime.fromtimestamp(seconds, dt.UTC) if isinstance(seconds, int) else None
