from collections.abc import Sequence
from uuid import UUID

from idp.freezing import store
from idp.freezing.schema import Frozen
from kit.db import Tx


async def frozen_of(tx: Tx, citizen_id: UUID) -> Sequence[Frozen]:
    """What this citizen holds still, the latest first; at most 200."""
    return await store.select_of_citizen(tx, citizen_id)


async def authenticator_is_frozen(tx: Tx, citizen_id: UUID, name: str) -> bool:
    """Ask before an authenticator counts: ``password``, ``totp``, ``code``, ``recovery``, ``passkey:<id>``."""
    return await store.is_frozen(tx, [citizen_id], "authenticator", name)


async def service_is_frozen(tx: Tx, citizen_ids: Sequence[UUID], client_id: str) -> bool:
    """By any of these: whose data it is, and who acts."""
    return await store.is_frozen(tx, citizen_ids, "service", client_id)
