from collections.abc import Sequence

from idp.account.schema import Account, Fresh
from idp.authenticators.recovery_codes import renew
from idp.messages.notices import recovery_codes_made
from kit.db import Tx
from kit.i18n import Locale


async def make(account: Account, fresh: Fresh) -> Sequence[str]:
    """Ten codes, shown this once; a notice goes to every contact point."""
    citizen = fresh.citizen

    async def once(tx: Tx) -> Sequence[str]:
        codes = await renew(tx, account.audit, account.secrets, citizen.citizen_id)
        await account.post.tell(
            tx,
            citizen_id=citizen.citizen_id,
            claims=citizen.claims,
            notice=recovery_codes_made(),
            locale=Locale(citizen.locale),
        )
        return codes

    return await account.db.transact(once)
