from typing import Literal

from idp.account.schema import Account, Fresh
from idp.authenticators.schema import Destination
from idp.authenticators.send_code import send_code
from kit.db import Tx
from kit.i18n import Locale


async def send_account_code(
    account: Account,
    fresh: Fresh,
    to: Destination,
    *,
    purpose: Literal["second-factor", "contact"],
    locale: Locale,
    asked_from: str,
) -> None:
    """To the address that is to be proven, bound to this session. Raises TooManyCodes."""

    async def once(tx: Tx) -> None:
        await send_code(
            tx,
            account.audit,
            account.throttle,
            account.secrets,
            account.post,
            fresh.citizen.citizen_id,
            to,
            purpose=purpose,
            binding=fresh.session.sid,
            locale=locale,
            lifetime_s=account.one_time_code_lifetime_s,
            asked_from=asked_from,
        )

    await account.db.transact(once)
