from idp.activation.opened import opened
from idp.activation.schema import Activation
from idp.authenticators.set_password import set_password, stretched
from kit.db import Tx


async def choose_password(parts: Activation, *, browser_sha256: bytes, password: str) -> None:
    """Raises ActivationOver, PasswordRefused. Nobody signs in with it before the account is active."""
    citizen = (await opened(parts.db, browser_sha256)).citizen
    argon2 = await stretched(parts.passwords, parts.breached, password, citizen)

    async def once(tx: Tx) -> None:
        # Asked again inside: the activation may have moved to another browser while the password was stretched.
        await set_password(tx, parts.audit, (await opened(tx, browser_sha256)).citizen.citizen_id, argon2)

    await parts.db.transact(once)
