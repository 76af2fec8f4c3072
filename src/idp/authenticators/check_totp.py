from uuid import UUID

from idp.authenticators import store
from idp.authenticators.one_time_code import as_typed
from idp.authenticators.set_up_totp import place, sealer
from idp.authenticators.totp import matching_step
from idp.keys.secrets import Secrets
from kit.db import Tx


async def check_totp(
    tx: Tx, secrets: Secrets, citizen_id: UUID, typed: str, *, secret_sealed: bytes, now_s: float
) -> bool:
    """Right, and not used before: of two callers with one code, one is told True."""
    secret = sealer(secrets).open(secret_sealed, place=place(citizen_id))
    step = matching_step(secret, as_typed(typed), now_s=now_s)
    return step is not None and await store.spend_totp_step(tx, citizen_id, step)
