import datetime as dt
from collections.abc import Mapping
from uuid import UUID

from idp.releases import store
from kit.db import Tx


async def last_releases(tx: Tx, citizen_id: UUID) -> Mapping[str, dt.datetime]:
    """When each service last read this citizen's data, to the minute."""
    return {row["client_id"]: row["last_at"] for row in await store.last_of_citizen(tx, citizen_id)}
