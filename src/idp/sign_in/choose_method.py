from idp.authenticators.schema import Method
from idp.sign_in import store
from idp.sign_in.await_second_factor import send
from idp.sign_in.refusals import AttemptOver
from idp.sign_in.schema import Errand, SignIn, Visitor
from kit.db import Tx
from kit.i18n import Locale


async def choose_method(parts: SignIn, visitor: Visitor, errand: Errand, method: Method, *, locale: Locale) -> bool:
    """Another way, or another code; False if the code could not be sent. Raises AttemptOver."""

    async def once(tx: Tx) -> bool:
        attempt = await store.attempt(tx, visitor.browser_sha256, errand.key)
        if attempt is None or method not in attempt.methods.second:
            raise AttemptOver
        await store.set_method(tx, attempt.attempt_id, method)
        if method != "code":
            return True
        return await send(
            tx,
            parts,
            visitor,
            citizen_id=attempt.citizen_id,
            attempt_id=attempt.attempt_id,
            methods=attempt.methods,
            locale=locale,
        )

    return await parts.db.transact(once)
