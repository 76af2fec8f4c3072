"""A signed authentication request (CIBA Core §7.1.1, FAPI-CIBA §5.2.2): the parameters stand in it and nowhere else."""

import time
from collections.abc import Mapping
from typing import Any

import msgspec

from idp.authorization.request_object import TYP, as_parameter
from idp.clients.schema import ALGORITHMS_OF_PROFILE, Client
from idp.parameters import VALUE_MAX, Parameters
from idp.refusals import InvalidRequest
from kit.jose import PublicKeys, TokenRefused, verify
from kit.tokens import digest

LIFETIME_MAX_S = 3_600
_LEEWAY_S = 10
_NOT_BEFORE_SPREAD_S = 60
_REQUIRED = ("iss", "aud", "exp", "iat", "nbf", "jti")
ASKED_WITH = frozenset(
    {
        "scope",
        "client_notification_token",
        "acr_values",
        "login_hint_token",
        "id_token_hint",
        "login_hint",
        "binding_message",
        "user_code",
        "requested_expiry",
        "claims",
        "claims_locales",
        "ui_locales",
        "resource",
        "authorization_details",
    }
)


class SignedRequest(msgspec.Struct, frozen=True, kw_only=True):
    parameters: Parameters
    jti_sha256: bytes
    expires_at: float


def must_be_signed(client: Client) -> bool:
    return client.strict or client.metadata.backchannel_authentication_request_signing_alg is not None


def read_signed_request(
    request: str, outside: Parameters, client: Client, *, keys: PublicKeys, issuer: str
) -> SignedRequest:
    """InvalidRequest for the first thing that is wrong; its ``jti`` is still to be spent."""
    if stray := ASKED_WITH & outside.keys():
        raise InvalidRequest(f"{min(stray)} stands outside the signed request")
    alg = client.metadata.backchannel_authentication_request_signing_alg
    try:
        claims = verify(
            request,
            keys,
            algorithms=ALGORITHMS_OF_PROFILE["fapi2"] if alg is None else [alg],
            typ=TYP,
            issuer=client.client_id,
            audience=issuer,
            require=_REQUIRED,
            leeway_s=_LEEWAY_S,
        )
    except TokenRefused as fault:
        raise InvalidRequest(f"request: {fault.reason}") from None
    if claims.get("sub") == client.client_id:
        # It could be taken for a client assertion (RFC 9101 §10.8).
        raise InvalidRequest("request: sub is the client")
    _check_lifetime(claims)
    return SignedRequest(
        parameters=_parameters(claims),
        jti_sha256=digest(f"{client.client_id} request {claims['jti']}"),
        expires_at=float(claims["exp"]) + _NOT_BEFORE_SPREAD_S,
    )


def _check_lifetime(claims: Mapping[str, Any]) -> None:
    now = time.time()
    if not all(isinstance(claims[name], int | float) for name in ("exp", "nbf", "iat")):
        raise InvalidRequest("request: exp, nbf and iat are numbers")
    if claims["nbf"] < now - LIFETIME_MAX_S or claims["iat"] < now - LIFETIME_MAX_S:
        raise InvalidRequest("request: nbf or iat is more than an hour ago")
    if claims["exp"] > now + LIFETIME_MAX_S + _LEEWAY_S or claims["exp"] - claims["nbf"] > LIFETIME_MAX_S:
        raise InvalidRequest("request: exp is more than an hour after nbf")


def _parameters(claims: Mapping[str, Any]) -> dict[str, str]:
    """As they would stand in a form. ``requested_expiry`` comes as a number or as a string (CIBA Core §7.1.1)."""
    found: dict[str, str] = {}
    for name in ASKED_WITH & claims.keys():
        text = as_parameter(name, claims[name])
        if text is None or len(text) > VALUE_MAX or "\x00" in text:
            raise InvalidRequest(f"request: {name}")
        found[name] = text
    return found
