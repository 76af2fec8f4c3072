"""An operator registers a client. Strictness is per profile (provider.md, Client profiles)."""

import ipaddress
import re
from typing import Any
from urllib.parse import urlsplit

import msgspec
from msgspec import UNSET

from idp.clients import store
from idp.clients.schema import ClientMetadata, ClientRegistration
from idp.clients.scopes import Scopes
from idp.refusals import InvalidClientMetadata, InvalidRedirectUri
from kit.audit import Audit, AuditEvent
from kit.db import Database, Tx
from kit.errors import Conflict
from kit.ids import new_public_id
from kit.jose import KeyRefused, PublicKeys
from kit.tokens import digest, new_token

_URIS_MAX = 20
_URI_LENGTH_MAX = 2_048
_CLIENT_ID = re.compile(r"[A-Za-z0-9._~-]{3,64}")
_SECTOR = re.compile(r"[a-z0-9.-]{2,64}")
_CUSTOM_SCHEME = re.compile(r"[a-z][a-z0-9+-]*(\.[a-z0-9+-]+)+")


class ClientExists(Conflict):
    code, title = "client-exists", "A client with this client_id is registered already."


async def register(
    db: Database, audit: Audit, registration: ClientRegistration, *, officer: str, production: bool
) -> dict[str, Any]:
    """The client as registered (RFC 7591 §3.2.1): its secret, if it has one, exists only in this answer."""
    metadata = await _checked(db, registration, production=production)
    client_id = registration.client_id if isinstance(registration.client_id, str) else f"c-{new_public_id(100).lower()}"
    secret = new_token() if metadata.token_endpoint_auth_method.startswith("client_secret") else None

    async def insert(tx: Tx) -> None:
        if not await store.insert_client(tx, client_id, registration, metadata, digest(secret) if secret else None):
            raise ClientExists
        await audit.append(
            tx,
            AuditEvent(
                action="client.registered",
                actor_kind="officer",
                actor=officer,
                object_id=client_id,
                detail={"profile": registration.profile, "sector": registration.sector},
            ),
        )

    await db.transact(insert)
    return _answer(client_id, registration, metadata, secret)


async def update(
    db: Database, audit: Audit, registration: ClientRegistration, *, officer: str, production: bool
) -> dict[str, Any]:
    """Replace the metadata of a registered client; its secret stays."""
    metadata = await _checked(db, registration, production=production)
    if not isinstance(registration.client_id, str):
        raise InvalidClientMetadata("client_id")
    client_id = registration.client_id

    async def replace(tx: Tx) -> None:
        if not await store.update_client(tx, client_id, registration, metadata):
            raise InvalidClientMetadata("client_id: no such client")
        await audit.append(
            tx, AuditEvent(action="client.updated", actor_kind="officer", actor=officer, object_id=client_id)
        )

    await db.transact(replace)
    return _answer(client_id, registration, metadata, None)


def _answer(
    client_id: str, registration: ClientRegistration, metadata: ClientMetadata, secret: str | None
) -> dict[str, Any]:
    answer: dict[str, Any] = {"client_id": client_id}
    if secret:
        answer |= {"client_secret": secret, "client_secret_expires_at": 0}
    answer |= {"profile": registration.profile, "sector": registration.sector}
    if registration.legal_ground:
        answer["legal_ground"] = registration.legal_ground
    # As they are in force, with every default spelled out.
    shown = {field.encode_name: getattr(metadata, field.name) for field in msgspec.structs.fields(metadata)}
    answer |= {name: value for name, value in shown.items() if value not in (None, ())}
    return answer


async def _checked(tx: Tx, registration: ClientRegistration, *, production: bool) -> ClientMetadata:
    values = {field.name: getattr(registration, field.name) for field in msgspec.structs.fields(ClientMetadata)}
    if registration.client_id is not UNSET and not _CLIENT_ID.fullmatch(str(registration.client_id)):
        raise InvalidClientMetadata("client_id: 3 to 64 letters, digits or . _ ~ -")
    if not _SECTOR.fullmatch(registration.sector):
        raise InvalidClientMetadata("sector: 2 to 64 small letters, digits, dots or dashes")
    metadata = ClientMetadata(**_by_profile(registration, values))
    _check_uris(metadata, registration.profile, production=production)
    _check_keys(metadata)
    scopes = await Scopes.load(tx)
    if metadata.resource is not None and metadata.resource not in scopes.of_resource:
        raise InvalidClientMetadata("resource: not registered")
    for scope in metadata.scopes:
        if not scopes.known(scope):
            raise InvalidClientMetadata(f"scope: {scope} is not known here")
        if scope in scopes.NEED_LEGAL_GROUND and not registration.legal_ground:
            raise InvalidClientMetadata(f"scope: {scope} needs a legal_ground")
    return metadata


def _by_profile(registration: ClientRegistration, values: dict[str, Any]) -> dict[str, Any]:
    method, grants = values["token_endpoint_auth_method"], set(values["grant_types"])
    match registration.profile:
        case "wallet":
            # "client_secret_basic" is only the standard's default here.
            if method not in ("none", "client_secret_basic"):
                raise InvalidClientMetadata("token_endpoint_auth_method: a wallet is a public client")
            values["token_endpoint_auth_method"] = "none"
            if grants - {"authorization_code", "refresh_token"}:
                raise InvalidClientMetadata("grant_types: a wallet uses authorization_code and refresh_token")
        case "basic":
            if method == "none":
                raise InvalidClientMetadata("token_endpoint_auth_method: register a public client as a wallet")
            # A resource server that signs citizens in also speaks for itself: the locker resolves subjects.
            if "client_credentials" in grants and not (method == "private_key_jwt" and registration.legal_ground):
                raise InvalidClientMetadata("grant_types: client_credentials is for the profile machine")
        case "machine":
            if method not in ("private_key_jwt", "client_secret_basic"):
                raise InvalidClientMetadata("token_endpoint_auth_method: a machine uses private_key_jwt")
            values["token_endpoint_auth_method"] = "private_key_jwt"
            if values["redirect_uris"] or grants - {"client_credentials", "authorization_code"}:
                raise InvalidClientMetadata("grant_types: a machine uses client_credentials and nothing else")
            values["grant_types"], values["response_types"] = ("client_credentials",), ()
            if values["scope"] == "openid":
                values["scope"] = ""
        case _:
            raise InvalidClientMetadata("profile: not offered by this version")
    return values


def _check_uris(metadata: ClientMetadata, profile: str, *, production: bool) -> None:
    if "authorization_code" in metadata.grant_types and not metadata.redirect_uris:
        raise InvalidRedirectUri("redirect_uris: at least one")
    for uri in (*metadata.redirect_uris, *metadata.post_logout_redirect_uris):
        _check_redirect_uri(uri, native=profile == "wallet", production=production)
    if len(metadata.redirect_uris) > _URIS_MAX or len(metadata.post_logout_redirect_uris) > _URIS_MAX:
        raise InvalidRedirectUri(f"at most {_URIS_MAX}")
    for name in ("client_uri", "policy_uri", "tos_uri", "logo_uri"):
        uri = getattr(metadata, name)
        if uri is not None and (urlsplit(uri).scheme != "https" or len(uri) > _URI_LENGTH_MAX):
            raise InvalidClientMetadata(f"{name}: an https address")


def _check_redirect_uri(uri: str, *, native: bool, production: bool) -> None:
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
    if parts.scheme == "https" and host:
        return
    if parts.scheme == "http" and _loopback(host) and (native or not production):
        return
    # Private-use schemes are reversed domain names (RFC 8252 §7.1).
    if native and _CUSTOM_SCHEME.fullmatch(parts.scheme):
        return
    raise InvalidRedirectUri("https, or for a wallet loopback or a private-use scheme with a dot (RFC 8252 §7)")


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _check_keys(metadata: ClientMetadata) -> None:
    if metadata.token_endpoint_auth_method == "private_key_jwt" and metadata.jwks is None:
        raise InvalidClientMetadata("jwks: private_key_jwt needs a key set")
    if metadata.jwks is not None:
        try:
            keys = PublicKeys(metadata.jwks)
        except KeyRefused as fault:
            raise InvalidClientMetadata(f"jwks: {fault}") from None
        if metadata.token_endpoint_auth_method == "private_key_jwt" and not keys.sign():
            raise InvalidClientMetadata("jwks: no key for signatures")
