from urllib.parse import urlsplit

from idp.upstream.refusals import RegistrationRefused
from idp.upstream.schema import Metadata, Registration

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def check_issuer(issuer: str, *, loopback_allowed: bool) -> None:
    """OpenID Connect Discovery §2: https, without query and fragment. Raises RegistrationRefused."""
    _check_url("issuer", issuer, loopback_allowed=loopback_allowed)
    if urlsplit(issuer).query or "?" in issuer:
        raise RegistrationRefused("issuer: without a query")


def check_metadata(metadata: Metadata, registration: Registration, *, loopback_allowed: bool) -> None:
    """What a provider says of itself, at registration and each time that it is read again.

    Raises RegistrationRefused where somebody else answers for the issuer (OpenID Connect Discovery §4.3), where an
    endpoint has a host that is not its own, and where it cannot do what we need.
    """
    if metadata.issuer != registration.issuer:
        raise RegistrationRefused("issuer: the metadata name another one")
    hosts = {urlsplit(registration.issuer).netloc.lower(), *(host.lower() for host in registration.hosts)}
    for name in ("authorization_endpoint", "token_endpoint", "jwks_uri", "pushed_authorization_request_endpoint"):
        url: str | None = getattr(metadata, name)
        if url is None:
            continue
        _check_url(name, url, loopback_allowed=loopback_allowed)
        if urlsplit(url).netloc.lower() not in hosts:
            raise RegistrationRefused(f"{name}: its host is not the issuer's and not listed in hosts")
    _must_offer("response_types_supported", metadata.response_types_supported, "code")
    # A provider that does not say it knows PKCE is sent it all the same; the nonce then stands alone (RFC 9700 §2.1.1).
    _must_offer("code_challenge_methods_supported", metadata.code_challenge_methods_supported, "S256")
    _must_offer(
        "id_token_signing_alg_values_supported",
        metadata.id_token_signing_alg_values_supported,
        registration.id_token_signed_response_alg,
    )
    _must_offer(
        "token_endpoint_auth_methods_supported",
        metadata.token_endpoint_auth_methods_supported,
        registration.token_endpoint_auth_method,
    )


def _must_offer(name: str, offered: tuple[str, ...] | None, needed: str) -> None:
    if offered is not None and needed not in offered:
        raise RegistrationRefused(f"{name}: lacks {needed}")


def _check_url(name: str, url: str, *, loopback_allowed: bool) -> None:
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        raise RegistrationRefused(f"{name}: not an address") from None
    if not url.isascii() or not url.isprintable() or " " in url or not host or "@" in parts.netloc or "#" in url:
        raise RegistrationRefused(f"{name}: not an address of a provider")
    if parts.scheme != "https" and not (parts.scheme == "http" and loopback_allowed and host in _LOOPBACK):
        raise RegistrationRefused(f"{name}: https only")
