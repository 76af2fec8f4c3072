from typing import Literal
from uuid import UUID

from idp.account.schema import Account, Fresh
from idp.authenticators.remove import remove_passkey
from idp.authenticators.rename_passkey import as_name, rename_passkey
from idp.messages.notices import passkey_changed
from kit.db import Tx
from kit.i18n import Locale


async def change(
    account: Account, fresh: Fresh, passkey_id: UUID, what: Literal["rename", "remove"], *, name: str = ""
) -> bool:
    """False for a passkey that is not there, or is somebody else's. Raises LastSecondFactor."""
    citizen, called = fresh.citizen, as_name(name)

    async def once(tx: Tx) -> bool:
        if what == "remove":
            changed = await remove_passkey(tx, account.audit, citizen.citizen_id, passkey_id)
        else:
            changed = bool(called) and await rename_passkey(tx, citizen.citizen_id, passkey_id, called)
        if changed:
            await account.post.tell(
                tx,
                citizen_id=citizen.citizen_id,
                claims=citizen.claims,
                notice=passkey_changed(),
                locale=Locale(citizen.locale),
            )
        return changed

    return await account.db.transact(once)
