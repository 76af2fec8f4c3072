"""The second factor: five tries an attempt, ten an account in a quarter of an hour, from wherever they come."""

from typing import assert_never

from idp.authenticators import recovery_codes, used
from idp.authenticators.check_code import check_code
from idp.authenticators.check_totp import check_totp
from idp.authenticators.passkey import AMR, read_assertion
from idp.authenticators.prove_passkey import NotProven, prove_passkey
from idp.messages.notices import recovery_code_used
from idp.sessions.levels import acr_of, at_least, in_order, without_passkey
from idp.sessions.start import start, step_up
from idp.sign_in import store
from idp.sign_in.alert import alert
from idp.sign_in.decide_frozen import decide_frozen
from idp.sign_in.refusals import AttemptOver, LevelOutOfReach, TooManyTries
from idp.sign_in.schema import Attempt, Errand, FrozenDecided, SignedIn, SignIn, Visitor, Wrong
from idp.sign_in.tell_of_copy import tell_of_copy
from idp.sign_in.throttling import SECOND_FACTOR
from kit.audit import AuditEvent
from kit.db import Tx
from kit.i18n import Locale

TRIES_MAX = 5


async def check_second_factor(
    parts: SignIn, visitor: Visitor, errand: Errand, typed: str, *, passkey: str = ""
) -> SignedIn | FrozenDecided | Wrong:
    """``passkey`` is the browser's answer where that is the way. Raises AttemptOver without a first factor,
    TooManyTries, TooManyRequests.
    """

    async def once(tx: Tx) -> SignedIn | FrozenDecided | Wrong:
        attempt = await store.take_a_try(tx, visitor.browser_sha256, errand.key, tries_max=TRIES_MAX)
        if attempt is None or attempt.state != ("frozen" if errand.of_the_frozen else "active"):
            await _refuse(tx, visitor, errand)
        assert attempt is not None
        _must_lead_somewhere(visitor, errand, attempt)
        if attempt.uid not in parts.unthrottled_uids:
            await parts.throttle.count(tx, SECOND_FACTOR, str(attempt.citizen_id))
        factor = await _factor(tx, parts, visitor, attempt, typed, passkey=passkey)
        if not factor:
            await _record_refusal(tx, parts, visitor, errand, attempt)
            return Wrong("passkey" if attempt.method == "passkey" else "code")
        if attempt.uid not in parts.unthrottled_uids:
            await parts.throttle.forget(tx, SECOND_FACTOR, str(attempt.citizen_id))
        await store.finish_attempt(tx, visitor.browser_sha256, errand.key)
        if errand.of_the_frozen:
            return await decide_frozen(tx, parts, errand, attempt.citizen_id)
        return await _start(tx, parts, visitor, errand, attempt, factor=factor)

    return await parts.db.transact(once)


async def _refuse(tx: Tx, visitor: Visitor, errand: Errand) -> None:
    spent = await store.attempt(tx, visitor.browser_sha256, errand.key)
    if spent is not None and spent.tries >= TRIES_MAX:
        raise TooManyTries(retry_after_s=60)
    raise AttemptOver


async def _factor(
    tx: Tx, parts: SignIn, visitor: Visitor, attempt: Attempt, typed: str, *, passkey: str
) -> tuple[str, ...]:
    """The ``amr`` values (RFC 8176 §2) of what was proven; empty for nothing."""
    if attempt.method not in attempt.methods.second:
        # Frozen, or gone, since this attempt began.
        return ()
    match attempt.method:
        case "totp":
            return ("otp",) if await _is_totp(tx, parts, attempt, typed) else ()
        case "recovery":
            return ("otp",) if await _is_recovery_code(tx, parts, attempt, typed) else ()
        case "passkey":
            return AMR if await _is_passkey(tx, parts, visitor, attempt, passkey) else ()
        case "code":
            if attempt.methods.code_is_stale:
                return ()
            went_to = await check_code(
                tx, parts.secrets, attempt.citizen_id, typed, purpose="sign-in", binding=str(attempt.attempt_id)
            )
            if went_to is None:
                return ()
            await used.code_by_message(tx, attempt.citizen_id)
            return ("sms",) if went_to.channel == "sms" else ("otp",)
        case _:
            assert_never(attempt.method)


async def _is_totp(tx: Tx, parts: SignIn, attempt: Attempt, typed: str) -> bool:
    return attempt.secret_sealed is not None and await check_totp(
        tx,
        parts.secrets,
        attempt.citizen_id,
        typed,
        secret_sealed=attempt.secret_sealed,
        now_s=attempt.now_s,
    )


async def _is_recovery_code(tx: Tx, parts: SignIn, attempt: Attempt, typed: str) -> bool:
    if not await recovery_codes.spend(tx, parts.audit, parts.secrets, attempt.citizen_id, typed):
        return False
    await parts.post.tell(
        tx,
        citizen_id=attempt.citizen_id,
        claims=attempt.claims,
        notice=recovery_code_used(attempt.methods.recovery_codes - 1),
        locale=Locale(attempt.locale),
    )
    return True


async def _is_passkey(tx: Tx, parts: SignIn, visitor: Visitor, attempt: Attempt, text: str) -> bool:
    assertion = read_assertion(text)
    if assertion is None:
        return False
    found = await prove_passkey(
        tx,
        parts.audit,
        parts.secrets,
        parts.site,
        assertion,
        ceremony="second-factor",
        browser_sha256=visitor.browser_sha256,
        errand=str(attempt.attempt_id),
        of=attempt.citizen_id,
    )
    if isinstance(found, NotProven):
        await tell_of_copy(tx, parts, found)
        return False
    return True


def _must_lead_somewhere(visitor: Visitor, errand: Errand, attempt: Attempt) -> None:
    """Before anything is spent: nothing that this citizen proves could be enough, or the session is another one."""
    if not at_least(acr_of(["mfa"], proofing=attempt.proofing), without_passkey(errand.acr_needed)):
        raise LevelOutOfReach
    # A step-up counts for the browser that still has the session it began in, and for no other.
    if attempt.session_sha256 is not None and (
        visitor.session is None or visitor.session.session_sha256 != attempt.session_sha256
    ):
        raise AttemptOver


async def _start(
    tx: Tx, parts: SignIn, visitor: Visitor, errand: Errand, attempt: Attempt, *, factor: tuple[str, ...]
) -> SignedIn:
    before = visitor.session
    if attempt.session_sha256 is None:
        amr = in_order({"pwd", *factor, "mfa"})
        acr = acr_of(amr, proofing=attempt.proofing)
        started = await start(
            tx,
            parts.audit,
            citizen_id=attempt.citizen_id,
            acr=acr,
            amr=amr,
            browser_label=visitor.browser_label,
            lifetime_s=parts.session_lifetime_s,
            before_sha256=before.session_sha256 if before else None,
            purpose=errand.client_id,
        )
        await alert(tx, parts, visitor, attempt.citizen_id, started)
        return SignedIn(started.token, acr)
    assert before is not None
    if before.upstream is None:
        amr = in_order({*before.amr, *factor, "mfa"})
        acr = acr_of(amr, proofing=attempt.proofing)
    else:
        # What another provider says of its factors is told on, and never raises the level that ours give.
        amr = list(dict.fromkeys([*before.amr, *factor, "mfa"]))
        acr = acr_of([*factor, "mfa"], proofing=attempt.proofing)
    stepped = await step_up(
        tx,
        parts.audit,
        before_sha256=attempt.session_sha256,
        citizen_id=attempt.citizen_id,
        acr=acr,
        amr=amr,
        idle_s=parts.session_idle_s,
        purpose=errand.client_id,
    )
    if stepped is None:
        raise AttemptOver
    return SignedIn(stepped.token, acr)


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
