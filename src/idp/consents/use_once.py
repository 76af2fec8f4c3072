from collections.abc import Sequence
from uuid import UUID

from idp.authorization.details import LockerDocument
from idp.consents import store
from kit.db import Tx


async def use_once(tx: Tx, *, consent_id: UUID, details: Sequence[LockerDocument]) -> bool:
    """Of ``details``, those that were given for once are used now; False where somebody else has used them."""
    once = [detail for detail in details if detail.once]
    return not once or await store.take_details(tx, consent_id, once)
