import time
from typing import Any

from idp.account.schema import Account, Fresh
from idp.authenticators.passkey import creation_options, user_handle
from idp.authenticators.passkey_challenge import new_challenge
from idp.authenticators.passkeys_of import credential_ids_of
from idp.citizens.claims import full_name


async def offer(account: Account, fresh: Fresh, *, browser_sha256: bytes, language: str) -> dict[str, Any]:
    """What the page's script asks the browser to make, bound to this session."""
    citizen = fresh.citizen
    return creation_options(
        account.site,
        challenge=new_challenge(
            account.secrets,
            ceremony="create",
            browser_sha256=browser_sha256,
            errand=fresh.session.sid,
            now_s=time.time(),
        ),
        handle=user_handle(account.secrets, citizen.citizen_id),
        uid=citizen.uid,
        name=full_name(citizen, language),
        existing=await credential_ids_of(account.db, citizen.citizen_id),
    )
