from collections.abc import Sequence

from idp.clients import store
from idp.clients.registry import ClientRegistry
from idp.clients.schema import Client
from kit.db import Database, Row, Tx
from kit.gather import Gather

_CLIENT_ID_MAX = 200


async def find_client(tx: Tx, registry: ClientRegistry, client_id: str) -> Client | None:
    """The client as registered, whatever its state."""
    if len(client_id) > _CLIENT_ID_MAX:
        return None
    row = await store.select_client(tx, client_id, known_revision=registry.known_revision(client_id))
    return registry.client(row) if row else None


class FindClient:
    """The same where many ask at once."""

    def __init__(self, db: Database, registry: ClientRegistry) -> None:
        async def ask(asked: Sequence[tuple[str, int]]) -> Sequence[Row | None]:
            return await store.select_several(db, asked)

        self._registry = registry
        self._row = Gather(ask, name="clients")

    async def __call__(self, client_id: str) -> Client | None:
        if len(client_id) > _CLIENT_ID_MAX:
            return None
        row = await self._row((client_id, self._registry.known_revision(client_id)))
        return self._registry.client(row) if row else None
