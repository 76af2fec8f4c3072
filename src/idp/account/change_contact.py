from idp.account.schema import Account, Fresh
from idp.authenticators.check_code import check_code
from idp.citizens.record_contact import record_contact
from idp.messages.notices import contact_changed
from kit.db import Tx
from kit.i18n import Locale


async def change_contact(account: Account, fresh: Fresh, typed: str) -> bool:
    """Record the new, proven contact point and tell both the old and the new one; False for a wrong code."""
    citizen = fresh.citizen

    async def once(tx: Tx) -> bool:
        to = await check_code(
            tx,
            account.secrets,
            citizen.citizen_id,
            typed,
            purpose="contact",
            binding=fresh.session.sid,
        )
        if to is None:
            return False
        changed = await record_contact(tx, account.audit, citizen.citizen_id, channel=to.channel, address=to.address)
        for claims in (citizen.claims, changed):
            await account.post.tell(
                tx,
                citizen_id=citizen.citizen_id,
                claims=claims,
                notice=contact_changed(),
                locale=Locale(citizen.locale),
            )
        return True

    return await account.db.transact(once)
