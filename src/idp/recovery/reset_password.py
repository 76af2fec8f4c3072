from idp.authenticators.breached import BreachedPasswords
from idp.authenticators.set_password import set_password, stretched
from idp.citizens.end_tokens import end_tokens
from idp.citizens.find import find_citizen
from idp.messages.notices import password_changed
from idp.recovery import store
from idp.recovery.prove import opened
from idp.recovery.refusals import RecoveryOver
from idp.recovery.schema import Recovery
from idp.sessions.end import end_all_for
from kit.db import Tx
from kit.i18n import Locale
from kit.offload import Offload


async def reset_password(
    parts: Recovery, passwords: Offload, breached: BreachedPasswords, browser_sha256: bytes, password: str
) -> None:
    """All sessions and tokens end, and no new session begins: the next sign-in asks for both factors (L-22).

    Raises RecoveryOver, PasswordRefused.
    """
    recovery = await opened(parts, browser_sha256)
    citizen = await find_citizen(parts.db, recovery.who.citizen_id)
    if citizen is None or not recovery.proven:
        raise RecoveryOver
    argon2 = await stretched(passwords, breached, password, citizen)

    async def once(tx: Tx) -> None:
        if not await store.spend(tx, browser_sha256):
            raise RecoveryOver
        await set_password(tx, parts.audit, citizen.citizen_id, argon2)
        await end_all_for(tx, parts.audit, citizen.citizen_id, because="password.changed")
        await end_tokens(tx, citizen.citizen_id)
        await parts.post.tell(
            tx,
            citizen_id=citizen.citizen_id,
            claims=citizen.claims,
            notice=password_changed(),
            locale=Locale(citizen.locale),
        )

    await parts.db.transact(once)
