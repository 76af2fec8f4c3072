"""A request object (RFC 9101): a signed JWT that holds the parameters of an authorization request."""

from collections.abc import Mapping
from typing import Any

import msgspec

from idp.authorization.refusals import AuthorizationError
from idp.clients.schema import ALGORITHMS_OF_PROFILE, Client
from idp.parameters import VALUE_MAX
from kit.jose import Algorithm, PublicKeys, TokenRefused, verify

LIFETIME_MAX_S = 3_600
_SKEW_S = 10
TYP = ("oauth-authz-req+jwt", "jwt", "")
_OF_THE_JWT = frozenset({"iss", "sub", "aud", "exp", "nbf", "iat", "jti"})
# Parameters whose value is JSON; inside a JWT they need no second encoding.
_STRUCTURED = frozenset({"claims", "authorization_details"})


class ObjectRefused(AuthorizationError):
    def __init__(self, description: str) -> None:
        super().__init__("invalid_request_object", description)


def read_request_object(text: str, keys: PublicKeys, client: Client, *, issuer: str, now: float) -> dict[str, str]:
    """The parameters in a request object that ``client`` signed for us; ObjectRefused for any other.

    ``fapi2`` clients must say for whom and for when they signed (FAPI 2.0 Message Signing §5.3.1); of others these
    members are held to the same rules where they are there.
    """
    strict = client.strict
    try:
        claims = verify(
            text,
            keys,
            algorithms=algorithms_of(client),
            typ=TYP,
            require=("iss", "aud", "exp", "nbf", "client_id") if strict else (),
            leeway_s=_SKEW_S,
        )
    except TokenRefused as fault:
        raise ObjectRefused(fault.reason) from None
    _check_parties(claims, client, issuer=issuer)
    _check_time(claims, now=now)
    return {**_parameters(claims), "client_id": client.client_id}


def algorithms_of(client: Client) -> tuple[Algorithm, ...]:
    registered = client.metadata.request_object_signing_alg
    if registered is not None:
        return (registered,)
    return ALGORITHMS_OF_PROFILE[client.profile]


def _check_parties(claims: Mapping[str, Any], client: Client, *, issuer: str) -> None:
    if claims.get("iss", client.client_id) != client.client_id:
        raise ObjectRefused("iss is not the client")
    if claims.get("client_id", client.client_id) != client.client_id:
        raise ObjectRefused("client_id is another one inside")
    if claims.get("sub") == client.client_id:
        # It could be taken for a client assertion (RFC 9101 §10.8).
        raise ObjectRefused("sub is the client")
    audience = claims.get("aud", issuer)
    if issuer not in (audience if isinstance(audience, list) else [audience]):
        raise ObjectRefused("aud is not this issuer")
    if "request" in claims or "request_uri" in claims:
        raise ObjectRefused("a request object holds no other (RFC 9101 §4)")


def _check_time(claims: Mapping[str, Any], *, now: float) -> None:
    """``exp``, ``nbf`` and ``iat`` themselves were checked with the signature; this is how far they may lie apart."""
    if not all(isinstance(claims.get(name, 0), int | float) for name in ("exp", "nbf", "iat")):
        raise ObjectRefused("exp, nbf and iat are numbers")
    if "nbf" in claims and claims["nbf"] < now - LIFETIME_MAX_S - _SKEW_S:
        raise ObjectRefused("nbf lies too far back")
    if "exp" in claims and claims["exp"] - claims.get("nbf", claims.get("iat", now)) > LIFETIME_MAX_S:
        raise ObjectRefused("exp lies too far ahead")


def _parameters(claims: Mapping[str, Any]) -> dict[str, str]:
    """Only what is in the object counts (RFC 9101 §6.3). Values that no parameter can have are left out."""
    found: dict[str, str] = {}
    for name, value in claims.items():
        text = None if name in _OF_THE_JWT else as_parameter(name, value)
        if text is None:
            continue
        if len(text) > VALUE_MAX or "\x00" in text:
            raise ObjectRefused("a value in it is too long or malformed")
        found[name] = text
    return found


def as_parameter(name: str, value: Any) -> str | None:
    if isinstance(value, str):
        return value or None
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if name in _STRUCTURED and isinstance(value, dict | list):
        return msgspec.json.encode(value).decode()
    if name == "resource" and isinstance(value, list) and all(isinstance(part, str) for part in value):
        return " ".join(value)
    return None
