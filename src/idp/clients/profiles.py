"""How strict a client is held is in its record: the profile's rules, at registration (provider.md, Client profiles)."""

from typing import Any

from idp.clients.schema import ALGORITHMS_OF_PROFILE, CIBA, SENDER_CONSTRAINED, ClientRegistration
from idp.refusals import InvalidClientMetadata

_STRONG_METHODS = ("private_key_jwt", "tls_client_auth", "self_signed_tls_client_auth")
_DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
_TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
_ALG_MEMBERS = (
    "token_endpoint_auth_signing_alg",
    "request_object_signing_alg",
    "authorization_signed_response_alg",
    "id_token_signed_response_alg",
    "userinfo_signed_response_alg",
    "introspection_signed_response_alg",
    "backchannel_authentication_request_signing_alg",
)


def with_defaults(members: dict[str, Any]) -> dict[str, Any]:
    """What the standard says of a member that was left out, where it is not what we would choose.

    ID tokens are signed with RS256 (Dynamic Client Registration §2): software that exists expects it. The stricter
    profiles do not have it, and neither has the back channel (FAPI-CIBA §5.2.2).
    """
    grant_types = members.get("grant_types")
    asks_back = isinstance(grant_types, list) and CIBA in grant_types
    if members.get("profile") == "basic" and not asks_back:
        members.setdefault("id_token_signed_response_alg", "RS256")
    return members


def by_profile(registration: ClientRegistration, values: dict[str, Any]) -> dict[str, Any]:
    """The rules of provider.md's table; what a profile leaves open keeps the value that was handed in."""
    match registration.profile:
        case "wallet":
            _as_wallet(values)
        case "basic":
            _as_basic(registration, values)
        case "fapi2" | "fapi2-ms":
            _as_fapi2(registration, values)
        case "machine":
            _as_machine(values)
    if registration.profile in SENDER_CONSTRAINED and not values["tls_client_certificate_bound_access_tokens"]:
        values["dpop_bound_access_tokens"] = True
    allowed = ALGORITHMS_OF_PROFILE[registration.profile]
    for member in _ALG_MEMBERS:
        if values[member] is not None and values[member] not in allowed:
            raise InvalidClientMetadata(f"{member}: this profile allows {', '.join(allowed)}")
    return values


def _as_wallet(values: dict[str, Any]) -> None:
    # "client_secret_basic" is only the standard's default here.
    if values["token_endpoint_auth_method"] not in ("none", "client_secret_basic"):
        raise InvalidClientMetadata("token_endpoint_auth_method: a wallet is a public client")
    values["token_endpoint_auth_method"] = "none"
    if set(values["grant_types"]) - {"authorization_code", "refresh_token", _DEVICE_CODE}:
        raise InvalidClientMetadata("grant_types: a wallet uses authorization_code, refresh_token and device_code")


def _as_basic(registration: ClientRegistration, values: dict[str, Any]) -> None:
    method, grants = values["token_endpoint_auth_method"], set(values["grant_types"])
    if method == "none":
        raise InvalidClientMetadata("token_endpoint_auth_method: register a public client as a wallet")
    # A resource server that signs citizens in also speaks for itself: the locker resolves subjects.
    if "client_credentials" in grants and not (method == "private_key_jwt" and registration.legal_ground):
        raise InvalidClientMetadata("grant_types: client_credentials is for the profile machine")


def _as_fapi2(registration: ClientRegistration, values: dict[str, Any]) -> None:
    """FAPI 2.0 Security Profile §5.3.2.1; Message Signing §5.3, §5.4."""
    _need_key_or_certificate(values)
    values["require_pushed_authorization_requests"] = True
    if registration.profile == "fapi2-ms":
        values["require_signed_request_object"] = True
        values["authorization_signed_response_alg"] = values["authorization_signed_response_alg"] or "ES256"


def _as_machine(values: dict[str, Any]) -> None:
    _need_key_or_certificate(values)
    grants = set(values["grant_types"])
    if values["redirect_uris"] or grants - {"client_credentials", "authorization_code", _TOKEN_EXCHANGE}:
        raise InvalidClientMetadata("grant_types: a machine uses client_credentials and token exchange")
    # "authorization_code" is only the standard's default here.
    values["grant_types"] = ("client_credentials", *sorted(grants & {_TOKEN_EXCHANGE}))
    values["response_types"] = ()
    if values["scope"] == "openid":
        values["scope"] = ""


def _need_key_or_certificate(values: dict[str, Any]) -> None:
    if values["token_endpoint_auth_method"] == "client_secret_basic":
        # Only the standard's default.
        values["token_endpoint_auth_method"] = "private_key_jwt"
    if values["token_endpoint_auth_method"] not in _STRONG_METHODS:
        raise InvalidClientMetadata(f"token_endpoint_auth_method: one of {', '.join(_STRONG_METHODS)}")
