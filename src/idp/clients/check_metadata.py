"""What a client may say of itself: every member of its metadata, whoever registers it.

RFC 7591 §2, OpenID Connect Dynamic Client Registration §2 and §5, RFC 8705 §2.1.2, CIBA Core §4, the logout standards.
"""

import ipaddress
import re
from urllib.parse import urlsplit

import msgspec

from idp.authorization.details import TYPES
from idp.backchannel.check_registration import check_registration
from idp.clients.certificates import check_subject
from idp.clients.schema import ClientMetadata, Profile
from idp.refusals import InvalidClientMetadata, InvalidRedirectUri
from kit import strict_json
from kit.jose import KeyRefused, PublicKeys
from kit.outbound.fetch import Fetcher, FetchRefused, check_url

_URIS_MAX = 20
_URI_LENGTH_MAX = 2_048
_NAME_LENGTH_MAX = 100
_TEXT_LENGTH_MAX = 500
_CONTACTS_MAX = 10
_CUSTOM_SCHEME = re.compile(r"[a-z][a-z0-9+-]*(\.[a-z0-9+-]+)+")
# What stands in a Content-Security-Policy of ours must not be able to end its directive.
_NETLOC = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?")
_DIRECTION = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_CIBA = "urn:openid:params:grant-type:ciba"
_TLS_SUBJECTS = tuple(f"tls_client_auth_{name}" for name in ("subject_dn", "san_dns", "san_uri", "san_ip", "san_email"))


def check_metadata(
    metadata: ClientMetadata, profile: Profile, *, production: bool, loopback_allowed: bool
) -> ClientMetadata:
    """The metadata in force, defaults that follow from other members filled in; without a network.

    Raises InvalidClientMetadata, InvalidRedirectUri.
    """
    metadata = _completed(metadata)
    _check_texts(metadata)
    native = profile == "wallet" or metadata.application_type == "native"
    _check_redirect_uris(metadata, custom=profile == "wallet", native=native, production=production)
    _check_shown_uris(metadata, loopback_allowed=loopback_allowed)
    _check_fetched_uris(metadata, loopback_allowed=loopback_allowed)
    _check_front_channel(metadata)
    _check_keys(metadata)
    _check_tls(metadata)
    _check_ciba(metadata)
    _check_requests(metadata, profile)
    check_registration(metadata, profile)
    if metadata.default_max_age is not None and metadata.default_max_age < 0:
        raise InvalidClientMetadata("default_max_age: seconds")
    return metadata


def addresses_to_fetch(metadata: ClientMetadata) -> dict[str, str]:
    """Member → an address that we shall fetch, or post to, at some time."""
    named = {
        name: getattr(metadata, name)
        for name in (
            "jwks_uri",
            "sector_identifier_uri",
            "backchannel_logout_uri",
            "backchannel_client_notification_endpoint",
        )
    }
    return {name: uri for name, uri in named.items() if uri is not None} | {
        f"request_uris[{number}]": uri for number, uri in enumerate(metadata.request_uris)
    }


async def check_addresses_of(metadata: ClientMetadata, fetcher: Fetcher) -> None:
    """The names in them must not lead inwards (O-28); each use checks again."""
    for name, uri in addresses_to_fetch(metadata).items():
        try:
            await fetcher.check(uri)
        except FetchRefused as refusal:
            raise InvalidClientMetadata(f"{name}: {refusal.reason}") from None


async def check_sector_identifier(metadata: ClientMetadata, fetcher: Fetcher) -> None:
    """The document lists every redirect_uri (OpenID Connect Dynamic Client Registration §5)."""
    if metadata.sector_identifier_uri is None:
        return
    try:
        fetched = await fetcher.get(metadata.sector_identifier_uri, accept="application/json")
        if fetched.status != 200:
            raise InvalidClientMetadata("sector_identifier_uri: the document cannot be fetched")
        listed = strict_json.decode(fetched.body, list[str])
    except FetchRefused as refusal:
        raise InvalidClientMetadata(f"sector_identifier_uri: {refusal.reason}") from None
    except msgspec.DecodeError:
        raise InvalidClientMetadata("sector_identifier_uri: the document is no JSON array of strings") from None
    if not set(metadata.redirect_uris) <= set(listed):
        raise InvalidClientMetadata("sector_identifier_uri: a redirect_uri is not in its document")


def _completed(metadata: ClientMetadata) -> ClientMetadata:
    filled: dict[str, object] = {}
    if "authorization_code" not in metadata.grant_types:
        filled["response_types"] = ()
    elif metadata.response_types != ("code",):
        raise InvalidClientMetadata("response_types: code")
    for kind in ("id_token", "userinfo", "introspection"):
        alg, enc = f"{kind}_encrypted_response_alg", f"{kind}_encrypted_response_enc"
        if getattr(metadata, alg) is None:
            if getattr(metadata, enc) is not None:
                raise InvalidClientMetadata(f"{enc}: only with {alg}")
        elif getattr(metadata, enc) is None:
            filled[enc] = "A128CBC-HS256"
    return msgspec.structs.replace(metadata, **filled)


def _check_texts(metadata: ClientMetadata) -> None:
    """Citizens read these, so nothing in them may turn the text around or hide (L-30, provider.md)."""
    for names, longest in ((metadata.names(), _NAME_LENGTH_MAX), (metadata.purposes(), _TEXT_LENGTH_MAX)):
        for text in names.values():
            if not text.strip() or len(text) > longest or not text.isprintable() or _DIRECTION.search(text):
                raise InvalidClientMetadata(f"client_name, purpose: 1 to {longest} printable characters")
    if len(metadata.contacts) > _CONTACTS_MAX or any(
        len(contact) > _TEXT_LENGTH_MAX or not contact.isprintable() for contact in metadata.contacts
    ):
        raise InvalidClientMetadata(f"contacts: at most {_CONTACTS_MAX}")


def _check_redirect_uris(metadata: ClientMetadata, *, custom: bool, native: bool, production: bool) -> None:
    if "authorization_code" in metadata.grant_types and not metadata.redirect_uris:
        raise InvalidRedirectUri("redirect_uris: at least one")
    if len(metadata.redirect_uris) > _URIS_MAX or len(metadata.post_logout_redirect_uris) > _URIS_MAX:
        raise InvalidRedirectUri(f"at most {_URIS_MAX}")
    for uri in (*metadata.redirect_uris, *metadata.post_logout_redirect_uris):
        _check_redirect_uri(uri, custom=custom, native=native, production=production)


def _check_redirect_uri(uri: str, *, custom: bool, native: bool, production: bool) -> None:
    try:
        parts = urlsplit(uri)
        host = parts.hostname or ""
        _ = parts.port
    except ValueError:
        raise InvalidRedirectUri("not a URI") from None
    if len(uri) > _URI_LENGTH_MAX or not uri.isascii() or not uri.isprintable() or any(c in uri for c in ' "<>\\^`{|}'):
        raise InvalidRedirectUri("a redirection URI is plain ASCII without spaces")
    if "#" in uri or "*" in uri or "@" in parts.netloc or "/../" in f"{parts.path}/" or "/./" in f"{parts.path}/":
        raise InvalidRedirectUri("no fragment, wildcard, user name or dot segment (RFC 6749 §3.1.2)")
    # Private-use schemes are reversed domain names (RFC 8252 §7.1).
    if custom and _CUSTOM_SCHEME.fullmatch(parts.scheme):
        return
    if not _NETLOC.fullmatch(parts.netloc):
        raise InvalidRedirectUri("a host, and a port where it is not the scheme's")
    if parts.scheme == "https" and host:
        return
    if parts.scheme == "http" and _loopback(host) and (native or not production):
        return
    raise InvalidRedirectUri("https, or for a native client loopback or a private-use scheme with a dot (RFC 8252 §7)")


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _check_shown_uris(metadata: ClientMetadata, *, loopback_allowed: bool) -> None:
    """A citizen may follow them from our pages: https and nothing else (O-31)."""
    for name in ("client_uri", "policy_uri", "tos_uri", "logo_uri", "initiate_login_uri"):
        uri = getattr(metadata, name)
        if uri is None:
            continue
        try:
            check_url(uri, loopback_allowed=loopback_allowed)
            if not uri.startswith("https:"):
                raise FetchRefused("an https address")
        except FetchRefused as refusal:
            raise InvalidClientMetadata(f"{name}: {refusal.reason}") from None


def _check_fetched_uris(metadata: ClientMetadata, *, loopback_allowed: bool) -> None:
    if len(metadata.request_uris) > _URIS_MAX:
        raise InvalidClientMetadata(f"request_uris: at most {_URIS_MAX}")
    for name, uri in addresses_to_fetch(metadata).items():
        try:
            check_url(uri, loopback_allowed=loopback_allowed)
        except FetchRefused as refusal:
            raise InvalidClientMetadata(f"{name}: {refusal.reason}") from None
        # A request_uri may carry the digest of its content there (OpenID Connect Core §6.2); the others mean nothing.
        if "#" in uri and not name.startswith("request_uris"):
            raise InvalidClientMetadata(f"{name}: no fragment")


def _check_front_channel(metadata: ClientMetadata) -> None:
    uri = metadata.frontchannel_logout_uri
    if uri is None:
        return
    allowed = {_origin(redirect_uri) for redirect_uri in metadata.redirect_uris}
    if len(uri) > _URI_LENGTH_MAX or "#" in uri or not uri.isascii() or not uri.isprintable() or " " in uri:
        raise InvalidClientMetadata("frontchannel_logout_uri: an absolute URI without fragment")
    if urlsplit(uri).scheme not in ("https", "http") or _origin(uri) not in allowed:
        raise InvalidClientMetadata("frontchannel_logout_uri: scheme, host and port of a redirect_uri")


def _origin(uri: str) -> tuple[str, str]:
    parts = urlsplit(uri)
    default = {"https": ":443", "http": ":80"}.get(parts.scheme, "")
    return parts.scheme, parts.netloc.lower().removesuffix(default)


def _check_keys(metadata: ClientMetadata) -> None:
    if metadata.jwks is not None and metadata.jwks_uri is not None:
        raise InvalidClientMetadata("jwks, jwks_uri: not both")
    method = metadata.token_endpoint_auth_method
    has_keys = metadata.jwks is not None or metadata.jwks_uri is not None
    if method in ("private_key_jwt", "self_signed_tls_client_auth") and not has_keys:
        raise InvalidClientMetadata(f"jwks, jwks_uri: {method} needs a key set")
    for name in (
        "id_token_encrypted_response_alg",
        "userinfo_encrypted_response_alg",
        "introspection_encrypted_response_alg",
        "request_object_signing_alg",
        "backchannel_authentication_request_signing_alg",
    ):
        if getattr(metadata, name) is not None and not has_keys:
            raise InvalidClientMetadata(f"jwks, jwks_uri: {name} needs a key set")
    if metadata.jwks is None:
        return
    try:
        keys = PublicKeys(metadata.jwks)
    except KeyRefused as fault:
        raise InvalidClientMetadata(f"jwks: {fault}") from None
    if method == "private_key_jwt" and not keys.sign():
        raise InvalidClientMetadata("jwks: no key for signatures")


def _check_tls(metadata: ClientMetadata) -> None:
    named = [name for name in _TLS_SUBJECTS if getattr(metadata, name) is not None]
    if metadata.token_endpoint_auth_method == "tls_client_auth":
        if len(named) != 1:
            raise InvalidClientMetadata("tls_client_auth: exactly one subject (RFC 8705 §2.1.2)")
        check_subject(metadata)
    elif named:
        raise InvalidClientMetadata(f"{named[0]}: only with tls_client_auth")


def _check_ciba(metadata: ClientMetadata) -> None:
    mode = metadata.backchannel_token_delivery_mode
    if _CIBA in metadata.grant_types and mode is None:
        raise InvalidClientMetadata("backchannel_token_delivery_mode: needed for CIBA")
    if (mode == "ping") != (metadata.backchannel_client_notification_endpoint is not None):
        raise InvalidClientMetadata("backchannel_client_notification_endpoint: with the mode ping, and only then")


def _check_requests(metadata: ClientMetadata, profile: Profile) -> None:
    for name in metadata.authorization_details_types:
        if name not in TYPES:
            raise InvalidClientMetadata(f"authorization_details_types: {', '.join(TYPES)} is what there is")
    signs = profile == "fapi2-ms" or metadata.require_signed_request_object
    if signs and metadata.jwks is None and metadata.jwks_uri is None:
        raise InvalidClientMetadata("jwks, jwks_uri: signed requests need a key set")
