"""How a client proves who it is (RFC 6749 §2.3, RFC 7523 §2.2): exactly one method, the one that it registered."""

import base64
import hmac
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from urllib.parse import unquote_plus

import msgspec
from cryptography import x509

from idp.clients.certificates import CertificationAuthorities, names_client, valid_today
from idp.clients.find import FindClient
from idp.clients.key_sets import KeySets, NoKeys
from idp.clients.registry import ClientRegistry
from idp.clients.schema import ALGORITHMS_OF_PROFILE, CIBA, AuthenticationMethod, Client
from idp.pacing import count_client, count_public_client
from idp.parameters import Parameters
from idp.refusals import InvalidClient, InvalidRequest
from kit import client_certificate
from kit.client_certificate import ClientCertificate
from kit.db import Database
from kit.edge import caller
from kit.jose import Algorithm, TokenRefused, header_of, unverified_claims, verify
from kit.tokens import digest

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_ASSERTION_LIFETIME_MAX_S = 3_600


class ClientAuthentication(msgspec.Struct, frozen=True, kw_only=True):
    """The parts that telling who a client is takes, at whatever endpoint."""

    db: Database
    clients: ClientRegistry
    find: FindClient
    key_sets: KeySets
    issuer: str
    mtls_issuer: str | None = None
    authorities: CertificationAuthorities | None = None
    """Who vouches for certificates of ``tls_client_auth``; without them nobody does."""

    def audiences(self, path: str) -> list[str]:
        """What a client assertion may name beside the issuer: the token endpoint, or where it is sent (RFC 7523 §3)."""
        bases = [base for base in (self.issuer, self.mtls_issuer) if base is not None]
        return [self.issuer, *(f"{base}{place}" for base in bases for place in ("/token", path))]


class Credentials(msgspec.Struct, frozen=True, kw_only=True):
    """What the request carries, unchecked; ``client_id`` says whose record to fetch."""

    method: AuthenticationMethod
    client_id: str
    secret: str = ""
    assertion: str = ""
    certificate: ClientCertificate | None = None
    """What the client showed in TLS, whatever its method: tokens can be bound to it."""


class Assertion(msgspec.Struct, frozen=True):
    """A client assertion that was verified and must now be spent."""

    sha256: bytes
    """Of the client and the assertion's ``jti``."""
    expires_at: float


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
    certificate = _certificate(headers)
    if found:
        return found[0] if certificate is None else msgspec.structs.replace(found[0], certificate=certificate)
    if "client_id" not in parameters:
        raise InvalidClient("no client authentication", headers=_challenge(authorization))
    return Credentials(method="none", client_id=parameters["client_id"], certificate=certificate)


async def authenticate(
    parts: ClientAuthentication, client: Client | None, credentials: Credentials, *, path: str
) -> Assertion | None:
    """Raise InvalidClient unless the credentials are the client's. An Assertion must be spent by the caller's write.

    ``path`` is the endpoint's, below the issuer.
    """
    assertion = await _proved(parts, client, credentials, path=path)
    assert client is not None
    asking = caller()
    asking.client_id, asking.profile = client.client_id, client.profile
    (count_public_client if client.public else count_client)(client.client_id)
    return assertion


async def _proved(
    parts: ClientAuthentication, client: Client | None, credentials: Credentials, *, path: str
) -> Assertion | None:
    refused = InvalidClient(headers=_challenge("basic") if credentials.method == "client_secret_basic" else None)
    if client is None or client.state != "active":
        raise refused
    method = client.metadata.token_endpoint_auth_method
    if method in ("tls_client_auth", "self_signed_tls_client_auth"):
        if credentials.method != "none" or credentials.certificate is None:
            raise InvalidClient("a client certificate is needed, and nothing else")
        await _check_certificate(parts, client, credentials.certificate.parsed)
        return None
    if method != credentials.method:
        raise refused
    match credentials.method:
        case "none":
            return None
        case "private_key_jwt":
            return await _verified(parts, client, credentials.assertion, path=path)
        case _:
            if not _is_a_secret_of(client, digest(credentials.secret)):
                raise refused
            return None


def _is_a_secret_of(client: Client, sent_sha256: bytes) -> bool:
    """The secret, or for a while the one before it."""
    accepted = [client.secret_sha256] if client.secret_sha256 else []
    until = client.previous_secret_until
    if client.previous_secret_sha256 and until is not None and datetime.now(UTC) < until:
        accepted.append(client.previous_secret_sha256)
    return any(hmac.compare_digest(secret_sha256, sent_sha256) for secret_sha256 in accepted)


def _basic(encoded: str) -> tuple[str, str]:
    """RFC 6749 §2.3.1: both parts are form-encoded before they are joined."""
    try:
        client_id, colon, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except ValueError:  # not base64, not ASCII, not UTF-8
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


async def _verified(parts: ClientAuthentication, client: Client, assertion: str, *, path: str) -> Assertion:
    # CIBA Core §7.1: who registered that grant may name any of three audiences, whatever the profile.
    strict = client.strict and CIBA not in client.metadata.grant_types
    try:
        claims = verify(
            assertion,
            await parts.key_sets.keys_of(client, kid=header_of(assertion).get("kid")),
            algorithms=_algorithms(client),
            typ=None,
            issuer=client.client_id,
            audience=parts.issuer if strict else parts.audiences(path),
            strict_audience=strict,
            require=("iss", "sub", "aud", "exp", "jti"),
            leeway_s=10,
        )
    except (TokenRefused, NoKeys) as fault:
        raise InvalidClient(f"client_assertion: {fault.reason}") from None
    if claims["sub"] != client.client_id:
        raise InvalidClient("client_assertion: sub")
    if claims["exp"] > time.time() + _ASSERTION_LIFETIME_MAX_S + 60:
        raise InvalidClient("client_assertion: exp is too far away")
    # Kept for the leeway too, or an assertion could come back in its last seconds.
    return Assertion(digest(f"assertion\n{client.client_id}\n{claims['jti']}"), float(claims["exp"]) + 60)


def _algorithms(client: Client) -> Sequence[Algorithm]:
    """What the client registered; else those of its profile, for the back channel without RS256 (FAPI-CIBA §7.10)."""
    registered = client.metadata.token_endpoint_auth_signing_alg
    if registered is not None:
        return (registered,)
    allowed = ALGORITHMS_OF_PROFILE[client.profile]
    if "urn:openid:params:grant-type:ciba" in client.metadata.grant_types:
        return tuple(alg for alg in allowed if alg != "RS256")
    return allowed


async def _check_certificate(parts: ClientAuthentication, client: Client, certificate: x509.Certificate) -> None:
    """RFC 8705 §2.1 and §2.2. That the client holds the key, TLS has proved."""
    if client.metadata.token_endpoint_auth_method == "tls_client_auth":
        if parts.authorities is None:
            raise InvalidClient("tls_client_auth: no certification authority is configured here")
        if not parts.authorities.vouch_for(certificate) or not names_client(certificate, client.metadata):
            raise InvalidClient("the certificate does not name this client")
        return
    try:
        held = (await parts.key_sets.keys_of(client, kid=None)).holds(certificate)
        if not held and client.keys is None:
            # A certificate that is new at jwks_uri is like an unknown kid.
            held = (await parts.key_sets.keys_of(client, kid="x5t#S256")).holds(certificate)
    except NoKeys as fault:
        raise InvalidClient(fault.reason) from None
    if not held or not valid_today(certificate):
        raise InvalidClient("the certificate is not among this client's keys, or not valid today")


def _certificate(headers: Mapping[str, str]) -> ClientCertificate | None:
    value = headers.get("client-cert")
    try:
        return client_certificate.read(value) if value else None
    except client_certificate.CertificateUnreadable:
        raise InvalidRequest("the client certificate cannot be read") from None


def _challenge(authorization: str) -> dict[str, str] | None:
    """RFC 6749 §5.2: WWW-Authenticate where the client tried the Authorization header."""
    return {"WWW-Authenticate": 'Basic realm="khizana"'} if authorization else None
