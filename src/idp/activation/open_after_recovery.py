import secrets
from uuid import UUID

from idp.activation import store
from idp.activation.schema import OPEN_S
from kit.db import Tx


async def open_after_recovery(tx: Tx, citizen_id: UUID, browser_sha256: bytes) -> None:
    """The steps of an activation, open in this browser without a code: the waiting time was the code."""
    await store.put(tx, citizen_id, code_mac=secrets.token_bytes(32), lifetime_s=OPEN_S, kind="recovery")
    await store.open_here(tx, citizen_id, browser_sha256, lifetime_s=OPEN_S)
