from idp.account.schema import Account, Fresh
from idp.authenticators.check_code import check_code
from idp.authenticators.use_code_by_message import use_code_by_message
from idp.messages.notices import second_factor_changed
from kit.db import Tx
from kit.i18n import Locale


async def use_codes(account: Account, fresh: Fresh, typed: str) -> bool:
    """Codes go to the proven address from now on; False for a wrong code."""
    citizen = fresh.citizen

    async def once(tx: Tx) -> bool:
        to = await check_code(
            tx,
            account.secrets,
            citizen.citizen_id,
            typed,
            purpose="second-factor",
            binding=fresh.session.sid,
        )
        if to is None:
            return False
        await use_code_by_message(tx, account.audit, citizen.citizen_id, to)
        await account.post.tell(
            tx,
            citizen_id=citizen.citizen_id,
            claims=citizen.claims,
            notice=second_factor_changed(),
            locale=Locale(citizen.locale),
        )
        return True

    return await account.db.transact(once)
