from datetime import datetime
from typing import Any, Literal
from urllib.parse import urlsplit
from uuid import UUID

import msgspec

from idp.authorization.details import LockerDocument
from idp.clients.schema import About, Acr
from kit.jose import Algorithm

Prompt = Literal["none", "login", "consent", "select_account"]
Kind = Literal["authorization_code", "device_code", "ciba"]
"""What the citizen's answer becomes: a code that a browser brings back, or tokens for who waits at the token endpoint
with a device_code (RFC 8628) or an auth_req_id (CIBA)."""
ACR_RANK: dict[str, int] = {"low": 1, "substantial": 2, "high": 3}
ResponseMode = Literal["query", "form_post", "query.jwt", "form_post.jwt"]
"""How the answer travels; those with ``.jwt`` are signed (JARM §2.3). ``jwt`` alone is ``query.jwt`` for a code."""


def origin_of(redirect_uri: str) -> str:
    """As a source in a Content-Security-Policy: the scheme alone of a private-use scheme, and of an IPv6 address, which
    is no host-source (Content Security Policy Level 3 §2.3.1)."""
    target = urlsplit(redirect_uri)
    is_source = target.netloc and not target.netloc.startswith("[")
    return f"{target.scheme}://{target.netloc}" if is_source else f"{target.scheme}:"


class ClaimRequest(msgspec.Struct, frozen=True, omit_defaults=True):
    """One member of the ``claims`` parameter (OpenID Connect Core §5.5.1)."""

    essential: bool = False
    value: Any = None
    values: tuple[Any, ...] = ()

    @property
    def wanted(self) -> tuple[Any, ...]:
        """The values that may be returned; empty for any."""
        return self.values if self.value is None else (self.value,)


class VerifiedRequest(msgspec.Struct, frozen=True, omit_defaults=True):
    """One element of ``verified_claims`` as it is asked for (OpenID Connect for Identity Assurance 1.0 §5.3)."""

    verification: dict[str, Any]
    claims: dict[str, ClaimRequest | None]


class ClaimsRequest(msgspec.Struct, frozen=True, omit_defaults=True):
    """Names of claims asked for one by one; other members are ignored (OpenID Connect Core §5.5)."""

    userinfo: dict[str, ClaimRequest | None] = {}
    id_token: dict[str, ClaimRequest | None] = {}
    verified_userinfo: tuple[VerifiedRequest, ...] = ()
    verified_id_token: tuple[VerifiedRequest, ...] = ()
    """Which of their claims were agreed to stands in the two maps above, by prefixed names."""
    locales: tuple[str, ...] = ()
    """The parameter ``claims_locales``, kept beside what it is about (OpenID Connect Core §5.2)."""


class ReplyTo(msgspec.Struct, frozen=True, kw_only=True):
    """Where an answer goes and how: to an address that is registered, and nowhere else."""

    client_id: str
    redirect_uri: str
    response_mode: ResponseMode = "query"
    signing_alg: Algorithm = "ES256"
    """Of a signed answer."""
    state: str | None = None


class AuthorizationRequest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A request that passed every check; what the pages and the answer need of it."""

    client_id: str
    kind: Kind = "authorization_code"
    waiting_sha256: bytes | None = None
    """Digest of the device_code or auth_req_id for which somebody waits; None for a request that a browser brought."""
    request_uri_sha256: bytes | None = None
    """Of a pushed request: its answer spends it."""
    redirect_uri: str | None = None
    """None for a request that no browser brings back: a device's, or a back channel's."""
    response_mode: ResponseMode = "query"
    response_signing_alg: Algorithm = "ES256"
    state: str | None = None
    nonce: str | None = None
    scopes: tuple[str, ...] = ()
    claims: ClaimsRequest = ClaimsRequest()
    code_challenge: str | None = None
    prompt: tuple[Prompt, ...] = ()
    confirmed_each_sign_in: bool = False
    """Whoever signs in for this request also sees what is given, although it was allowed before."""
    max_age: int | None = None
    acr_needed: Acr = "substantial"
    login_hint: str | None = None
    ui_locales: str | None = None
    resource: str | None = None
    authorization_details: tuple[LockerDocument, ...] = ()
    hinted_subs: tuple[str, ...] = ()
    """Nobody else may be the answer: the hint's ``sub``, or those that ``claims`` named. Empty for anybody."""
    dpop_jkt: str | None = None
    """The key that the code's tokens will be bound to (RFC 9449 §10)."""

    def claim_names(self) -> frozenset[str]:
        """Claims named one by one, wherever they shall go."""
        return frozenset(self.claims.userinfo) | frozenset(self.claims.id_token)

    @property
    def reply_to(self) -> ReplyTo:
        assert self.redirect_uri is not None
        return ReplyTo(
            client_id=self.client_id,
            redirect_uri=self.redirect_uri,
            response_mode=self.response_mode,
            signing_alg=self.response_signing_alg,
            state=self.state,
        )

    @property
    def redirect_origin(self) -> str | None:
        """Where the redirects after a form may end, as ``form-action`` of a Content-Security-Policy."""
        return None if self.redirect_uri is None else origin_of(self.redirect_uri)

    @property
    def redirect_host(self) -> str:
        """For people: whose site they go back to."""
        target = urlsplit(self.redirect_uri or "")
        return target.netloc or target.scheme


class Interaction(msgspec.Struct, frozen=True, kw_only=True):
    """A request on its way through the pages."""

    interaction_id: str
    client_id: str
    client_name: dict[str, str]
    """Language → registered name."""
    purpose: dict[str, str] | None
    acr_needed: Acr
    login_hint: str | None
    ui_locales: str | None
    reauthenticate: bool
    """A session that exists is not enough: the relying party asked for a fresh sign-in."""
    created_at: datetime
    confirmed_at: datetime | None = None
    """When the citizen said that the waiting device or service is the one in front of them."""
    request: AuthorizationRequest
    redirect_host: str
    about: About | None = None
    representation_allowed: bool = False
    acting_chosen_by: UUID | None = None
    """Who said for whom they act; said by somebody else, it is not said."""
    acting_mandate_id: UUID | None = None
    """None, once it was said: for themselves."""
