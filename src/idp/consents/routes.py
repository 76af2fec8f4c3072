import datetime as dt
from uuid import UUID

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromQuery

from idp.account.refusals import NotSignedIn
from idp.authorization.interactions import load
from idp.authorization.proceed import refuse
from idp.authorization.refusals import AuthorizationError, InteractionOver
from idp.authorization.routes import answer
from idp.authorization.schema import Interaction
from idp.citizens.claims import full_name
from idp.citizens.find import find_citizen
from idp.consents.connected import connected_services, ended_at
from idp.consents.end import end
from idp.consents.give import give
from idp.consents.released import documents_asked, needed_values, optional_values, permissions, verified_values
from idp.frame import AnyRequest, checked_form, locale, page, see_other, session_of
from idp.mandates.acting import acting
from idp.purposes.texts import texts
from idp.sessions.browser import browser_of
from idp.sign_in.abandon import abandon
from idp.wiring import Wiring
from kit.db import Tx
from kit.errors import NotFound


@get("/consent", operation_id="ShowConsent", include_in_schema=False)
async def show_consent(
    request: AnyRequest, wiring: NamedDependency[Wiring], interaction: FromQuery[str] = ""
) -> Response[bytes] | Response[str]:
    """Who asks, why, and the very values that would be released."""
    browser = browser_of(request)
    found = await _interaction(wiring.db, interaction, browser.sha256)
    session = await session_of(request, wiring)
    if session is None:
        return see_other(f"/idp/sign-in?interaction={found.interaction_id}")
    mandate = await acting(wiring.db, found, session)
    citizen = await find_citizen(wiring.db, mandate.represented_id if mandate else session.citizen_id)
    if citizen is None:
        raise InteractionOver
    language = locale(request, ui_locales=found.ui_locales, profile=session.locale).value
    return page(
        request,
        wiring,
        "idp/consents/consent.html",
        browser=browser,
        ui_locales=found.ui_locales,
        profile=session.locale,
        form_action=found.request.redirect_origin,
        interaction=found.interaction_id,
        client_name=found.client_name[language],
        client_host=found.redirect_host,
        acting_for=full_name(citizen, language) if mandate else None,
        about=found.about,
        purpose=(found.purpose or {}).get(language),
        permissions=permissions(found.request),
        documents=documents_asked(found.request.authorization_details, await texts(wiring.db, found.request, language)),
        verified=verified_values(found.request, citizen, language),
        values=needed_values(found.request, citizen, language),
        optional=optional_values(found.request, citizen, language),
    )


@post("/consent", operation_id="DecideConsent", include_in_schema=False)
async def decide_consent(
    request: AnyRequest, wiring: NamedDependency[Wiring], interaction: FromQuery[str] = ""
) -> Response[bytes] | Response[str]:
    form = await checked_form(request, wiring)
    browser = browser_of(request)
    found = await _interaction(wiring.db, interaction, browser.sha256)
    session = await session_of(request, wiring)
    if session is None:
        # A half-done sign-in that tries to decide has lost its way, or is somebody else's (L-06).
        await abandon(wiring.db, browser.sha256)
        raise NotSignedIn
    if form.get("decision") != "allow":
        outcome = await refuse(
            wiring.provider,
            found,
            AuthorizationError("access_denied"),
            session=session,
            browser_sha256=browser.sha256,
        )
        return answer(request, wiring, outcome, browser)
    await give(
        wiring.db,
        wiring.audit,
        found.request,
        session=session,
        optional=[name.removeprefix("claim:") for name in form if name.startswith("claim:")],
        purpose=found.purpose,
        mandate=await acting(wiring.db, found, session),
    )
    return see_other(f"/idp/authorize/resume?interaction={found.interaction_id}")


@get("/account/services", operation_id="ShowServices", include_in_schema=False)
async def show_services(
    request: AnyRequest, wiring: NamedDependency[Wiring], ended: FromQuery[str] = ""
) -> Response[bytes] | Response[str]:
    """Connected services, each with what it may have and a way to end it."""
    session = await session_of(request, wiring)
    if session is None:
        return see_other("/idp/sign-in")
    language = locale(request, profile=session.locale).value
    return page(
        request,
        wiring,
        "idp/consents/connected.html",
        browser=browser_of(request),
        path="/idp/account/services",
        profile=session.locale,
        services=await connected_services(wiring.db, session.citizen_id, language),
        ended_at=await _ended_at(wiring.db, ended, session.citizen_id),
    )


@post("/account/services", operation_id="EndService", include_in_schema=False)
async def end_service(request: AnyRequest, wiring: NamedDependency[Wiring]) -> Response[bytes]:
    form = await checked_form(request, wiring)
    session = await session_of(request, wiring)
    if session is None:
        await abandon(wiring.db, browser_of(request).sha256)
        raise NotSignedIn
    try:
        consent_id = UUID(form.get("consent", ""))
    except ValueError:
        raise NotFound from None
    await end(wiring.db, wiring.audit, consent_id=consent_id, citizen_id=session.citizen_id)
    return see_other(f"/idp/account/services?ended={consent_id}")


async def _ended_at(tx: Tx, text: str, citizen_id: UUID) -> dt.datetime | None:
    """The very second, as it is kept: the service can do nothing since then."""
    try:
        return await ended_at(tx, UUID(text), citizen_id)
    except ValueError:
        return None


async def _interaction(tx: Tx, interaction_id: str, browser_sha256: bytes) -> Interaction:
    found = await load(tx, interaction_id, browser_sha256)
    if found is None:
        raise InteractionOver
    return found


ROUTES = [show_consent, decide_consent, show_services, end_service]
