from uuid import UUID

from idp.authenticators import store
from kit.db import Tx
from kit.i18n import strip_controls

NAME_MAX = 60


def as_name(typed: str) -> str:
    """One line, without signs that turn other text around; empty for nothing."""
    return " ".join(strip_controls(typed).split())[:NAME_MAX]


async def rename_passkey(tx: Tx, citizen_id: UUID, passkey_id: UUID, name: str) -> bool:
    """False if this citizen has no such passkey."""
    return await store.rename_passkey(tx, citizen_id, passkey_id, name=name)
