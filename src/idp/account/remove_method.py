from idp.account.schema import Account, Fresh
from idp.authenticators.remove import remove
from idp.authenticators.schema import Method
from idp.messages.notices import second_factor_changed
from kit.db import Tx
from kit.i18n import Locale


async def remove_method(account: Account, fresh: Fresh, method: Method) -> None:
    """Raises LastSecondFactor."""
    citizen = fresh.citizen

    async def once(tx: Tx) -> None:
        if await remove(tx, account.audit, citizen.citizen_id, method):
            await account.post.tell(
                tx,
                citizen_id=citizen.citizen_id,
                claims=citizen.claims,
                notice=second_factor_changed(),
                locale=Locale(citizen.locale),
            )

    await account.db.transact(once)
