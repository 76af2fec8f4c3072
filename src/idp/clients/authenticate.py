"""How a client proves who it is (RFC 6749 §2.3, RFC 7523 §2.2): exactly one method, the one that it registered."""

import base64
import binascii
import hmac
import time
from collections.abc import Mapping, Sequence
from urllib.parse import unquote_plus

import msgspec

from idp.clients.schema import AuthenticationMethod, Client
from idp.parameters import Parameters
from idp.refusals import InvalidClient, InvalidRequest
from kit.jose import ASYMMETRIC, TokenRefused, unverified_claims, verify
from kit.tokens import digest

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_ASSERTION_LIFETIME_MAX_S = 3_600


class Credentials(msgspec.Struct, frozen=True, kw_only=True):
    """What the request carries, unchecked; ``client_id`` says whose record to fetch."""

    method: AuthenticationMethod
    client_id: str
    secret: str = ""
    assertion: str = ""


class Assertion(msgspec.Struct, frozen=True):
    """A client assertion that was verified and must now be spent."""

    jti_sha256: bytes
    expires_at: int


def credentials_of(headers: Mapping[str, str], parameters: Parameters) -> Credentials:
    authorization = headers.get("authorization", "")
    found: list[Credentials] = []
    if authorization[:6].lower() == "basic ":
        client_id, secret = _basic(authorization[6:])
        if parameters.get("client_id", client_id) != client_id:
            raise InvalidRequest("client_id differs from the authenticated client")
        found.append(Credentials(method="client_secret_basic", client_id=client_id, secret=secret))
    if "client_secret" in parameters:
        found.append(
            Credentials(
                method="client_secret_post",
                client_id=parameters.get("client_id", ""),
                secret=parameters["client_secret"],
            )
        )
    if "client_assertion" in parameters or "client_assertion_type" in parameters:
        found.append(_assertion(parameters))
    if len(found) > 1:
        raise InvalidRequest("more than one client authentication method")
    if found:
        return found[0]
    if "client_id" not in parameters:
        raise InvalidClient("no client authentication", headers=_challenge(authorization))
    return Credentials(method="none", client_id=parameters["client_id"])


def authenticate(
    client: Client | None, credentials: Credentials, *, issuer: str, audiences: Sequence[str]
) -> Assertion | None:
    """Raise InvalidClient unless the credentials are the client's. An Assertion must be spent by the caller's write.

    ``audiences`` are what an assertion may name; the profile ``machine`` and ``basic`` may name the endpoint.
    """
    refused = InvalidClient(headers=_challenge("basic") if credentials.method == "client_secret_basic" else None)
    if client is None or client.state != "active":
        raise refused
    if client.metadata.token_endpoint_auth_method != credentials.method:
        raise refused
    match credentials.method:
        case "none":
            return None
        case "private_key_jwt":
            return _verified(client, credentials.assertion, issuer=issuer, audiences=audiences)
        case _:
            if client.secret_sha256 is None or not hmac.compare_digest(
                client.secret_sha256, digest(credentials.secret)
            ):
                raise refused
            return None


def _basic(encoded: str) -> tuple[str, str]:
    """RFC 6749 §2.3.1: both parts are form-encoded before they are joined."""
    try:
        client_id, colon, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        colon = client_id = secret = ""
    if not colon or not client_id:
        raise InvalidClient("Authorization cannot be decoded", headers=_challenge("basic"))
    return unquote_plus(client_id), unquote_plus(secret)


def _assertion(parameters: Parameters) -> Credentials:
    if parameters.get("client_assertion_type") != ASSERTION_TYPE:
        raise InvalidClient("client_assertion_type")
    assertion = parameters.get("client_assertion", "")
    try:
        claimed = unverified_claims(assertion).get("sub")
    except TokenRefused:
        raise InvalidClient("client_assertion") from None
    if not isinstance(claimed, str) or parameters.get("client_id", claimed) != claimed:
        raise InvalidClient("client_assertion: sub")
    return Credentials(method="private_key_jwt", client_id=claimed, assertion=assertion)


def _verified(client: Client, assertion: str, *, issuer: str, audiences: Sequence[str]) -> Assertion:
    assert client.keys is not None
    strict = client.profile in ("fapi2", "fapi2-ms")
    try:
        claims = verify(
            assertion,
            client.keys,
            algorithms=ASYMMETRIC,
            typ=None,
            issuer=client.client_id,
            audience=issuer if strict else list(audiences),
            strict_audience=strict,
            require=("iss", "sub", "aud", "exp", "jti"),
            leeway_s=10,
        )
    except TokenRefused as fault:
        raise InvalidClient(f"client_assertion: {fault.reason}") from None
    if claims["sub"] != client.client_id:
        raise InvalidClient("client_assertion: sub")
    if claims["exp"] > time.time() + _ASSERTION_LIFETIME_MAX_S + 60:
        raise InvalidClient("client_assertion: exp is too far away")
    # Kept for the leeway too, or an assertion could come back in its last seconds.
    return Assertion(digest(str(claims["jti"])), int(claims["exp"]) + 60)


def _challenge(authorization: str) -> dict[str, str] | None:
    """RFC 6749 §5.2: WWW-Authenticate where the client tried the Authorization header."""
    return {"WWW-Authenticate": 'Basic realm="khizana"'} if authorization else None
