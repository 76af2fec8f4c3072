"""An access token that is used at the provider itself: is it ours, for us, shown by its holder, and does it stand?"""

from collections.abc import Mapping
from typing import Any

import msgspec

from idp.clients.proof import Proofs
from idp.clients.registry import ClientRegistry
from idp.clients.schema import Client
from idp.clients.spend import once
from idp.keys.ring import KeyRing
from idp.pacing import count_account
from idp.parameters import Parameters
from idp.refusals import InvalidDpopProof, UseDpopNonce
from idp.token import store
from idp.token.binding import Binding
from idp.token.mint import family_of
from idp.token.store import TokenStore, Used
from idp.userinfo.refusals import InsufficientScope, InvalidToken, NoToken, ProofNotAccepted, TokenTwice
from kit import client_certificate
from kit.db import Database, Row
from kit.direct import Asked
from kit.dpop import Proof
from kit.edge import caller
from kit.jose import ASYMMETRIC, TokenRefused, verify

REQUIRED = ("iss", "sub", "aud", "client_id", "iat", "exp", "jti", "scope")
"""What an access token of ours says (RFC 9068 §2.2)."""


class AccessTokens(msgspec.Struct, frozen=True, kw_only=True):
    """The parts that accepting a token takes."""

    db: Database
    store: TokenStore
    clients: ClientRegistry
    keys: KeyRing
    proofs: Proofs
    issuer: str


class AcceptedToken(msgspec.Struct, frozen=True, kw_only=True):
    claims: dict[str, Any]
    status: Row
    binding: Binding
    client: Client

    @property
    def client_id(self) -> str:
        return str(self.claims["client_id"])


class ShownToken(msgspec.Struct, frozen=True):
    scheme: str
    """``bearer`` or ``dpop``: the name of a scheme is written in any case (RFC 9110 §11.1)."""
    token: str


def shown_token(headers: Mapping[str, str], body: Parameters) -> ShownToken:
    """RFC 6750 §2.1 and §2.2, RFC 9449 §7.1; never in the query (RFC 6750 §2.3 lets it leak into logs)."""
    scheme, _, in_header = headers.get("authorization", "").partition(" ")
    scheme, in_header = scheme.lower(), in_header.strip()
    if scheme not in ("bearer", "dpop"):
        in_header = ""
    in_body = body.get("access_token", "")
    if in_header and in_body:
        raise TokenTwice
    if in_header:
        return ShownToken(scheme, in_header)
    if in_body:
        return ShownToken("bearer", in_body)
    raise NoToken


async def accept(
    parts: AccessTokens, request: Asked, *, path: str, scope: str, body: Parameters | None = None
) -> AcceptedToken:
    """``path`` is the endpoint's, below the issuer; ``body`` where the endpoint takes the token in a form too."""
    shown = shown_token(request.headers, body or {})
    try:
        claims = verify(
            shown.token,
            parts.keys.current().public,
            algorithms=ASYMMETRIC,
            typ=["at+jwt"],
            issuer=parts.issuer,
            audience=parts.issuer,
            strict_audience=True,
            require=REQUIRED,
            leeway_s=0,
        )
    except TokenRefused:
        raise InvalidToken from None
    binding = Binding.of_cnf(claims.get("cnf"))
    if binding.x5t is not None and binding.x5t != _certificate_shown(request):
        raise InvalidToken("the token is bound to a certificate")
    shown_once = once(_proof_of_holder(parts.proofs, request, shown, binding, path=path))
    client_id: str = claims["client_id"]
    used = Used(claims["jti"], client_id, family_of_claims(claims), parts.clients.known_revision(client_id))
    if shown_once:
        status = await store.select_use(parts.db, used, once=shown_once)
    else:
        status = await parts.store.use(used)
    if status is None or not status["active"]:
        raise InvalidToken
    if any(one.sha256 not in status["seen"] for one in shown_once):
        raise ProofNotAccepted("DPoP: jti was used before", headers=parts.proofs.nonce())
    if scope not in str(claims["scope"]).split():
        raise InsufficientScope(scope)
    caller().client_id = claims["client_id"]
    count_account(f"{claims['client_id']} {claims['sub']}")
    return AcceptedToken(claims=claims, status=status, binding=binding, client=parts.clients.client(status))


def _certificate_shown(request: Asked) -> str | None:
    try:
        shown = client_certificate.shown_in(request.scope["headers"])
    except client_certificate.CertificateUnreadable:
        return None
    return shown.x5t if shown else None


def _proof_of_holder(proofs: Proofs, request: Asked, shown: ShownToken, binding: Binding, *, path: str) -> Proof | None:
    """A token that is bound to a key is good with a proof of it and under its own scheme alone (RFC 9449 §7.1)."""
    if binding.jkt is None:
        if shown.scheme == "dpop":
            raise InvalidToken("the token is not bound to a key")
        return None
    if shown.scheme != "dpop":
        raise InvalidToken("the token is bound to a key")
    try:
        proof = proofs.of(request, path=path, access_token=shown.token)
    except (InvalidDpopProof, UseDpopNonce) as refused:
        raise ProofNotAccepted.of(refused) from None
    if proof is None:
        raise ProofNotAccepted("a DPoP proof is needed", headers=proofs.nonce())
    if proof.jkt != binding.jkt:
        raise InvalidToken("the token is bound to another key")
    return proof


def family_of_claims(claims: Mapping[str, Any]) -> Any:
    """None for a client that acts for itself: its token has no family."""
    return None if claims["sub"] == claims["client_id"] else family_of(str(claims["jti"]))
