from collections.abc import Sequence

from litestar import Response, get, post
from litestar.di import NamedDependency

from idp.account.guard import parts_of, sent_by, shown_to
from idp.account.schema import Fresh
from idp.authenticators.methods import methods_of
from idp.frame import AnyRequest, page
from idp.recovery_codes.make import make
from idp.sessions.browser import browser_of
from idp.wiring import Wiring

AnyResponse = Response[str] | Response[bytes]


@get("/account/recovery-codes", operation_id="RecoveryCodesPage")
async def codes_page(request: AnyRequest, wiring: NamedDependency[Wiring]) -> AnyResponse:
    fresh = await shown_to(request, wiring, "recovery-codes")
    return await _codes(request, wiring, fresh) if isinstance(fresh, Fresh) else fresh


@post("/account/recovery-codes", operation_id="MakeRecoveryCodes", status_code=200)
async def make_codes(request: AnyRequest, wiring: NamedDependency[Wiring]) -> AnyResponse:
    """The answer is the page itself: the codes exist nowhere that a second page could read them from."""
    _, fresh = await sent_by(request, wiring, "recovery-codes")
    if not isinstance(fresh, Fresh):
        return fresh
    return await _codes(request, wiring, fresh, await make(parts_of(wiring), fresh))


async def _codes(request: AnyRequest, wiring: Wiring, fresh: Fresh, codes: Sequence[str] = ()) -> AnyResponse:
    return page(
        request,
        wiring,
        "idp/recovery_codes/recovery_codes.html",
        browser=browser_of(request),
        path=None if codes else "/idp/account/recovery-codes",
        profile=fresh.session.locale,
        codes=codes,
        uid=fresh.citizen.uid,
        left=(await methods_of(wiring.db, fresh.citizen.citizen_id)).recovery_codes,
    )


ROUTES = [codes_page, make_codes]
