from typing import Literal

from idp.authenticators.methods import methods_of
from idp.sessions.levels import acr_of, at_least, without_passkey
from idp.sessions.schema import Session
from idp.sign_in import store
from idp.sign_in.await_second_factor import await_second_factor
from idp.sign_in.refusals import LevelOutOfReach, NoSecondFactor
from idp.sign_in.schema import Errand, SignIn, Visitor
from kit.db import Tx
from kit.i18n import Locale

Begun = Literal["second-factor", "stronger"]


async def begin_step_up(parts: SignIn, visitor: Visitor, errand: Errand, session: Session, *, locale: Locale) -> Begun:
    """A live session needs one more factor, not the password again. Repeating it changes nothing and sends nothing.

    ``stronger``: the page that says what is missing, because nothing that this citizen has can reach the level.
    Raises NoSecondFactor, LevelOutOfReach.
    """

    async def once(tx: Tx) -> Begun:
        waiting = await store.attempt(tx, visitor.browser_sha256, errand.key)
        if waiting is not None and waiting.session_sha256 == session.session_sha256:
            return "second-factor"
        methods = await methods_of(tx, session.citizen_id)
        proofing = await store.proofing(tx, session.citizen_id)
        if not at_least(acr_of(["mfa"], proofing=proofing), without_passkey(errand.acr_needed)):
            raise LevelOutOfReach
        high_reached = methods.passkeys > 0 and proofing == "desk"
        if errand.acr_needed == "high" and not high_reached and at_least(session.acr, "substantial"):
            return "stronger"
        if not methods.second:
            raise NoSecondFactor
        await await_second_factor(
            tx,
            parts,
            visitor,
            errand,
            citizen_id=session.citizen_id,
            methods=methods,
            locale=locale,
            session_sha256=session.session_sha256,
        )
        return "second-factor"

    return await parts.db.transact(once)
