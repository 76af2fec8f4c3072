from typing import Literal

from idp.account.schema import Account, Fresh
from idp.authenticators.add_passkey import add_passkey
from idp.authenticators.rename_passkey import as_name
from idp.messages.notices import passkey_changed
from kit.db import Tx
from kit.i18n import Locale

Added = Literal["added", "refused", "nameless"]


async def add(account: Account, fresh: Fresh, text: str, *, name: str, browser_sha256: bytes) -> Added:
    """Keep what the browser made for our challenge, and tell every contact point."""
    citizen, called = fresh.citizen, as_name(name)
    if not called:
        return "nameless"

    async def once(tx: Tx) -> Added:
        if not await add_passkey(
            tx,
            account.audit,
            account.secrets,
            account.site,
            citizen.citizen_id,
            text,
            name=called,
            browser_sha256=browser_sha256,
            binding=fresh.session.sid,
        ):
            return "refused"
        await account.post.tell(
            tx,
            citizen_id=citizen.citizen_id,
            claims=citizen.claims,
            notice=passkey_changed(),
            locale=Locale(citizen.locale),
        )
        return "added"

    return await account.db.transact(once)
