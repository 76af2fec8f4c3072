"""The first factor. An identifier that nobody has costs the same time and gets the same answer as a wrong password."""

from typing import assert_never

from idp.authenticators.one_time_code import as_typed
from idp.authenticators.password import hashed, is_outdated, matches, prepared
from idp.authenticators.rehash import rehash
from idp.citizens.schema import State
from idp.sessions.levels import acr_of, at_least, without_passkey
from idp.sessions.start import start
from idp.sign_in import await_second_factor, store, throttling
from idp.sign_in.alert import alert
from idp.sign_in.refusals import Closed, Frozen, LevelOutOfReach, NoSecondFactor, NotActive, NotFrozen
from idp.sign_in.schema import Candidate, Errand, SecondFactorAwaited, SignedIn, SignIn, Visitor, Wrong
from kit.audit import AuditEvent
from kit.db import Tx
from kit.i18n import Locale


async def check_password(
    parts: SignIn, visitor: Visitor, errand: Errand, *, username: str, password: str, locale: Locale
) -> SignedIn | SecondFactorAwaited | Wrong:
    """Raises TooManyRequests before the password is looked at; NotActive, Frozen, Closed, NoSecondFactor and
    LevelOutOfReach only once it was right.
    """
    uid = as_typed(username)
    keys = throttling.Keys(parts.secrets, uid=uid, password=password, address_prefix=visitor.address_prefix)
    counted = uid not in parts.unthrottled_uids

    async def look(tx: Tx) -> Candidate:
        found = await store.candidate(
            tx,
            uid,
            everywhere_bucket=keys.everywhere_bucket,
            password_bucket=keys.password_bucket,
        )
        if counted:
            await throttling.count_attempt(tx, parts.throttle, keys, found)
        return found

    candidate = await (parts.db.transact(look) if counted else look(parts.db))
    if not await matches(parts.passwords, candidate.argon2, password):
        await parts.db.transact(lambda tx: _refused(tx, parts, keys, visitor, errand, candidate, counted=counted))
        return Wrong("credentials")
    assert candidate.citizen_id is not None
    assert candidate.argon2 is not None
    assert candidate.state is not None
    must_be_active(candidate.state, errand)
    renewed = await hashed(parts.passwords, prepared(password)) if is_outdated(candidate.argon2) else None

    async def passed(tx: Tx) -> SignedIn | SecondFactorAwaited:
        assert candidate.citizen_id is not None
        assert candidate.argon2 is not None
        if counted:
            await throttling.count_success(tx, parts.throttle, keys)
        if renewed is not None:
            await rehash(tx, candidate.citizen_id, before=candidate.argon2, after=renewed)
        return await _next(tx, parts, visitor, errand, candidate, locale=locale)

    return await parts.db.transact(passed)


def must_be_active(state: State, errand: Errand) -> None:
    match state:
        case "active":
            if errand.of_the_frozen:
                raise NotFrozen
        case "frozen" if errand.of_the_frozen:
            return
        case "registered":
            raise NotActive
        case "frozen":
            raise Frozen
        case "suspended" | "deceased" | "erased":
            raise Closed
        case _:
            assert_never(state)


async def _next(
    tx: Tx, parts: SignIn, visitor: Visitor, errand: Errand, candidate: Candidate, *, locale: Locale
) -> SignedIn | SecondFactorAwaited:
    assert candidate.citizen_id is not None
    if errand.acr_needed == "low":
        started = await start(
            tx,
            parts.audit,
            citizen_id=candidate.citizen_id,
            acr="low",
            amr=["pwd"],
            browser_label=visitor.browser_label,
            lifetime_s=parts.session_lifetime_s,
            before_sha256=visitor.session.session_sha256 if visitor.session else None,
            purpose=errand.client_id,
        )
        await alert(tx, parts, visitor, candidate.citizen_id, started)
        return SignedIn(started.token, "low")
    if not candidate.methods.second:
        raise NoSecondFactor
    # Whoever has no passkey yet signs in as well as they can, and is then told what is missing.
    if not at_least(acr_of(["mfa"], proofing=candidate.proofing or "none"), without_passkey(errand.acr_needed)):
        raise LevelOutOfReach
    method = await await_second_factor.await_second_factor(
        tx,
        parts,
        visitor,
        errand,
        citizen_id=candidate.citizen_id,
        methods=candidate.methods,
        locale=locale,
        session_sha256=None,
    )
    await parts.audit.append(
        tx,
        AuditEvent(
            action="password.accepted",
            actor_kind="anonymous",
            owner=str(candidate.citizen_id),
            purpose=errand.client_id,
            detail={"browser": visitor.browser_label},
        ),
    )
    return SecondFactorAwaited(method)


async def _refused(
    tx: Tx,
    parts: SignIn,
    keys: throttling.Keys,
    visitor: Visitor,
    errand: Errand,
    candidate: Candidate,
    *,
    counted: bool,
) -> None:
    if counted:
        await throttling.count_failure(tx, parts.throttle, parts.audit, keys)
    await parts.audit.append(
        tx,
        AuditEvent(
            action="sign-in.refused",
            actor_kind="anonymous",
            owner=str(candidate.citizen_id) if candidate.citizen_id else None,
            purpose=errand.client_id,
            result="wrong-credentials",
            detail={"browser": visitor.browser_label},
        ),
    )
