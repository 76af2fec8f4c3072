"""Access tokens for programs: a JWT of the provider for our audience (RFC 9068), and its word that it still holds."""

import asyncio
import time
from collections import OrderedDict
from typing import Any

import msgspec

from kit.jose import TokenRefused
from kit.tokens import digest
from locker.access.provider import Provider
from locker.access.refusals import ScopeMissing, TokenInvalid, TokenMissing

_REQUIRED = ("iss", "aud", "sub", "exp", "iat", "jti", "client_id")


class CitizenCaller(msgspec.Struct, frozen=True, kw_only=True):
    owner: str
    """The locker's pairwise ``sub``."""
    client_id: str
    scopes: frozenset[str]
    acr: str | None


class ClientCaller(msgspec.Struct, frozen=True, kw_only=True):
    """A program for itself, by client_credentials."""

    client_id: str
    scopes: frozenset[str]


Caller = CitizenCaller | ClientCaller


class BearerTokens:
    """A token is believed for ``age_max_s`` after the provider called it active, never longer."""

    def __init__(self, provider: Provider, *, audience: str, age_max_s: float, kept_max: int) -> None:
        self._provider = provider
        self._audience = audience
        self._age_max_s = age_max_s
        self._kept_max = kept_max
        self._kept: OrderedDict[bytes, tuple[Caller, float]] = OrderedDict()
        self._asking: dict[bytes, asyncio.Task[Caller]] = {}

    async def citizen(self, authorization: str | None, *, scope: str) -> CitizenCaller:
        caller = await self._allowed(authorization, scope)
        if not isinstance(caller, CitizenCaller):
            raise TokenInvalid("a token of a citizen is needed")
        return caller

    async def client(self, authorization: str | None, *, scope: str) -> ClientCaller:
        caller = await self._allowed(authorization, scope)
        if not isinstance(caller, ClientCaller):
            raise TokenInvalid("a token of a client for itself is needed")
        return caller

    async def anyone(self, authorization: str | None) -> Caller:
        """Whoever holds a token for us, of whatever scope: where only who calls matters."""
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise TokenMissing
        return await self._caller(token.strip())

    async def _allowed(self, authorization: str | None, scope: str) -> Caller:
        """``authorization`` is the value of the header field."""
        if authorization is None:
            raise TokenMissing
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise TokenMissing
        caller = await self._caller(token.strip())
        if scope not in caller.scopes:
            raise ScopeMissing(scope)
        return caller

    async def _caller(self, token: str) -> Caller:
        name = digest(token)
        kept = self._kept.get(name)
        if kept and time.monotonic() < kept[1]:
            return kept[0]
        # Many requests with one token at once ask the provider once.
        asking = self._asking.get(name)
        if asking is None:
            asking = self._asking[name] = asyncio.create_task(self._ask(name, token))
            asking.add_done_callback(lambda _: self._asking.pop(name, None))
        return await asyncio.shield(asking)

    async def _ask(self, name: bytes, token: str) -> Caller:
        asked_at = time.monotonic()
        try:
            claims = await self._provider.verify(token, typ=("at+jwt",), audience=self._audience, require=_REQUIRED)
        except TokenRefused as refused:
            raise TokenInvalid from refused
        if "cnf" in claims:
            # Bound to a key (DPoP, mTLS): shown as a bearer token it was stolen (RFC 9449 §7.1).
            raise TokenInvalid("this token is bound to a key")
        caller = _caller_of(claims)
        if (await self._provider.introspect(token)).get("active") is not True:
            raise TokenInvalid
        self._keep(name, caller, min(asked_at + self._age_max_s, asked_at + claims["exp"] - time.time()))
        return caller

    def _keep(self, name: bytes, caller: Caller, until: float) -> None:
        self._kept[name] = (caller, until)
        self._kept.move_to_end(name)
        while len(self._kept) > self._kept_max:
            self._kept.popitem(last=False)


def _caller_of(claims: dict[str, Any]) -> Caller:
    client_id, sub, scope = claims["client_id"], claims["sub"], claims.get("scope", "")
    if not isinstance(client_id, str) or not isinstance(sub, str) or not isinstance(scope, str):
        raise TokenInvalid
    scopes = frozenset(scope.split())
    # RFC 9068 §2.2: without a resource owner, sub names the client itself.
    if sub == client_id:
        return ClientCaller(client_id=client_id, scopes=scopes)
    acr = claims.get("acr")
    return CitizenCaller(owner=sub, client_id=client_id, scopes=scopes, acr=acr if isinstance(acr, str) else None)
