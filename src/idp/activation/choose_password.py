from idp.activation.opened import opened
from idp.activation.refusals import ActivationOver
from idp.activation.schema import Activation, Opened
from idp.authenticators.forget_others import forget_others
from idp.authenticators.set_password import set_password, stretched
from idp.citizens.end_tokens import end_tokens
from idp.messages.notices import password_changed
from idp.recovery.end_wait import finish_wait
from idp.recovery.notices import account_recovered
from idp.sessions.end import end_all_for
from kit.audit import AuditEvent
from kit.db import Tx
from kit.i18n import Locale


async def choose_password(parts: Activation, *, browser_sha256: bytes, password: str) -> None:
    """Raises ActivationOver, PasswordRefused. Nobody signs in with it before the account is active."""
    citizen = (await opened(parts.db, browser_sha256)).citizen
    argon2 = await stretched(parts.passwords, parts.breached, password, citizen)

    async def once(tx: Tx) -> None:
        # Asked again inside: the activation may have moved to another browser while the password was stretched.
        activation = await opened(tx, browser_sha256)
        if activation.citizen.state == "active" and not activation.has_password:
            await _replace(tx, parts, activation)
        await set_password(tx, parts.audit, activation.citizen.citizen_id, argon2)

    await parts.db.transact(once)


async def _replace(tx: Tx, parts: Activation, activation: Opened) -> None:
    """An account that was active gets a new password. After a recovery this is the moment that cannot be stopped any
    more, so all of before ends with it; up to here nothing has changed.
    """
    citizen = activation.citizen
    if activation.kind == "recovery":
        if not await finish_wait(tx, citizen.citizen_id):
            raise ActivationOver
        await forget_others(tx, citizen.citizen_id, keep=None)
        await parts.audit.append(
            tx,
            AuditEvent(
                action="account.recovered",
                actor_kind="citizen",
                actor=str(citizen.citizen_id),
                owner=str(citizen.citizen_id),
                detail={"by": "recovery"},
            ),
        )
    await end_all_for(tx, parts.audit, citizen.citizen_id, because="password.changed")
    await end_tokens(tx, citizen.citizen_id)
    await parts.post.tell(
        tx,
        citizen_id=citizen.citizen_id,
        claims=citizen.claims,
        notice=account_recovered() if activation.kind == "recovery" else password_changed(),
        locale=Locale(citizen.locale),
    )
