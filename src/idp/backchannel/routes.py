from uuid import UUID

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromQuery

from idp.account.refusals import NotSignedIn
from idp.authorization.confirm import confirm
from idp.authorization.interactions import load
from idp.authorization.proceed import keep, refuse
from idp.authorization.refusals import AuthorizationError, InteractionOver
from idp.authorization.routes import answer
from idp.authorization.schema import Interaction
from idp.backchannel.ask import admit, ask
from idp.backchannel.block import block, unblock
from idp.backchannel.match import matches
from idp.backchannel.read import read
from idp.backchannel.schema import Backchannel, BackchannelAuthenticationResponse, WaitingService
from idp.backchannel.waiting import blocked_by, find_by_digest, find_waiting, waiting_for
from idp.clients.identify import identify
from idp.consents.released import asked_by_name
from idp.frame import AnyRequest, checked_form, headers_of, locale, page, see_other, session_of
from idp.parameters import of_form
from idp.problem import WITH_BODY, refusals
from idp.sessions.browser import browser_of
from idp.sessions.schema import Session
from idp.sign_in.abandon import abandon
from idp.wiring import Wiring

AnyResponse = Response[str] | Response[bytes]
PAGE = "/idp/account/requests"
BACKCHANNEL = "/bc-authorize"


def parts_of(wiring: Wiring) -> Backchannel:
    return Backchannel(
        db=wiring.db,
        audit=wiring.audit,
        throttle=wiring.throttle,
        secrets=wiring.secrets,
        post=wiring.post,
        issuer=wiring.settings.issuer,
        unthrottled_uids=frozenset(wiring.settings.unthrottled_uids),
    )


@post(
    BACKCHANNEL,
    operation_id="BackchannelAuthentication",
    status_code=200,
    responses=refusals(oauth=(400, 401, 403, 429), problems=WITH_BODY),
)
async def backchannel_authentication(
    request: AnyRequest, wiring: NamedDependency[Wiring]
) -> Response[BackchannelAuthenticationResponse]:
    """The backchannel authentication endpoint (CIBA Core §7)."""
    parameters = await of_form(request)
    client = await identify(wiring.client_authentication, headers_of(request), parameters, path=BACKCHANNEL)
    parts = parts_of(wiring)
    await admit(parts, client)
    begun = await ask(
        parts,
        client,
        await read(wiring.client_authentication, client, parameters),
        scopes=await wiring.scopes.current(),
        keys=wiring.keys.current(),
    )
    return Response(begun, headers={"Cache-Control": "no-store", "Pragma": "no-cache"})


@get("/account/requests", operation_id="RequestsPage", include_in_schema=False)
async def requests_page(
    request: AnyRequest, wiring: NamedDependency[Wiring], allowed: FromQuery[bool | None] = None
) -> AnyResponse:
    """What waits for the citizen, and which services may not ask any more."""
    session = await session_of(request, wiring)
    if session is None:
        return see_other("/idp/sign-in?to=requests")
    return page(
        request,
        wiring,
        "idp/backchannel/requests.html",
        browser=browser_of(request),
        path=PAGE,
        profile=session.locale,
        language=locale(request, profile=session.locale).value,
        allowed=allowed,
        waiting=await waiting_for(wiring.db, session.citizen_id),
        blocked=await blocked_by(wiring.db, session.citizen_id),
    )


@post("/account/requests/open", operation_id="OpenRequest", include_in_schema=False, status_code=303)
async def open_request(request: AnyRequest, wiring: NamedDependency[Wiring]) -> AnyResponse:
    """From here on it is a request like any other: the level that was asked for, consent, an answer."""
    form = await checked_form(request, wiring)
    browser = browser_of(request)
    session = await _session(request, wiring, browser.sha256)
    waiting = await find_waiting(wiring.db, session.citizen_id, _uuid(form.get("request", "")))
    if waiting is None:
        return see_other(PAGE)
    interaction_id = await keep(wiring.provider, waiting.request, browser.sha256)
    return see_other(f"/idp/authorize/resume?interaction={interaction_id}")


@get("/account/requests/confirm", operation_id="ConfirmRequestPage", include_in_schema=False)
async def confirm_page(
    request: AnyRequest, wiring: NamedDependency[Wiring], interaction: FromQuery[str] = ""
) -> AnyResponse:
    """Who asks, for what, and what its own screen must show for it to be the one in front of the citizen."""
    browser, session = browser_of(request), await session_of(request, wiring)
    if session is None:
        return see_other(f"/idp/sign-in?interaction={interaction}")
    found, waiting = await _waiting(wiring, interaction, browser.sha256, session)
    language = locale(request, ui_locales=found.ui_locales, profile=session.locale).value
    return page(
        request,
        wiring,
        "idp/backchannel/confirm.html",
        browser=browser,
        ui_locales=found.ui_locales,
        profile=session.locale,
        interaction=found.interaction_id,
        client_name=waiting.client_name[language],
        purpose=waiting.purpose.get(language),
        binding_message=waiting.binding_message,
        numbers=waiting.numbers,
        asked_at=waiting.created_at,
        expires_at=waiting.expires_at,
        **asked_by_name(waiting.request),
    )


@post("/account/requests/confirm", operation_id="ConfirmRequest", include_in_schema=False, status_code=303)
async def confirm_request(
    request: AnyRequest, wiring: NamedDependency[Wiring], interaction: FromQuery[str] = ""
) -> AnyResponse:
    form = await checked_form(request, wiring)
    browser = browser_of(request)
    session = await _session(request, wiring, browser.sha256)
    found, waiting = await _waiting(wiring, interaction, browser.sha256, session)
    if matches(waiting, decision=form.get("decision"), number=form.get("number")):
        await confirm(wiring.db, found, browser_sha256=browser.sha256)
        return see_other(f"/idp/authorize/resume?interaction={found.interaction_id}")
    outcome = await refuse(
        wiring.provider, found, AuthorizationError("access_denied"), session=session, browser_sha256=browser.sha256
    )
    if form.get("decision") == "not-me":
        await block(wiring.db, wiring.audit, citizen_id=session.citizen_id, client_id=waiting.client_id)
    return answer(request, wiring, outcome, browser)


@post("/account/requests/unblock", operation_id="UnblockService", include_in_schema=False, status_code=303)
async def unblock_service(request: AnyRequest, wiring: NamedDependency[Wiring]) -> AnyResponse:
    form = await checked_form(request, wiring)
    session = await _session(request, wiring, browser_of(request).sha256)
    await unblock(wiring.db, wiring.audit, citizen_id=session.citizen_id, client_id=form.get("client", ""))
    return see_other(PAGE)


async def _session(request: AnyRequest, wiring: Wiring, browser_sha256: bytes) -> Session:
    session = await session_of(request, wiring)
    if session is None:
        await abandon(wiring.db, browser_sha256)
        raise NotSignedIn
    return session


async def _waiting(
    wiring: Wiring, interaction_id: str, browser_sha256: bytes, session: Session
) -> tuple[Interaction, WaitingService]:
    """Raises InteractionOver also for what was asked of somebody else."""
    found = await load(wiring.db, interaction_id, browser_sha256)
    if found is None or found.request.kind != "ciba" or found.request.waiting_sha256 is None:
        raise InteractionOver
    waiting = await find_by_digest(wiring.db, found.request.waiting_sha256)
    if waiting is None or waiting.citizen_id != session.citizen_id:
        raise InteractionOver
    return found, waiting


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        return UUID(int=0)


ROUTES = [
    backchannel_authentication,
    requests_page,
    open_request,
    confirm_page,
    confirm_request,
    unblock_service,
]
