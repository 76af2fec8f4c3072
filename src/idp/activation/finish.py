"""The last step: a first code proves the second factor, and the account is active."""

from idp.activation import store
from idp.activation.opened import opened
from idp.activation.refusals import ActivationOver
from idp.activation.schema import Activation
from idp.authenticators.check_code import check_code
from idp.authenticators.schema import Method
from idp.authenticators.set_up_totp import confirm
from idp.authenticators.use_code_by_message import use_code_by_message
from idp.citizens.activate import activate
from idp.messages.notices import account_activated
from kit.db import Tx
from kit.i18n import Locale


async def finish(parts: Activation, *, browser_sha256: bytes, method: Method, typed: str) -> str | None:
    """The uid of the active account, or None for a wrong code. Raises ActivationOver."""

    async def once(tx: Tx) -> str | None:
        activation = await opened(tx, browser_sha256)
        citizen = activation.citizen
        if not activation.has_password:
            raise ActivationOver
        if method == "totp":
            if not await confirm(tx, parts.audit, parts.secrets, citizen.citizen_id, typed):
                return None
        else:
            to = await check_code(
                tx,
                parts.secrets,
                citizen.citizen_id,
                typed,
                purpose="activation",
                binding=browser_sha256.hex(),
            )
            if to is None:
                return None
            await use_code_by_message(tx, parts.audit, citizen.citizen_id, to)
        if not await store.spend(tx, citizen.citizen_id, browser_sha256):
            raise ActivationOver
        await activate(tx, parts.audit, citizen.citizen_id)
        await parts.post.tell(
            tx,
            citizen_id=citizen.citizen_id,
            claims=citizen.claims,
            notice=account_activated(),
            locale=Locale(citizen.locale),
        )
        return citizen.uid

    return await parts.db.transact(once)
