from uuid import UUID

from idp.consents import store
from idp.consents.schema import Consent
from kit.db import Tx


async def current_consent(tx: Tx, *, citizen_id: UUID, client_id: str) -> Consent | None:
    """What this citizen has given this client and not ended."""
    return await store.select_live(tx, citizen_id=citizen_id, client_id=client_id)
