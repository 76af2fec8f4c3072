from uuid import UUID

from idp.authenticators.refusals import TooManyCodes
from idp.authenticators.schema import Method, Methods
from idp.authenticators.send_code import send_code
from idp.sign_in import store
from idp.sign_in.schema import Errand, SignIn, Visitor
from kit.db import Tx
from kit.i18n import Locale
from kit.ids import new_id

ATTEMPT_LIFETIME_S = 900


async def await_second_factor(
    tx: Tx,
    parts: SignIn,
    visitor: Visitor,
    errand: Errand,
    *,
    citizen_id: UUID,
    methods: Methods,
    locale: Locale,
    session_sha256: bytes | None,
) -> Method:
    """A half-done sign-in, bound to this browser and this errand; the way that was used last comes first, and a
    passkey where nothing else reaches what was asked for."""
    method, attempt_id = methods.second[0], new_id()
    if errand.acr_needed == "high" and "passkey" in methods.second:
        method = "passkey"
    await store.begin_attempt(
        tx,
        browser_sha256=visitor.browser_sha256,
        errand=errand.key,
        attempt_id=attempt_id,
        citizen_id=citizen_id,
        method=method,
        session_sha256=session_sha256,
        lifetime_s=ATTEMPT_LIFETIME_S,
    )
    if method == "code":
        await send(tx, parts, visitor, citizen_id=citizen_id, attempt_id=attempt_id, methods=methods, locale=locale)
    return method


async def send(
    tx: Tx, parts: SignIn, visitor: Visitor, *, citizen_id: UUID, attempt_id: UUID, methods: Methods, locale: Locale
) -> bool:
    """False if no more codes may be sent now: the page then says so and offers another way."""
    assert methods.code is not None
    try:
        await send_code(
            tx,
            parts.audit,
            parts.throttle,
            parts.secrets,
            parts.post,
            citizen_id,
            methods.code,
            purpose="sign-in",
            binding=str(attempt_id),
            locale=locale,
            lifetime_s=parts.one_time_code_lifetime_s,
            asked_from=visitor.address_prefix,
        )
    except TooManyCodes:
        return False
    return True
