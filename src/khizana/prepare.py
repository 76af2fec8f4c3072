"""What must be there before the embedded product serves: keys, tables, and the locker's own place at the provider."""

from typing import Any

import msgspec

from idp.authorization.details import TYPES
from idp.clients import register as clients
from idp.clients.register_resource import register_resource
from idp.clients.schema import ClientRegistration
from idp.keys.folder import create_missing
from idp.keys.place import place_of
from idp.keys.rotate import make
from idp.settings import IdpSettings
from khizana.deployment import Deployment
from kit.audit import Audit
from kit.db import Database
from kit.jose import ASYMMETRIC, LocalKeySet, SigningKey

LOCKER_SCOPES = (
    "documents:read",
    "documents:share",
    "documents:upload",
    "documents:deposit",
    "documents:seal",
    "documents:export",
    "documents:erase",
    "documents:request",
    "webhooks:manage",
)
LOCKER_SECTOR = "khizana-locker"
LEGAL_GROUND = "Khizana demo: the locker keeps documents under its own identifiers"


async def prepare(deployment: Deployment) -> None:
    """Does nothing that was done before, except telling the provider again where the locker is: a port may change."""
    idp, locker = deployment.idp_settings(), deployment.locker_settings()
    if idp.pkcs11_module is None:
        create_missing(idp.keys_folder, ASYMMETRIC)
    else:
        await _make_in_device(idp)
    await deployment.migrate()
    client_key = SigningKey.load_or_create(locker.keys_folder / "client-ES256.pem", "ES256")
    db = await Database.connect(idp.database_url, connections_max=2)
    try:
        audit = Audit("idp")
        await register_resource(
            db,
            audit,
            locker.locker_url,
            name="Khizana locker",
            scopes=LOCKER_SCOPES,
            sector=LOCKER_SECTOR,
            details_types=TYPES,
            officer="khizana",
        )
        registration = msgspec.convert(
            locker_client(
                locker.client_id, locker.locker_url, LocalKeySet([client_key]).jwks(), legal_ground=LEGAL_GROUND
            ),
            ClientRegistration,
        )
        try:
            await clients.register(db, audit, registration, officer="khizana", production=False)
        except clients.ClientExists:
            await clients.update(db, audit, registration, officer="khizana", production=False)
    finally:
        await db.close()


async def _make_in_device(idp: IdpSettings) -> None:
    place = place_of(idp)
    try:
        await make(place, ASYMMETRIC)
    finally:
        place.close()


def locker_client(client_id: str, url: str, jwks: dict[str, Any], *, legal_ground: str) -> dict[str, Any]:
    """What the provider is told of the locker, as ``khizana client register`` reads it."""
    return {
        "client_id": client_id,
        "client_name": "Khizana",
        "client_name#ar": "خزانة",
        "client_name#fr": "Khizana",
        "client_name#zgh": "ⵅⵉⵣⴰⵏⴰ",
        "profile": "basic",
        "sector": LOCKER_SECTOR,
        "legal_ground": legal_ground,
        # The provider links to nothing but https.
        **({"client_uri": url} if url.startswith("https:") else {}),
        "redirect_uris": [f"{url}/signed-in"],
        "post_logout_redirect_uris": [f"{url}/"],
        "grant_types": ["authorization_code", "client_credentials"],
        "token_endpoint_auth_method": "private_key_jwt",
        "scope": "openid profile subjects:resolve subjects:translate",
        "resource": url,
        "jwks": jwks,
    }
