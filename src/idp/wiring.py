"""The parts, put together once at the start. Actions get the parts they need, never this whole."""

from dataclasses import dataclass
from pathlib import Path

from idp.clients.registry import ClientRegistry
from idp.keys.ring import KeyRing
from idp.keys.secrets import Secrets
from idp.settings import IdpSettings
from kit.audit import Audit
from kit.csrf import Csrf
from kit.db import Database
from kit.offload import Offload
from kit.pages import Pages
from kit.throttle import Throttle

PACKAGE = Path(__file__).parent


@dataclass(frozen=True)
class Wiring:
    settings: IdpSettings
    db: Database
    audit: Audit
    throttle: Throttle
    csrf: Csrf
    secrets: Secrets
    keys: KeyRing
    clients: ClientRegistry
    passwords: Offload
    """Argon2 runs here, bounded: a full queue answers 503."""
    pages: Pages


def origin_of(url: str) -> str:
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.split('/', 1)[0]}"


async def connect(settings: IdpSettings, pages: Pages) -> Wiring:
    db = await Database.connect(settings.database_url, connections_max=settings.connections_max)
    secrets = Secrets(bytes.fromhex(settings.secret))
    return Wiring(
        settings=settings,
        db=db,
        audit=Audit("idp"),
        throttle=Throttle("idp"),
        csrf=Csrf(secrets.derive("csrf"), origin=origin_of(settings.issuer)),
        secrets=secrets,
        keys=KeyRing(settings.keys_folder),
        clients=ClientRegistry(),
        passwords=Offload("passwords", threads=settings.password_threads, waiting_max=settings.password_waiting_max),
        pages=pages,
    )


async def close(wiring: Wiring) -> None:
    wiring.passwords.close()
    await wiring.db.close()
