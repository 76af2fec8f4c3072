from datetime import datetime
from typing import Any, Literal

import msgspec

from idp.clients.schema import Acr

Prompt = Literal["none", "login", "consent", "select_account"]
ACR_RANK: dict[str, int] = {"low": 1, "substantial": 2, "high": 3}


class ClaimRequest(msgspec.Struct, frozen=True, omit_defaults=True):
    """One member of the ``claims`` parameter (OpenID Connect Core §5.5.1)."""

    essential: bool = False
    value: Any = None
    values: tuple[Any, ...] = ()


class ClaimsRequest(msgspec.Struct, frozen=True, omit_defaults=True):
    """Names of claims asked for one by one; other members are ignored (OpenID Connect Core §5.5)."""

    userinfo: dict[str, ClaimRequest | None] = {}
    id_token: dict[str, ClaimRequest | None] = {}
    locales: tuple[str, ...] = ()
    """The parameter ``claims_locales``, kept beside what it is about (OpenID Connect Core §5.2)."""


class AuthorizationRequest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A request that passed every check; what the pages and the answer need of it."""

    client_id: str
    redirect_uri: str
    response_mode: Literal["query", "form_post"] = "query"
    state: str | None = None
    nonce: str | None = None
    scopes: tuple[str, ...]
    claims: ClaimsRequest = ClaimsRequest()
    code_challenge: str | None = None
    prompt: tuple[Prompt, ...] = ()
    max_age: int | None = None
    acr_needed: Acr = "substantial"
    login_hint: str | None = None
    ui_locales: str | None = None
    resource: str | None = None
    hinted_sub: str | None = None
    """``sub`` of the ID token hint: nobody else may be the answer."""

    def claim_names(self) -> frozenset[str]:
        """Claims named one by one, wherever they shall go."""
        return frozenset(self.claims.userinfo) | frozenset(self.claims.id_token)


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
    request: AuthorizationRequest
    redirect_host: str
