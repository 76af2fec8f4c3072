"""The second factor: five tries an attempt, ten an account in a quarter of an hour, from wherever they come."""

from idp.authenticators import used
from idp.authenticators.check_code import check_code
from idp.authenticators.check_totp import check_totp
from idp.sessions.levels import acr_of, at_least
from idp.sessions.start import Started, start, step_up
from idp.sign_in import store
from idp.sign_in.refusals import AttemptOver, LevelOutOfReach, TooManyTries
from idp.sign_in.schema import Attempt, Errand, SignedIn, SignIn, Visitor, Wrong
from idp.sign_in.throttling import SECOND_FACTOR
from kit.audit import AuditEvent
from kit.db import Tx

TRIES_MAX = 5


async def check_second_factor(parts: SignIn, visitor: Visitor, errand: Errand, typed: str) -> SignedIn | Wrong:
    """Raises AttemptOver without a first factor, TooManyTries, TooManyRequests."""

    async def once(tx: Tx) -> SignedIn | Wrong:
        attempt = await store.take_a_try(tx, visitor.browser_sha256, errand.key, tries_max=TRIES_MAX)
        if attempt is None or attempt.state != "active":
            await _refuse(tx, visitor, errand)
        assert attempt is not None
        if attempt.uid not in parts.unthrottled_uids:
            await parts.throttle.count(tx, SECOND_FACTOR, str(attempt.citizen_id))
        factor = await _factor(tx, parts, attempt, typed)
        if factor is None:
            await _record_refusal(tx, parts, visitor, errand, attempt)
            return Wrong("code")
        if attempt.uid not in parts.unthrottled_uids:
            await parts.throttle.forget(tx, SECOND_FACTOR, str(attempt.citizen_id))
        await store.finish_attempt(tx, visitor.browser_sha256, errand.key)
        started = await _start(tx, parts, visitor, errand, attempt, factor=factor)
        return SignedIn(started.token)

    return await parts.db.transact(once)


async def _refuse(tx: Tx, visitor: Visitor, errand: Errand) -> None:
    spent = await store.attempt(tx, visitor.browser_sha256, errand.key)
    if spent is not None and spent.tries >= TRIES_MAX:
        raise TooManyTries(retry_after_s=60)
    raise AttemptOver


async def _factor(tx: Tx, parts: SignIn, attempt: Attempt, typed: str) -> str | None:
    """The ``amr`` value (RFC 8176 §2) of the factor that was proven, or None."""
    if attempt.method == "totp":
        if attempt.secret_sealed is None:
            return None
        right = await check_totp(
            tx,
            parts.secrets,
            attempt.citizen_id,
            typed,
            secret_sealed=attempt.secret_sealed,
            now_s=attempt.now_s,
        )
        return "otp" if right else None
    went_to = await check_code(
        tx, parts.secrets, attempt.citizen_id, typed, purpose="sign-in", binding=str(attempt.attempt_id)
    )
    if went_to is None:
        return None
    await used.code_by_message(tx, attempt.citizen_id)
    return "sms" if went_to.channel == "sms" else "otp"


async def _start(tx: Tx, parts: SignIn, visitor: Visitor, errand: Errand, attempt: Attempt, *, factor: str) -> Started:
    amr = ["pwd", factor, "mfa"]
    acr = acr_of(amr, proofing=attempt.proofing)
    if not at_least(acr, errand.acr_needed):
        raise LevelOutOfReach
    if attempt.session_sha256 is None:
        return await start(
            tx,
            parts.audit,
            citizen_id=attempt.citizen_id,
            acr=acr,
            amr=amr,
            browser_label=visitor.browser_label,
            lifetime_s=parts.session_lifetime_s,
            before_sha256=visitor.session.session_sha256 if visitor.session else None,
            purpose=errand.client_id,
        )
    # A step-up counts for the browser that still has the session it began in, and for no other.
    if visitor.session is None or visitor.session.session_sha256 != attempt.session_sha256:
        raise AttemptOver
    if visitor.session.upstream is not None:
        # What another provider says of its factors is told on, and never raises the level that ours give.
        amr = list(dict.fromkeys([*visitor.session.amr, factor, "mfa"]))
    started = await step_up(
        tx,
        parts.audit,
        before_sha256=attempt.session_sha256,
        citizen_id=attempt.citizen_id,
        acr=acr,
        amr=amr,
        idle_s=parts.session_idle_s,
        purpose=errand.client_id,
    )
    if started is None:
        raise AttemptOver
    return started


async def _record_refusal(tx: Tx, parts: SignIn, visitor: Visitor, errand: Errand, attempt: Attempt) -> None:
    await parts.audit.append(
        tx,
        AuditEvent(
            action="sign-in.refused",
            actor_kind="anonymous",
            owner=str(attempt.citizen_id),
            purpose=errand.client_id,
            result="wrong-code",
            detail={"browser": visitor.browser_label, "method": attempt.method},
        ),
    )
