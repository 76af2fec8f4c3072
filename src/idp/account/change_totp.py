from idp.account.schema import Account, Fresh
from idp.authenticators.set_up_totp import confirm
from idp.messages.notices import second_factor_changed
from kit.db import Tx
from kit.i18n import Locale


async def change_totp(account: Account, fresh: Fresh, typed: str) -> bool:
    """The proposed secret takes the place of the old one; False for a wrong code, and the old one stays."""
    citizen = fresh.citizen

    async def once(tx: Tx) -> bool:
        if not await confirm(tx, account.audit, account.secrets, citizen.citizen_id, typed):
            return False
        await account.post.tell(
            tx,
            citizen_id=citizen.citizen_id,
            claims=citizen.claims,
            notice=second_factor_changed(),
            locale=Locale(citizen.locale),
        )
        return True

    return await account.db.transact(once)
