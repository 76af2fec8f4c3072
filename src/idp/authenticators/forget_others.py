from uuid import UUID

from idp.authenticators import store
from idp.authenticators.schema import Method
from kit.db import Tx


async def forget_others(tx: Tx, citizen_id: UUID, *, keep: Method | None) -> None:
    """All second factors but the one that was just set up, if one was."""
    if keep != "totp":
        await store.remove_totp(tx, citizen_id)
    if keep != "code":
        await store.remove_code_by_message(tx, citizen_id)
    await store.remove_all_passkeys(tx, citizen_id)
    await store.replace_recovery_codes(tx, citizen_id, [])
