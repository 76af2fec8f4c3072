from idp.authenticators.methods import methods_of
from idp.sessions.levels import REACHABLE, at_least
from idp.sessions.schema import Session
from idp.sign_in import store
from idp.sign_in.await_second_factor import await_second_factor
from idp.sign_in.refusals import LevelOutOfReach, NoSecondFactor
from idp.sign_in.schema import Errand, SignIn, Visitor
from kit.db import Tx
from kit.i18n import Locale


async def begin_step_up(parts: SignIn, visitor: Visitor, errand: Errand, session: Session, *, locale: Locale) -> None:
    """A live session needs one more factor, not the password again. Repeating it changes nothing and sends nothing.

    Raises NoSecondFactor, LevelOutOfReach.
    """
    if not at_least(REACHABLE, errand.acr_needed):
        raise LevelOutOfReach

    async def once(tx: Tx) -> None:
        waiting = await store.attempt(tx, visitor.browser_sha256, errand.key)
        if waiting is not None and waiting.session_sha256 == session.session_sha256:
            return
        methods = await methods_of(tx, session.citizen_id)
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

    await parts.db.transact(once)
