import httpx
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromQuery

from kit.edge import wants_page
from kit.errors import Unauthenticated
from kit.tokens import new_token
from locker.access.finish_sign_in import Returned, finish_sign_in
from locker.access.refusals import SignInNeeded
from locker.access.schema import Citizen
from locker.access.sessions import (
    BROWSER_COOKIE,
    SESSION_COOKIE,
    browser_of,
    citizen_of,
    cookie,
    expired_cookie,
    safe_return_to,
)
from locker.access.sign_out import sign_out as end_session
from locker.access.start_sign_in import start_sign_in
from locker.home.frame import ACCOUNT, AnyRequest, checked_form, locale, see_other
from locker.wiring import Wiring

_RETURN = "/signed-in"


async def provide_citizen(request: AnyRequest, wiring: NamedDependency[Wiring]) -> Citizen:
    """Whoever is signed in here. A browser without a session goes to sign in and comes back to this page."""
    citizen = await citizen_of(wiring.db, request.cookies.get(SESSION_COOKIE), wiring.sessions)
    if citizen is None:
        if not wants_page(request):
            raise Unauthenticated
        raise SignInNeeded(safe_return_to(request.scope["path"] if request.method == "GET" else None))
    return citizen


@get("/sign-in", operation_id="StartSignIn")
async def sign_in(
    request: AnyRequest,
    wiring: NamedDependency[Wiring],
    return_to: FromQuery[str | None] = None,
    again: FromQuery[bool] = False,
) -> Response[bytes]:
    """``again``: also where there is a session, for what needs a fresh proof."""
    target = safe_return_to(return_to)
    if not again and await citizen_of(wiring.db, request.cookies.get(SESSION_COOKIE), wiring.sessions):
        return see_other(target)
    browser = browser_of(request.cookies.get(BROWSER_COOKIE)) or new_token()
    location = await start_sign_in(
        wiring.db,
        wiring.provider,
        browser=browser,
        redirect_uri=wiring.settings.locker_url + _RETURN,
        return_to=target,
        ui_locales=locale(request).tag,
        lifetime_s=wiring.sessions.sign_in_lifetime_s,
        again=again,
    )
    return see_other(location, cookies=[cookie(BROWSER_COOKIE, browser)])


@get(_RETURN, operation_id="FinishSignIn")
async def signed_in(request: AnyRequest, wiring: NamedDependency[Wiring]) -> Response[bytes]:
    query = request.query_params
    finished = await finish_sign_in(
        wiring.db,
        wiring.provider,
        wiring.audit,
        Returned(state=query.get("state"), code=query.get("code"), iss=query.get("iss"), error=query.get("error")),
        browser=browser_of(request.cookies.get(BROWSER_COOKIE)),
        old_session=request.cookies.get(SESSION_COOKIE),
        redirect_uri=wiring.settings.locker_url + _RETURN,
        session_lifetime_s=wiring.sessions.lifetime_s,
    )
    return see_other(finished.return_to, cookies=[cookie(SESSION_COOKIE, finished.session)])


@post("/sign-out", operation_id="SignOut")
async def sign_out(
    request: AnyRequest, wiring: NamedDependency[Wiring], citizen: NamedDependency[Citizen]
) -> Response[bytes]:
    await checked_form(request, wiring)
    location = await end_session(
        wiring.db,
        wiring.provider,
        wiring.audit,
        citizen,
        post_logout_redirect_uri=f"{wiring.settings.locker_url}/",
        ui_locales=locale(request).tag,
    )
    response = see_other(location, cookies=[expired_cookie(SESSION_COOKIE)])
    response.headers["Clear-Site-Data"] = '"cache"'
    return response


@get(ACCOUNT, operation_id="ShowAccount")
async def account(request: AnyRequest, wiring: NamedDependency[Wiring]) -> Response[bytes]:
    """On to the provider, where what one signs in with is looked after, and frozen; in the language of this page."""
    metadata = await wiring.provider.metadata()
    if metadata.account_management_uri is None:
        return see_other(metadata.issuer)
    address = httpx.URL(metadata.account_management_uri)
    return see_other(str(address.copy_merge_params({"lang": locale(request).value})))


ROUTES = [sign_in, signed_in, sign_out, account]
