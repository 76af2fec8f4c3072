"""The checks of an authorization request, in the order in which they decide where a "no" may go."""

import re

import msgspec

from idp.authorization.refusals import AuthorizationError, NotRedirected, UnregisteredRedirect
from idp.authorization.schema import ACR_RANK, AuthorizationRequest, ClaimsRequest, Prompt
from idp.clients.schema import Acr, Client
from idp.clients.scopes import Scopes
from idp.parameters import Parameters
from kit.jose import ASYMMETRIC, KeySet, TokenRefused, verify

_CODE_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_PROMPTS = frozenset({"none", "login", "consent", "select_account"})
_STATE_MAX = 4_096
_NONCE_MAX = 512
_HIGHEST_OFFERED: Acr = "substantial"


def redirect_uri_of(parameters: Parameters, client: Client) -> str:
    """Exactly one of the registered ones, compared as strings (RFC 9700 §2.1)."""
    redirect_uri = parameters.get("redirect_uri")
    if redirect_uri is None:
        raise NotRedirected("redirect_uri is missing")
    if redirect_uri not in client.metadata.redirect_uris:
        raise UnregisteredRedirect("redirect_uri is not registered")
    return redirect_uri


def validate(
    parameters: Parameters, client: Client, *, redirect_uri: str, scopes: Scopes, issuer: str, keys: KeySet
) -> AuthorizationRequest:
    """Raise AuthorizationError for the first thing that is wrong."""
    if "request" in parameters:
        raise AuthorizationError("request_not_supported")
    if "request_uri" in parameters:
        raise AuthorizationError("request_uri_not_supported")
    if "registration" in parameters:
        raise AuthorizationError("registration_not_supported")
    response_type = parameters.get("response_type")
    if response_type is None:
        raise AuthorizationError("invalid_request", "response_type is missing")
    if response_type != "code":
        raise AuthorizationError("unsupported_response_type")
    if "authorization_code" not in client.metadata.grant_types:
        raise AuthorizationError("unauthorized_client")
    if parameters.get("response_mode", "query") not in ("query", "form_post"):
        raise AuthorizationError("invalid_request", "response_mode")
    if len(parameters.get("state", "")) > _STATE_MAX or len(parameters.get("nonce", "")) > _NONCE_MAX:
        raise AuthorizationError("invalid_request", "state or nonce is too long")
    asked = _scopes(parameters, client, scopes)
    claims = _claims(parameters)
    return AuthorizationRequest(
        client_id=client.client_id,
        redirect_uri=redirect_uri,
        response_mode="form_post" if parameters.get("response_mode") == "form_post" else "query",
        state=parameters.get("state"),
        nonce=parameters.get("nonce"),
        scopes=tuple(sorted(asked)),
        claims=claims,
        code_challenge=_code_challenge(parameters, client),
        prompt=_prompt(parameters),
        max_age=_max_age(parameters, client),
        acr_needed=_acr_needed(parameters, client, claims),
        login_hint=parameters.get("login_hint"),
        ui_locales=parameters.get("ui_locales"),
        resource=_resource(parameters, asked, scopes, issuer=issuer),
        hinted_sub=_hinted_sub(parameters, client, issuer=issuer, keys=keys),
    )


def _scopes(parameters: Parameters, client: Client, scopes: Scopes) -> frozenset[str]:
    asked = frozenset(parameters.get("scope", "").split())
    if not asked:
        raise AuthorizationError("invalid_scope", "scope is missing")
    # OpenID Connect Core §3.1.2.1: scopes that are not understood are ignored. One that is, and is not this
    # client's, is an error.
    known = frozenset(scope for scope in asked if scopes.known(scope))
    if not known or not known <= client.metadata.scopes | {"openid", "offline_access"}:
        raise AuthorizationError("invalid_scope", "a scope that this client has not registered")
    if "offline_access" in known and "refresh_token" not in client.metadata.grant_types:
        known -= {"offline_access"}
    return known


def _code_challenge(parameters: Parameters, client: Client) -> str | None:
    challenge, method = parameters.get("code_challenge"), parameters.get("code_challenge_method")
    if challenge is None:
        if method is not None:
            raise AuthorizationError("invalid_request", "code_challenge is missing")
        if client.profile != "basic":
            raise AuthorizationError("invalid_request", "code_challenge is missing: PKCE is required")
        return None
    # RFC 7636 §4.3: an absent method means plain, which is not accepted.
    if method != "S256":
        raise AuthorizationError("invalid_request", "code_challenge_method must be S256")
    if not _CODE_CHALLENGE.fullmatch(challenge):
        raise AuthorizationError("invalid_request", "code_challenge")
    return challenge


def _prompt(parameters: Parameters) -> tuple[Prompt, ...]:
    values = parameters.get("prompt", "").split()
    # Values that are not known are ignored; "none" stands alone (OpenID Connect Core §3.1.2.1).
    if "none" in values and len(values) > 1:
        raise AuthorizationError("invalid_request", "prompt: none stands alone")
    return tuple(msgspec.convert(value, Prompt) for value in dict.fromkeys(values) if value in _PROMPTS)


def _max_age(parameters: Parameters, client: Client) -> int | None:
    text = parameters.get("max_age")
    if text is None:
        return client.metadata.default_max_age
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise AuthorizationError("invalid_request", "max_age")
    return int(text)


def _claims(parameters: Parameters) -> ClaimsRequest:
    locales = tuple(parameters.get("claims_locales", "").split()[:10])
    text = parameters.get("claims")
    if text is None:
        return ClaimsRequest(locales=locales)
    try:
        claims = msgspec.json.decode(text, type=ClaimsRequest)
    except msgspec.DecodeError:
        raise AuthorizationError("invalid_request", "claims") from None
    if len(claims.userinfo) + len(claims.id_token) > 100:
        raise AuthorizationError("invalid_request", "claims: too many")
    return msgspec.structs.replace(claims, locales=locales)


def _acr_needed(parameters: Parameters, client: Client, claims: ClaimsRequest) -> Acr:
    """The higher of what the client registered and what it asks for now (provider.md, Smart Pass).

    An essential level that cannot be reached is an error, a voluntary one is served as well as we can.
    """
    needed = _lowest(client.metadata.default_acr_values) or "substantial"
    voluntary = _lowest(parameters.get("acr_values", "").split())
    if voluntary:
        needed = max(needed, voluntary, key=ACR_RANK.__getitem__)
    if ACR_RANK[needed] > ACR_RANK[_HIGHEST_OFFERED]:
        needed = _HIGHEST_OFFERED
    requested = claims.id_token.get("acr")
    if requested is not None and requested.essential:
        wanted = [requested.value] if requested.value is not None else list(requested.values)
        essential = _lowest([value for value in wanted if isinstance(value, str)])
        if wanted and (essential is None or ACR_RANK[essential] > ACR_RANK[_HIGHEST_OFFERED]):
            raise AuthorizationError("unmet_authentication_requirements")
        if essential:
            needed = max(needed, essential, key=ACR_RANK.__getitem__)
    return needed


def _lowest(values: tuple[str, ...] | list[str]) -> Acr | None:
    known = [value for value in values if value in ACR_RANK]
    return msgspec.convert(min(known, key=ACR_RANK.__getitem__), Acr) if known else None


def _resource(parameters: Parameters, asked: frozenset[str], scopes: Scopes, *, issuer: str) -> str | None:
    resource = parameters.get("resource")
    if resource is not None and scopes.audience(asked, resource, issuer=issuer) is None:
        raise AuthorizationError("invalid_target")
    return resource


def _hinted_sub(parameters: Parameters, client: Client, *, issuer: str, keys: KeySet) -> str | None:
    hint = parameters.get("id_token_hint")
    if hint is None:
        return None
    try:
        return str(hint_claims(hint, client.client_id, issuer=issuer, keys=keys)["sub"])
    except TokenRefused:
        raise AuthorizationError("invalid_request", "id_token_hint") from None


def hint_claims(hint: str, client_id: str | None, *, issuer: str, keys: KeySet) -> dict[str, object]:
    """An ID token of ours as a hint: it may have expired (OpenID Connect Core §3.1.2.1, RP-Initiated Logout §2)."""
    return verify(
        hint,
        keys.public,
        algorithms=ASYMMETRIC,
        typ=["jwt"],
        issuer=issuer,
        audience=client_id,
        require=["sub", "aud", "iat", "exp"],
        leeway_s=400 * 86_400,
    )
