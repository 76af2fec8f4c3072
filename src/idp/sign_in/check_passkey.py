"""Signing in with a passkey alone: the device knows whose it is and verified its owner, so it is both factors."""

from uuid import UUID

from idp.authenticators.passkey import AMR, read_assertion
from idp.authenticators.prove_passkey import NotProven, prove_passkey
from idp.citizens.find import find_citizen
from idp.sessions.levels import acr_of, at_least, in_order, without_passkey
from idp.sessions.start import start
from idp.sign_in import store
from idp.sign_in.alert import alert
from idp.sign_in.check_password import must_be_active
from idp.sign_in.decide_frozen import decide_frozen
from idp.sign_in.refusals import LevelOutOfReach
from idp.sign_in.schema import Errand, FrozenDecided, SignedIn, SignIn, Visitor, Wrong
from idp.sign_in.tell_of_copy import tell_of_copy
from kit.audit import AuditEvent
from kit.db import Tx
from kit.throttle import Limit

ADDRESS = Limit("passkey-address", 100, 300)


async def check_passkey(parts: SignIn, visitor: Visitor, errand: Errand, text: str) -> SignedIn | FrozenDecided | Wrong:
    """Raises TooManyRequests; NotActive, Frozen, Closed and LevelOutOfReach only once the passkey was right."""
    await parts.db.transact(lambda tx: parts.throttle.count(tx, ADDRESS, visitor.address_prefix))
    assertion = read_assertion(text)
    if assertion is None:
        return Wrong("passkey")

    async def once(tx: Tx) -> SignedIn | Wrong | UUID:
        found = await prove_passkey(
            tx,
            parts.audit,
            parts.secrets,
            parts.site,
            assertion,
            ceremony="sign-in",
            browser_sha256=visitor.browser_sha256,
            errand=errand.key,
        )
        if isinstance(found, NotProven):
            await tell_of_copy(tx, parts, found)
            await _record_refusal(tx, parts, visitor, errand, found.citizen_id)
            return Wrong("passkey")
        return found.citizen_id

    # The challenge stays spent whatever becomes of the sign-in.
    outcome = await parts.db.transact(once)
    if not isinstance(outcome, UUID):
        return outcome
    return await parts.db.transact(lambda tx: _start(tx, parts, visitor, errand, outcome))


async def _start(tx: Tx, parts: SignIn, visitor: Visitor, errand: Errand, citizen_id: UUID) -> SignedIn | FrozenDecided:
    citizen = await find_citizen(tx, citizen_id)
    assert citizen is not None
    must_be_active(citizen.state, errand)
    amr = in_order(AMR)
    acr = acr_of(amr, proofing=await store.proofing(tx, citizen_id))
    if not at_least(acr, without_passkey(errand.acr_needed)):
        raise LevelOutOfReach
    await store.finish_attempt(tx, visitor.browser_sha256, errand.key)
    if errand.of_the_frozen:
        return await decide_frozen(tx, parts, errand, citizen_id)
    started = await start(
        tx,
        parts.audit,
        citizen_id=citizen_id,
        acr=acr,
        amr=amr,
        browser_label=visitor.browser_label,
        lifetime_s=parts.session_lifetime_s,
        before_sha256=visitor.session.session_sha256 if visitor.session else None,
        purpose=errand.client_id,
    )
    await parts.throttle.give_back(tx, ADDRESS, visitor.address_prefix)
    await alert(tx, parts, visitor, citizen_id, started)
    return SignedIn(started.token, acr)


async def _record_refusal(tx: Tx, parts: SignIn, visitor: Visitor, errand: Errand, citizen_id: UUID | None) -> None:
    await parts.audit.append(
        tx,
        AuditEvent(
            action="sign-in.refused",
            actor_kind="anonymous",
            owner=str(citizen_id) if citizen_id else None,
            purpose=errand.client_id,
            result="wrong-passkey",
            detail={"browser": visitor.browser_label},
        ),
    )
