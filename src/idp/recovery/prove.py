"""The second proof: something that did not come the way of the link (L-22)."""

from idp.authenticators import recovery_codes, used
from idp.authenticators.check_code import check_code
from idp.authenticators.check_totp import check_totp
from idp.authenticators.one_time_code import as_typed
from idp.authenticators.send_code import send_code
from idp.messages.notices import recovery_code_used
from idp.recovery import store
from idp.recovery.refusals import RecoveryOver
from idp.recovery.schema import TRIES_MAX, Opened, Recovery
from idp.sign_in.throttling import SECOND_FACTOR
from kit.audit import AuditEvent
from kit.db import Tx
from kit.i18n import Locale


async def opened(parts: Recovery, browser_sha256: bytes) -> Opened:
    """The recovery under way in this browser. Raises RecoveryOver."""
    found = await store.opened(parts.db, browser_sha256)
    if found is None:
        raise RecoveryOver
    return found


async def send_proof_code(parts: Recovery, browser_sha256: bytes, *, locale: Locale, asked_from: str) -> None:
    """Raises RecoveryOver, TooManyCodes."""
    recovery = await opened(parts, browser_sha256)
    to = recovery.code_to
    if to is None:
        raise RecoveryOver

    async def once(tx: Tx) -> None:
        await send_code(
            tx,
            parts.audit,
            parts.throttle,
            parts.secrets,
            parts.post,
            recovery.who.citizen_id,
            to,
            purpose="recovery",
            binding=recovery.binding,
            locale=locale,
            lifetime_s=parts.one_time_code_lifetime_s,
            asked_from=asked_from,
        )

    await parts.db.transact(once)


async def prove(parts: Recovery, browser_sha256: bytes, typed: str) -> bool:
    """A code of the app, a recovery code, or one by another channel. Raises RecoveryOver, TooManyRequests."""

    async def once(tx: Tx) -> bool:
        recovery = await store.take_a_try(tx, browser_sha256, tries_max=TRIES_MAX)
        if recovery is None:
            raise RecoveryOver
        await parts.throttle.count(tx, SECOND_FACTOR, str(recovery.who.citizen_id))
        right = await _is_right(tx, parts, recovery, typed)
        if right:
            await store.prove(tx, browser_sha256)
        await parts.audit.append(
            tx,
            AuditEvent(
                action="recovery.proven" if right else "recovery.refused",
                actor_kind="anonymous",
                owner=str(recovery.who.citizen_id),
                result="ok" if right else "wrong-code",
            ),
        )
        return right

    return await parts.db.transact(once)


async def _is_right(tx: Tx, parts: Recovery, recovery: Opened, typed: str) -> bool:
    citizen_id = recovery.who.citizen_id
    usable = recovery.who.methods.second
    if not (digits := as_typed(typed)).isdecimal() or len(digits) != 6:
        return "recovery" in usable and await _is_recovery_code(tx, parts, recovery, typed)
    if (
        "totp" in usable
        and recovery.secret_sealed is not None
        and await check_totp(
            tx, parts.secrets, citizen_id, typed, secret_sealed=recovery.secret_sealed, now_s=recovery.now_s
        )
    ):
        return True
    if recovery.code_to is None:
        return False
    went_to = await check_code(tx, parts.secrets, citizen_id, typed, purpose="recovery", binding=recovery.binding)
    if went_to is None or went_to.channel == recovery.channel:
        return False
    await used.code_by_message(tx, citizen_id)
    return True


async def _is_recovery_code(tx: Tx, parts: Recovery, recovery: Opened, typed: str) -> bool:
    who = recovery.who
    if not await recovery_codes.spend(tx, parts.audit, parts.secrets, who.citizen_id, typed):
        return False
    await parts.post.tell(
        tx,
        citizen_id=who.citizen_id,
        claims=who.claims,
        notice=recovery_code_used(who.methods.recovery_codes - 1),
        locale=Locale(who.locale),
    )
    return True
