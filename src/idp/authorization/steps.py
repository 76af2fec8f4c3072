"""The step table: what an authorization request must pass, in this order, and at which endpoint.

A row is a step, a column an endpoint. A step is pure: it looks at what was asked and returns the request with its part
filled in, or raises AuthorizationError. What needs the database or the network is done before, where the request is
received.
"""

import datetime as dt
import re
from collections.abc import Callable, Sequence
from typing import Literal

import msgspec

from idp.authorization.details import read_details
from idp.authorization.hints import hint_claims
from idp.authorization.refusals import AuthorizationError, UnknownRedirect
from idp.authorization.schema import ACR_RANK, AuthorizationRequest, ClaimsRequest, Prompt, ResponseMode
from idp.authorization.verified_claims import read_claims
from idp.clients.may_redirect import may_redirect
from idp.clients.schema import Acr, Client
from idp.clients.scopes import Scopes
from idp.parameters import Parameters
from idp.sessions.levels import ACR_VALUES
from kit import strict_json
from kit.jose import KeySet, TokenRefused

Endpoint = Literal["authorize", "par", "device", "ciba"]

MODES: dict[str, ResponseMode] = {
    "query": "query",
    "form_post": "form_post",
    "jwt": "query.jwt",
    "query.jwt": "query.jwt",
    "form_post.jwt": "form_post.jwt",
}
"""What ``response_mode`` may be; for a code ``jwt`` means ``query.jwt`` (JARM §2.3.4)."""

_CODE_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_THUMBPRINT = re.compile(r"[A-Za-z0-9_-]{43}")
_PROMPTS: dict[str, Prompt] = {
    "none": "none",
    "login": "login",
    "consent": "consent",
    "select_account": "select_account",
}
_LEVELS: dict[str, Acr] = {level: level for level in ACR_VALUES}
_STATE_MAX = 4_096
_NONCE_MAX = 512
_HIGHEST_VOLUNTARY: Acr = "substantial"
"""What everybody who is active can reach: more is asked of a citizen only where it is essential, or registered."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A request as it came, and what it is judged by."""

    endpoint: Endpoint
    parameters: Parameters
    signed: bool = False
    """They come out of a request object whose signature is the client's."""
    client: Client
    scopes: Scopes
    issuer: str
    keys: KeySet
    proof_jkt: str | None = None
    """The key of a DPoP proof that came along."""
    today: dt.date = msgspec.field(default_factory=lambda: dt.datetime.now(dt.UTC).date())


Step = Callable[[Asked, AuthorizationRequest], AuthorizationRequest]


def must_push(client: Client) -> bool:
    """RFC 9126 §6; FAPI 2.0 Security Profile §5.3.2.2."""
    return client.strict or client.metadata.require_pushed_authorization_requests


def request_is_pushed_where_it_must_be(asked: Asked, request: AuthorizationRequest) -> AuthorizationRequest:
    if must_push(asked.client):
        raise AuthorizationError("invalid_request", "this client pushes its requests (RFC 9126)")
    return request


def request_is_signed_where_it_must_be(asked: Asked, request: AuthorizationRequest) -> AuthorizationRequest:
    """RFC 9101 §10.5; FAPI 2.0 Message Signing §5.3.1."""
    must = asked.client.profile == "fapi2-ms" or asked.client.metadata.require_signed_request_object
    if must and not asked.signed:
        raise AuthorizationError("invalid_request", "this client signs its requests (RFC 9101)")
    return request


def registration_stands_elsewhere(asked: Asked, request: AuthorizationRequest) -> AuthorizationRequest:
    if "registration" in asked.parameters:
        raise AuthorizationError("registration_not_supported")
    return request


def redirect_uri_is_registered(asked: Asked, request: AuthorizationRequest) -> AuthorizationRequest:
    redirect_uri = asked.parameters.get("redirect_uri")
    if redirect_uri is None:
        raise AuthorizationError("invalid_request", "redirect_uri is missing")
    if not may_redirect(asked.client, redirect_uri):
        raise UnknownRedirect
    return msgspec.structs.replace(request, redirect_uri=redirect_uri)


def response_type_is_code(asked: Asked, request: AuthorizationRequest) -> AuthorizationRequest:
    response_type = asked.parameters.get("response_type")
    if response_type is None:
        raise AuthorizationError("invalid_request", "response_type is missing")
    if response_type != "code":
        raise AuthorizationError("unsupported_response_type")
    if "authorization_code" not in asked.client.metadata.grant_types:
        raise AuthorizationError("unauthorized_client")
    return request


def response_mode_is_served(asked: Asked, request: AuthorizationRequest) -> AuthorizationRequest:
    mode = MODES.get(asked.parameters.get("response_mode", "query"))
    if mode is None:
        raise AuthorizationError("invalid_request", "response_mode")
    if asked.client.profile == "fapi2-ms" and not mode.endswith(".jwt"):
        # FAPI 2.0 Message Signing §5.4: this client takes signed answers only.
        raise AuthorizationError("invalid_request", "response_mode: a signed one is required")
    alg = asked.client.metadata.authorization_signed_response_alg or "ES256"
    return msgspec.structs.replace(request, response_mode=mode, response_signing_alg=alg)


def state_and_nonce_have_a_limit(asked: Asked, request: AuthorizationRequest) -> AuthorizationRequest:
    state, nonce = asked.parameters.get("state"), asked.parameters.get("nonce")
    if len(state or "") > _STATE_MAX or len(nonce or "") > _NONCE_MAX:
        raise AuthorizationError("invalid_request", "state or nonce is too long")
    return msgspec.structs.replace(request, state=state, nonce=nonce)


def scopes_are_registered(asked: Asked, request: AuthorizationRequest) -> AuthorizationRequest:
    """OpenID Connect Core §3.1.2.1: scopes that are not understood are ignored. One that is, and is not this client's,
    is an error."""
    named = frozenset(asked.parameters.get("scope", "").split())
    if not named:
        raise AuthorizationError("invalid_scope", "scope is missing")
    known = frozenset(filter(asked.scopes.known, named))
    if not known or not known <= asked.client.metadata.scopes | {"openid", "offline_access"}:
        raise AuthorizationError("invalid_scope", "a scope that this client has not registered")
    if "offline_access" in known and "refresh_token" not in asked.client.metadata.grant_types:
        known -= {"offline_access"}
    return msgspec.structs.replace(request, scopes=tuple(sorted(known)))


def claims_can_be_read(asked: Asked, request: AuthorizationRequest) -> AuthorizationRequest:
    locales = tuple(asked.parameters.get("claims_locales", "").split()[:10])
    text = asked.parameters.get("claims")
    if text is None:
        return msgspec.structs.replace(request, claims=ClaimsRequest(locales=locales))
    try:
        claims = read_claims(text)
    except strict_json.MemberTwice as twice:
        raise AuthorizationError("invalid_request", f"claims: {twice}") from None
    except msgspec.DecodeError:
        raise AuthorizationError("invalid_request", "claims") from None
    if len(claims.userinfo) + len(claims.id_token) > 100:
        raise AuthorizationError("invalid_request", "claims: too many")
    return msgspec.structs.replace(request, claims=msgspec.structs.replace(claims, locales=locales))


def code_challenge_is_s256(asked: Asked, request: AuthorizationRequest) -> AuthorizationRequest:
    challenge, method = asked.parameters.get("code_challenge"), asked.parameters.get("code_challenge_method")
    if challenge is None:
        if method is not None:
            raise AuthorizationError("invalid_request", "code_challenge is missing")
        if asked.client.profile != "basic":
            raise AuthorizationError("invalid_request", "code_challenge is missing: PKCE is required")
        return request
    # RFC 7636 §4.3: an absent method means plain, which is not accepted.
    if method != "S256":
        raise AuthorizationError("invalid_request", "code_challenge_method must be S256")
    if not _CODE_CHALLENGE.fullmatch(challenge):
        raise AuthorizationError("invalid_request", "code_challenge")
    return msgspec.structs.replace(request, code_challenge=challenge)


def prompt_makes_sense(asked: Asked, request: AuthorizationRequest) -> AuthorizationRequest:
    """Values that are not known are ignored; "none" stands alone (OpenID Connect Core §3.1.2.1)."""
    values = asked.parameters.get("prompt", "").split()
    if "none" in values and len(values) > 1:
        raise AuthorizationError("invalid_request", "prompt: none stands alone")
    known = tuple(_PROMPTS[value] for value in dict.fromkeys(values) if value in _PROMPTS)
    return msgspec.structs.replace(request, prompt=known)


def max_age_is_a_number(asked: Asked, request: AuthorizationRequest) -> AuthorizationRequest:
    text = asked.parameters.get("max_age")
    if text is None:
        return msgspec.structs.replace(request, max_age=asked.client.metadata.default_max_age)
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise AuthorizationError("invalid_request", "max_age")
    return msgspec.structs.replace(request, max_age=int(text))


def person_is_hinted(asked: Asked, request: AuthorizationRequest) -> AuthorizationRequest:
    """By an ID token (OpenID Connect Core §3.1.2.1)."""
    hint = asked.parameters.get("id_token_hint")
    if hint is None:
        return request
    try:
        claims = hint_claims(hint, asked.client.client_id, issuer=asked.issuer, keys=asked.keys)
    except TokenRefused:
        raise AuthorizationError("invalid_request", "id_token_hint") from None
    return msgspec.structs.replace(request, hinted_subs=(str(claims["sub"]),))


def sub_is_wanted(asked: Asked, request: AuthorizationRequest) -> AuthorizationRequest:
    """A value of ``sub`` in ``claims`` (OpenID Connect Core §5.5.1, §3.1.2.2): nobody else may be the answer."""
    hinted = frozenset(request.hinted_subs) or None
    for member in (request.claims.id_token.get("sub"), request.claims.userinfo.get("sub")):
        if member is None or not member.wanted:
            continue
        wanted = frozenset(value for value in member.wanted if isinstance(value, str))
        hinted = wanted if hinted is None else hinted & wanted
    if hinted is None:
        return request
    if not hinted:
        raise AuthorizationError("invalid_request", "claims: nobody can have this sub")
    return msgspec.structs.replace(request, hinted_subs=tuple(sorted(hinted)))


def level_can_be_reached(asked: Asked, request: AuthorizationRequest) -> AuthorizationRequest:
    """The higher of what the client registered and what it asks for now (provider.md, Smart Pass).

    An essential level that does not exist is an error, one that this citizen does not reach yet is a page that says
    what is missing. A voluntary one is served as well as we can (OpenID Connect Core §5.5.1.1).
    """
    member = request.claims.id_token.get("acr")
    named = [value for value in member.wanted if isinstance(value, str)] if member else []
    voluntary = [*asked.parameters.get("acr_values", "").split(), *named]
    served = _lowest(voluntary)
    if served is not None and ACR_RANK[served] > ACR_RANK[_HIGHEST_VOLUNTARY]:
        served = _HIGHEST_VOLUNTARY
    needed = _higher(_lowest(asked.client.metadata.default_acr_values) or "substantial", served)
    if member is not None and member.essential and member.wanted:
        essential = _lowest(named)
        if essential is None:
            raise AuthorizationError("unmet_authentication_requirements")
        needed = _higher(needed, essential)
    return msgspec.structs.replace(request, acr_needed=needed)


def pages_are_prepared(asked: Asked, request: AuthorizationRequest) -> AuthorizationRequest:
    """``display`` is accepted and there is one kind of page (OpenID Connect Core §3.1.2.1)."""
    return msgspec.structs.replace(
        request, login_hint=asked.parameters.get("login_hint"), ui_locales=asked.parameters.get("ui_locales")
    )


def resource_is_known(asked: Asked, request: AuthorizationRequest) -> AuthorizationRequest:
    """RFC 8707 §2; of several there is no single audience."""
    resource = asked.parameters.get("resource")
    if resource is None:
        return request
    if asked.scopes.audience(frozenset(request.scopes), resource, issuer=asked.issuer) is None:
        raise AuthorizationError("invalid_target")
    return msgspec.structs.replace(request, resource=resource)


def details_are_of_a_registered_type(asked: Asked, request: AuthorizationRequest) -> AuthorizationRequest:
    """RFC 9396 §5"""
    text = asked.parameters.get("authorization_details")
    if text is None:
        return request
    registered = asked.client.metadata.authorization_details_types
    return msgspec.structs.replace(
        request, authorization_details=read_details(text, registered=registered, today=asked.today)
    )


def code_is_bound_to_one_key(asked: Asked, request: AuthorizationRequest) -> AuthorizationRequest:
    """RFC 9449 §10: named by its thumbprint, shown by a proof at the pushed request, or both alike."""
    named = asked.parameters.get("dpop_jkt")
    if named is not None and not _THUMBPRINT.fullmatch(named):
        raise AuthorizationError("invalid_request", "dpop_jkt")
    if named is not None and asked.proof_jkt is not None and named != asked.proof_jkt:
        raise AuthorizationError("invalid_dpop_proof", "dpop_jkt names another key than the proof's")
    return msgspec.structs.replace(request, dpop_jkt=named or asked.proof_jkt)


A: frozenset[Endpoint] = frozenset({"authorize"})
AP: frozenset[Endpoint] = frozenset({"authorize", "par"})
ALL: frozenset[Endpoint] = AP | {"device", "ciba"}


def strict_clients_are_confirmed(asked: Asked, request: AuthorizationRequest) -> AuthorizationRequest:
    return msgspec.structs.replace(request, confirmed_each_sign_in=asked.client.strict)


STEPS: tuple[tuple[Step, frozenset[Endpoint]], ...] = (
    (redirect_uri_is_registered, AP),
    (request_is_pushed_where_it_must_be, A),
    (request_is_signed_where_it_must_be, AP),
    (registration_stands_elsewhere, AP),
    (response_type_is_code, AP),
    (response_mode_is_served, AP),
    (state_and_nonce_have_a_limit, AP),
    (scopes_are_registered, ALL),
    (claims_can_be_read, ALL),
    (code_challenge_is_s256, AP),
    (prompt_makes_sense, AP),
    (strict_clients_are_confirmed, AP),
    (max_age_is_a_number, ALL),
    (person_is_hinted, AP),
    (sub_is_wanted, ALL),
    (level_can_be_reached, ALL),
    (pages_are_prepared, ALL),
    (resource_is_known, ALL),
    (details_are_of_a_registered_type, ALL),
    (code_is_bound_to_one_key, AP),
)


def _lowest(values: Sequence[str]) -> Acr | None:
    known: list[Acr] = [_LEVELS[value] for value in values if value in _LEVELS]
    if not known:
        return None
    return min(known, key=ACR_RANK.__getitem__)


def _higher(one: Acr, other: Acr | None) -> Acr:
    return one if other is None else max(one, other, key=ACR_RANK.__getitem__)
