"""The parts, put together once at the start. Actions get the parts they need, never this whole."""

import hashlib
import hmac
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass

import httpx
from litestar.datastructures import State

from kit.audit import Audit
from kit.csrf import Csrf
from kit.db import Database
from kit.errors import Unavailable
from kit.jose import KeySet, SigningKey
from kit.pages import Pages
from kit.throttle import Throttle
from locker.access.bearer import BearerTokens
from locker.access.cursor import Cursors
from locker.access.provider import Provider
from locker.access.sessions import SessionLimits
from locker.settings import LockerSettings
from locker.vault import Vault
from locker.vault.blobs import S3BlobStore
from locker.vault.keys import FileMasterKey


@dataclass(frozen=True, kw_only=True)
class Wiring:
    settings: LockerSettings
    db: Database
    audit: Audit
    throttle: Throttle
    csrf: Csrf
    signing: KeySet
    """What the locker itself says for somebody's file: receipts, answers of verification."""
    provider: Provider
    bearer: BearerTokens
    pages: Pages
    sessions: SessionLimits
    cursors: Cursors
    vault: Vault
    closing: AsyncExitStack


async def connect(
    settings: LockerSettings, *, pages: Pages, idp_transport: httpx.AsyncBaseTransport | None = None
) -> Wiring:
    """``idp_transport`` carries requests to the provider in embedded mode; None is the network."""
    async with AsyncExitStack() as stack:
        db = await Database.connect(settings.database_url, connections_max=settings.connections_max)
        stack.push_async_callback(db.close)
        http = httpx.AsyncClient(
            transport=idp_transport,
            timeout=settings.provider_timeout_s,
            follow_redirects=False,
            trust_env=False,
            headers={"Accept": "application/json"},
        )
        stack.push_async_callback(http.aclose)
        provider = Provider(
            http,
            issuer=settings.issuer,
            client_id=settings.client_id,
            client_key=SigningKey.load_or_create(settings.keys_folder / "client-ES256.pem", "ES256"),
            keys_age_max_s=settings.provider_keys_age_max_s,
            keys_refresh_min_s=settings.provider_keys_refresh_min_s,
        )
        bearer = BearerTokens(
            provider,
            audience=settings.locker_url,
            age_max_s=settings.introspection_age_max_s,
            kept_max=settings.introspections_kept_max,
        )
        vault = Vault(
            db,
            FileMasterKey.load_or_create(settings.keys_folder / "master.key"),
            await S3BlobStore.connect(
                endpoint=settings.s3_endpoint,
                access_key=settings.s3_access_key,
                secret_key=settings.s3_secret_key,
                bucket=settings.s3_bucket,
                region=settings.s3_region,
                fsync_root=settings.s3_fsync_folder,
                connections_max=settings.object_connections_max,
                control_threads=settings.object_threads,
                control_waiting_max=settings.object_waiting_max,
            ),
        )
        stack.push_async_callback(vault.close)
        # A database that is away is no reason not to start; a master key that opens nothing is.
        with suppress(Unavailable):
            await vault.check()
        return Wiring(
            settings=settings,
            db=db,
            audit=Audit("locker"),
            throttle=Throttle("locker"),
            csrf=Csrf(_derived(settings.secret, "csrf"), origin=_origin_of(settings.locker_url)),
            signing=KeySet([SigningKey.load_or_create(settings.keys_folder / "signing-ES256.pem", "ES256")]),
            provider=provider,
            bearer=bearer,
            pages=pages,
            sessions=SessionLimits(),
            cursors=Cursors(_derived(settings.secret, "cursor")),
            vault=vault,
            closing=stack.pop_all(),
        )


async def close(wiring: Wiring) -> None:
    await wiring.closing.aclose()


async def provide_wiring(state: State) -> Wiring:
    wiring = state.wiring
    assert isinstance(wiring, Wiring)
    return wiring


def _derived(secret: str, purpose: str) -> bytes:
    """One setting, many keys: none tells anything of another (HMAC as a PRF)."""
    return hmac.new(bytes.fromhex(secret), purpose.encode(), hashlib.sha256).digest()


def _origin_of(url: str) -> str:
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.split('/', 1)[0]}"
