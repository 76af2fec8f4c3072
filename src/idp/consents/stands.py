from uuid import UUID

from idp.consents import store
from kit.db import Tx


async def stands(tx: Tx, consent_id: UUID) -> bool:
    """Does this connection hold at this moment: not ended, its citizen and its client active, not frozen?"""
    return await store.select_stands(tx, consent_id)
