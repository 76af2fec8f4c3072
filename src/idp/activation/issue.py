from uuid import UUID

from idp.activation import store
from idp.activation.code import code_mac
from idp.authenticators.printed_code import new_code
from idp.keys.secrets import Secrets
from kit.db import Tx


async def issue(tx: Tx, secrets: Secrets, citizen_id: UUID, *, lifetime_s: int) -> str:
    """A fresh activation code, shown this once; an earlier one for this citizen is void."""
    code = new_code()
    await store.put(tx, citizen_id, code_mac=code_mac(secrets, code), lifetime_s=lifetime_s, kind="desk")
    return code
