"""Access tokens for programs: a JWT of the provider for our audience (RFC 9068), shown by whom it is bound to (RFC
9449, RFC 8705), and the provider's word that it still holds."""

import asyncio
import time
from collections import OrderedDict
from typing import Any
from urllib.parse import quote

import msgspec
from litestar import Request

from kit import client_certificate, dpop
from kit.db import Database
from kit.dpop import Nonces, Proof
from kit.edge import method_sent
from kit.jose import TokenRefused
from kit.tokens import digest
from locker.access import store
from locker.access.provider import Provider
from locker.access.refusals import DetailsMissing, ProofRefused, ScopeMissing, TokenInvalid, TokenMissing
from locker.vault.refuse_erased import refuse_erased

_REQUIRED = ("iss", "aud", "sub", "exp", "iat", "jti", "client_id")


class CitizenCaller(msgspec.Struct, frozen=True, kw_only=True):
    owner: str
    """The locker's pairwise ``sub``."""
    client_id: str
    scopes: frozenset[str]
    acr: str | None
    auth_time: int | None = None
    """When the citizen last proved to the provider who it is."""
    is_acting: bool = False
    """Somebody else acts for the citizen, under a mandate (RFC 8693 §4.1)."""


class ClientCaller(msgspec.Struct, frozen=True, kw_only=True):
    """A program for itself, by client_credentials."""

    client_id: str
    scopes: frozenset[str]


Caller = CitizenCaller | ClientCaller


class Granted(msgspec.Struct, frozen=True, kw_only=True):
    """The connection that a token is from, and what the citizen allowed there in more words than a scope has, by the
    provider's introspection (RFC 9396 §9.2)."""

    grant_id: str
    """The connection of this citizen with this client."""
    authorization_id: str
    """The one answer of the citizen that this token is from."""
    authorization_details: list[dict[str, Any]] = []


class Known(msgspec.Struct, frozen=True):
    """A token that the provider called active."""

    caller: Caller
    jkt: str | None
    """The DPoP key that it is bound to."""
    x5t: str | None
    """The certificate that it is bound to."""
    granted: Granted | None
    """None for a client's own token, and for one with which somebody acts for the citizen."""
    until: float


class BearerTokens:
    """A token is believed for ``age_max_s`` after the provider called it active, never longer."""

    def __init__(
        self, db: Database, provider: Provider, *, audience: str, nonces: Nonces, age_max_s: float, kept_max: int
    ) -> None:
        self._db = db
        self._provider = provider
        self._nonces = nonces
        self._audience = audience
        self._age_max_s = age_max_s
        self._kept_max = kept_max
        self._kept: OrderedDict[bytes, Known] = OrderedDict()
        self._asking: dict[bytes, asyncio.Task[Known]] = {}

    async def citizen(self, request: Request[Any, Any, Any], *, scope: str) -> CitizenCaller:
        caller = await self._allowed(request, scope)
        if not isinstance(caller, CitizenCaller):
            raise TokenInvalid("a token of a citizen is needed")
        return caller

    async def client(self, request: Request[Any, Any, Any], *, scope: str) -> ClientCaller:
        caller = await self._allowed(request, scope)
        if not isinstance(caller, ClientCaller):
            raise TokenInvalid("a token of a client for itself is needed")
        return caller

    async def anyone(self, request: Request[Any, Any, Any]) -> Known:
        """Whoever holds a token for us, of whatever scope: where only who calls matters."""
        scheme, token = _shown(request)
        known = await self._known(token)
        await self._check_holder(known, request, scheme=scheme, token=token)
        return known

    async def granted(self, request: Request[Any, Any, Any]) -> tuple[CitizenCaller, Granted]:
        """The details that a citizen's token brings, by the provider's word of this moment: nothing is remembered.

        Raises DetailsMissing for a token that is from no connection of the citizen's own.
        """
        scheme, token = _shown(request)
        known = await self._ask(digest(token), token)
        await self._check_holder(known, request, scheme=scheme, token=token)
        if not isinstance(known.caller, CitizenCaller) or known.granted is None:
            raise DetailsMissing
        return known.caller, known.granted

    async def _allowed(self, request: Request[Any, Any, Any], scope: str) -> Caller:
        caller = (await self.anyone(request)).caller
        if scope not in caller.scopes:
            raise ScopeMissing(scope)
        return caller

    async def _check_holder(self, known: Known, request: Request[Any, Any, Any], *, scheme: str, token: str) -> None:
        """Shown by somebody who does not hold its key or certificate, a token was stolen."""
        if known.x5t is not None and known.x5t != _certificate_of(request):
            raise TokenInvalid("this token is bound to a certificate")
        if known.jkt is None:
            if scheme == "dpop":
                raise TokenInvalid("this token is not bound to a key")
            return
        if scheme != "dpop":
            # RFC 9449 §7.1: a token with its key beside it is no bearer token.
            raise TokenInvalid("this token is bound to a key")
        proof = self._proof(request, token)
        if proof.jkt != known.jkt:
            raise TokenInvalid("this token is bound to another key")
        if not await store.spend_proof(self._db, proof.sha256, expires_at=proof.expires_at):
            raise ProofRefused("DPoP: jti was used before", nonce=self._nonces.current())

    def _proof(self, request: Request[Any, Any, Any], token: str) -> Proof:
        """The address is ours and the request's path, whatever its Host header says."""
        try:
            shown = dpop.header_in(request.scope["headers"])
            if shown is None:
                raise ProofRefused("a DPoP proof is needed", nonce=self._nonces.current())
            return dpop.check(
                shown,
                method=method_sent(request.scope),
                urls=(f"{self._audience}{quote(request.scope['path'])}",),
                access_token=token,
                nonces=self._nonces,
            )
        except dpop.NonceRefused:
            raise ProofRefused(code="use_dpop_nonce", nonce=self._nonces.current()) from None
        except dpop.ProofRefused as refused:
            raise ProofRefused(f"DPoP: {refused.reason}", nonce=self._nonces.current()) from None

    async def _known(self, token: str) -> Known:
        name = digest(token)
        kept = self._kept.get(name)
        if kept and time.monotonic() < kept.until:
            return kept
        # Many requests with one token at once ask the provider once.
        asking = self._asking.get(name)
        if asking is None:
            asking = self._asking[name] = asyncio.create_task(self._ask(name, token))
            asking.add_done_callback(lambda _: self._asking.pop(name, None))
        return await asyncio.shield(asking)

    async def _ask(self, name: bytes, token: str) -> Known:
        asked_at = time.monotonic()
        try:
            claims = await self._provider.verify(token, typ=("at+jwt",), audience=self._audience, require=_REQUIRED)
        except TokenRefused as refused:
            raise TokenInvalid from refused
        told = await self._provider.introspect(token)
        if told.get("active") is not True:
            raise TokenInvalid
        # Of the citizen we go by what the provider tells us: a token that its holder may read names them otherwise.
        caller = _caller_of(claims, sub=told.get("sub"), is_acting="act" in told or "act" in claims)
        if isinstance(caller, CitizenCaller):
            await refuse_erased(self._db, owner=caller.owner)
        cnf = claims.get("cnf", {})
        until = min(asked_at + self._age_max_s, asked_at + claims["exp"] - time.time())
        known = Known(caller, cnf.get("jkt"), cnf.get("x5t#S256"), _granted_of(told), until)
        if set(cnf) - {"jkt", "x5t#S256"}:
            raise TokenInvalid("this token is bound in a way that is not known here")
        self._keep(name, known)
        return known

    def _keep(self, name: bytes, known: Known) -> None:
        self._kept[name] = known
        self._kept.move_to_end(name)
        while len(self._kept) > self._kept_max:
            self._kept.popitem(last=False)


def _certificate_of(request: Request[Any, Any, Any]) -> str | None:
    try:
        shown = client_certificate.shown_in(request.scope["headers"])
    except client_certificate.CertificateUnreadable:
        return None
    return shown.x5t if shown else None


def _shown(request: Request[Any, Any, Any]) -> tuple[str, str]:
    """Scheme and token."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    scheme, token = scheme.lower(), token.strip()
    if scheme not in ("bearer", "dpop") or not token:
        raise TokenMissing
    return scheme, token


def _granted_of(told: dict[str, Any]) -> Granted | None:
    if "act" in told:
        # What somebody else may do for a citizen ends with the mandate, which a share would outlive.
        return None
    try:
        return msgspec.convert(told, Granted)
    except msgspec.ValidationError:
        return None


def _caller_of(claims: dict[str, Any], *, sub: object, is_acting: bool) -> Caller:
    client_id, scope = claims["client_id"], claims.get("scope", "")
    if not isinstance(client_id, str) or not isinstance(sub, str) or not isinstance(scope, str):
        raise TokenInvalid
    scopes = frozenset(scope.split())
    # RFC 9068 §2.2: without a resource owner, sub names the client itself.
    if sub == client_id:
        return ClientCaller(client_id=client_id, scopes=scopes)
    acr = claims.get("acr")
    auth_time = claims.get("auth_time")
    return CitizenCaller(
        owner=sub,
        client_id=client_id,
        scopes=scopes,
        acr=acr if isinstance(acr, str) else None,
        auth_time=auth_time if isinstance(auth_time, int) else None,
        is_acting=is_acting,
    )
