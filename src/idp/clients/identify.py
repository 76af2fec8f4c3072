"""A client at an endpoint other than token: fetched, authenticated, its assertion spent."""

from collections.abc import Mapping

from idp.clients.authenticate import authenticate, credentials_of
from idp.clients.find import find_client
from idp.clients.registry import ClientRegistry
from idp.clients.schema import Client
from idp.clients.spend import spend
from idp.parameters import Parameters
from kit.db import Database


async def identify(
    db: Database,
    registry: ClientRegistry,
    headers: Mapping[str, str],
    parameters: Parameters,
    *,
    issuer: str,
    path: str,
) -> Client:
    credentials = credentials_of(headers, parameters)
    client = await find_client(db, registry, credentials.client_id)
    assertion = authenticate(
        client, credentials, issuer=issuer, audiences=(issuer, f"{issuer}/token", f"{issuer}{path}")
    )
    assert client is not None
    await spend(db, client.client_id, assertion)
    return client
