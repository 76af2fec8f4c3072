from uuid import UUID

from idp.citizens import store
from idp.citizens.schema import Citizen
from kit.db import Tx


async def find_citizen(tx: Tx, citizen_id: UUID) -> Citizen | None:
    return await store.by_id(tx, citizen_id)


async def find_by_uid(tx: Tx, uid: str) -> Citizen | None:
    """For officers and the command line; ``uid`` as it is kept, ten ASCII digits."""
    return await store.by_uid(tx, uid)
