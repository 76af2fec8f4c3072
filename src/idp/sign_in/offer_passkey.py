import time
from typing import Any

from idp.authenticators.passkey import request_options
from idp.authenticators.passkey_challenge import new_challenge
from idp.authenticators.passkeys_of import credential_ids_of
from idp.sign_in.schema import Attempt, Errand, SignIn


async def offer(parts: SignIn, browser_sha256: bytes, errand: Errand) -> dict[str, Any]:
    """Any passkey of this site: the device knows whose it is."""
    challenge = new_challenge(
        parts.secrets, ceremony="sign-in", browser_sha256=browser_sha256, errand=errand.key, now_s=time.time()
    )
    return request_options(parts.site, challenge=challenge)


async def offer_second(parts: SignIn, browser_sha256: bytes, attempt: Attempt) -> dict[str, Any]:
    """One of the citizen's whose first factor was passed."""
    challenge = new_challenge(
        parts.secrets,
        ceremony="second-factor",
        browser_sha256=browser_sha256,
        errand=str(attempt.attempt_id),
        now_s=time.time(),
    )
    allowed = await credential_ids_of(parts.db, attempt.citizen_id)
    return request_options(parts.site, challenge=challenge, allowed=allowed)
