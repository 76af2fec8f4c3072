from uuid import UUID

from idp.authenticators import store
from kit.db import Tx


async def code_by_message(tx: Tx, citizen_id: UUID) -> None:
    """So that the way used last is offered first. A TOTP notes it with the step that it spends."""
    await store.code_by_message_used(tx, citizen_id)
