from uuid import UUID

from idp.authenticators import store
from idp.authenticators.one_time_code import TRIES_MAX, as_typed, code_mac
from idp.authenticators.schema import Destination, Purpose
from idp.keys.secrets import Secrets
from kit.db import Tx


async def check_code(
    tx: Tx, secrets: Secrets, citizen_id: UUID, typed: str, *, purpose: Purpose, binding: str
) -> Destination | None:
    """Where the right code had been sent; None for a wrong, old, used or misplaced one. Counts the try either way."""
    mac = code_mac(secrets, as_typed(typed), citizen_id=citizen_id, purpose=purpose, binding=binding)
    return await store.try_code(tx, citizen_id, purpose=purpose, binding=binding, code_mac=mac, tries_max=TRIES_MAX)
