"""An operator registers a client. Strictness is per profile (provider.md, Client profiles)."""

import re
from collections.abc import Collection
from typing import Any

import msgspec
from msgspec import UNSET

from idp.clients import store
from idp.clients.check_metadata import (
    addresses_to_fetch,
    check_addresses_of,
    check_metadata,
    check_sector_identifier,
)
from idp.clients.logo import Logo, fetch_logo
from idp.clients.profiles import by_profile
from idp.clients.schema import ClientMetadata, ClientRegistration
from idp.clients.scopes import Scopes
from idp.refusals import InvalidClientMetadata
from kit.audit import Audit, AuditEvent
from kit.db import Database, Tx
from kit.errors import Conflict
from kit.ids import new_public_id
from kit.jose import ASYMMETRIC, Algorithm
from kit.outbound.fetch import Fetcher
from kit.tokens import digest, new_token

_CLIENT_ID = re.compile(r"[A-Za-z0-9._~-]{3,64}")
_SECTOR = re.compile(r"[a-z0-9.-]{2,64}")
_SIGNED_FOR_CLIENTS = (
    "authorization_signed_response_alg",
    "id_token_signed_response_alg",
    "userinfo_signed_response_alg",
    "introspection_signed_response_alg",
)


class ClientExists(Conflict):
    code, title = "client-exists", "A client with this client_id is registered already."


async def register(
    db: Database,
    audit: Audit,
    registration: ClientRegistration,
    *,
    officer: str,
    production: bool,
    fetcher: Fetcher | None = None,
    signs_with: Collection[Algorithm] = ASYMMETRIC,
) -> dict[str, Any]:
    """The client as registered (RFC 7591 §3.2.1): its secret, if it has one, exists only in this answer."""
    check_sector(registration.sector)
    metadata, logo = await checked(db, registration, production=production, fetcher=fetcher, signs_with=signs_with)
    client_id = registration.client_id if isinstance(registration.client_id, str) else new_client_id()

    async def once(tx: Tx) -> str | None:
        secret = await insert(tx, client_id, registration, metadata, logo)
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
        return secret

    return _answer(client_id, registration, metadata, await db.transact(once))


async def update(
    db: Database,
    audit: Audit,
    registration: ClientRegistration,
    *,
    officer: str,
    production: bool,
    fetcher: Fetcher | None = None,
    signs_with: Collection[Algorithm] = ASYMMETRIC,
) -> dict[str, Any]:
    """Replace the metadata of a registered client; its secret stays."""
    check_sector(registration.sector)
    metadata, logo = await checked(db, registration, production=production, fetcher=fetcher, signs_with=signs_with)
    if not isinstance(registration.client_id, str):
        raise InvalidClientMetadata("client_id")
    client_id = registration.client_id

    async def once(tx: Tx) -> str | None:
        secret = await put(tx, client_id, registration, metadata, logo)
        await audit.append(
            tx, AuditEvent(action="client.updated", actor_kind="officer", actor=officer, object_id=client_id)
        )
        return secret

    return _answer(client_id, registration, metadata, await db.transact(once))


def new_client_id() -> str:
    return f"c-{new_public_id(100).lower()}"


async def insert(
    tx: Tx, client_id: str, registration: ClientRegistration, metadata: ClientMetadata, logo: Logo | None
) -> str | None:
    """The secret, where its way to authenticate has one. What was ``checked`` is written; ClientExists."""
    secret = new_token() if _has_secret(metadata) else None
    if not await store.insert_client(tx, client_id, registration, metadata, digest(secret) if secret else None):
        raise ClientExists
    await store.put_logo(tx, client_id, logo)
    return secret


async def put(
    tx: Tx, client_id: str, registration: ClientRegistration, metadata: ClientMetadata, logo: Logo | None
) -> str | None:
    """A secret that there is stays; one that is needed now and was not there is made and returned."""
    secret = new_token() if _has_secret(metadata) else None
    is_new = await store.update_client(tx, client_id, registration, metadata, digest(secret) if secret else None)
    if is_new is None:
        raise InvalidClientMetadata("client_id: no such client")
    await store.put_logo(tx, client_id, logo)
    return secret if is_new else None


async def delete(tx: Tx, client_id: str) -> None:
    """For good: its row stays for the history of citizens, and nothing opens with it any more."""
    await store.delete_client(tx, client_id)
    await store.put_logo(tx, client_id, None)


def _has_secret(metadata: ClientMetadata) -> bool:
    return metadata.token_endpoint_auth_method.startswith("client_secret")


def check_sector(sector: str) -> None:
    if not _SECTOR.fullmatch(sector):
        raise InvalidClientMetadata("sector: 2 to 64 small letters, digits, dots or dashes")


def _answer(
    client_id: str, registration: ClientRegistration, metadata: ClientMetadata, secret: str | None
) -> dict[str, Any]:
    answer = {**in_force(client_id, metadata, secret), "profile": registration.profile, "sector": registration.sector}
    if registration.legal_ground:
        answer["legal_ground"] = registration.legal_ground
    return answer


def in_force(client_id: str, metadata: ClientMetadata, secret: str | None) -> dict[str, Any]:
    """RFC 7591 §3.2.1: the members as they are in force, with every default spelled out."""
    answer: dict[str, Any] = {"client_id": client_id}
    if secret:
        answer |= {"client_secret": secret, "client_secret_expires_at": 0}
    shown = {field.encode_name: getattr(metadata, field.name) for field in msgspec.structs.fields(metadata)}
    return answer | {name: value for name, value in shown.items() if value not in (None, ())}


async def checked(
    tx: Tx,
    registration: ClientRegistration,
    *,
    production: bool,
    fetcher: Fetcher | None,
    signs_with: Collection[Algorithm],
) -> tuple[ClientMetadata, Logo | None]:
    """The metadata in force and the logo to keep. Without a ``fetcher`` members that need one are refused.
    ``signs_with`` are the algorithms for which the provider has a key.

    Never inside a transaction: it asks other hosts.
    """
    values = {field.name: getattr(registration, field.name) for field in msgspec.structs.fields(ClientMetadata)}
    if registration.client_id is not UNSET and not _CLIENT_ID.fullmatch(str(registration.client_id)):
        raise InvalidClientMetadata("client_id: 3 to 64 letters, digits or . _ ~ -")
    metadata = check_metadata(
        ClientMetadata(**by_profile(registration, values)),
        registration.profile,
        production=production,
        loopback_allowed=fetcher is not None and fetcher.loopback_allowed,
    )
    for member in _SIGNED_FOR_CLIENTS:
        if getattr(metadata, member) not in (None, *signs_with):
            raise InvalidClientMetadata(f"{member}: no key here signs with it")
    await _check_scopes(tx, registration, metadata)
    if fetcher is None:
        if addresses_to_fetch(metadata) or metadata.logo_uri is not None:
            raise InvalidClientMetadata("an address in it cannot be fetched from here")
        return metadata, None
    await check_addresses_of(metadata, fetcher)
    await check_sector_identifier(metadata, fetcher)
    logo = await fetch_logo(fetcher, metadata.logo_uri) if metadata.logo_uri is not None else None
    # In force is what we can show: a logo that could not be fetched is none.
    return (metadata if logo else msgspec.structs.replace(metadata, logo_uri=None)), logo


async def _check_scopes(tx: Tx, registration: ClientRegistration, metadata: ClientMetadata) -> None:
    scopes = await Scopes.load(tx)
    if metadata.resource is not None and metadata.resource not in scopes.of_resource:
        raise InvalidClientMetadata("resource: not registered")
    for scope in metadata.scopes:
        if not scopes.known(scope):
            raise InvalidClientMetadata(f"scope: {scope} is not known here")
        if scope in scopes.NEED_LEGAL_GROUND and not registration.legal_ground:
            raise InvalidClientMetadata(f"scope: {scope} needs a legal_ground")
