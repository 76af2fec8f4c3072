"""The last step: a first code proves the second factor, and the account is active; one that was active is made anew."""

from uuid import UUID

from idp.activation import store
from idp.activation.opened import opened
from idp.activation.refusals import ActivationOver
from idp.activation.schema import Activation, Kind
from idp.authenticators.check_code import check_code
from idp.authenticators.forget_others import forget_others
from idp.authenticators.schema import Method
from idp.authenticators.set_up_totp import confirm
from idp.authenticators.use_code_by_message import use_code_by_message
from idp.citizens.activate import activate
from idp.citizens.end_tokens import end_tokens
from idp.citizens.schema import State
from idp.messages.notices import account_activated, second_factor_changed
from idp.messages.schema import Notice
from idp.recovery.end_wait import settle
from idp.recovery.notices import account_recovered
from idp.sessions.end import end_all_for
from idp.upstream.forget_links import forget_links
from kit.audit import AuditEvent
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
        kind = await store.spend(tx, citizen.citizen_id, browser_sha256)
        if kind is None:
            raise ActivationOver
        if kind == "desk":
            await settle(tx, citizen.citizen_id)
        if citizen.state == "registered":
            await activate(tx, parts.audit, citizen.citizen_id)
        elif kind == "desk":
            await _make_anew(tx, parts, citizen.citizen_id, keep=method)
        await parts.post.tell(
            tx,
            citizen_id=citizen.citizen_id,
            claims=citizen.claims,
            notice=_notice(citizen.state, kind),
            locale=Locale(citizen.locale),
        )
        return citizen.uid

    return await parts.db.transact(once)


def _notice(state: State, kind: Kind) -> Notice:
    if state == "registered":
        return account_activated()
    # A recovery told of the new password when it was set; now its second step stands too.
    return account_recovered() if kind == "desk" else second_factor_changed()


async def _make_anew(tx: Tx, parts: Activation, citizen_id: UUID, *, keep: Method) -> None:
    """What was lost may be in other hands: nothing of before opens the account, and nobody stays signed in."""
    await forget_others(tx, citizen_id, keep=keep)
    await forget_links(tx, parts.audit, citizen_id)
    await end_all_for(tx, parts.audit, citizen_id, because="account.recovered")
    await end_tokens(tx, citizen_id)
    await parts.audit.append(
        tx,
        AuditEvent(
            action="account.recovered",
            actor_kind="citizen",
            actor=str(citizen_id),
            owner=str(citizen_id),
            detail={"by": "desk"},
        ),
    )
