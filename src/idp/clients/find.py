from idp.clients import store
from idp.clients.registry import ClientRegistry
from idp.clients.schema import Client
from kit.db import Tx

_CLIENT_ID_MAX = 200


async def find_client(tx: Tx, registry: ClientRegistry, client_id: str) -> Client | None:
    """The client as registered, whatever its state."""
    if len(client_id) > _CLIENT_ID_MAX:
        return None
    row = await store.select_client(tx, client_id, known_revision=registry.known_revision(client_id))
    return registry.client(row) if row else None
