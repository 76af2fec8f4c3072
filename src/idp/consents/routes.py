from urllib.parse import urlsplit

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromQuery

from idp.authorization.interactions import load
from idp.authorization.proceed import refuse
from idp.authorization.refusals import AuthorizationError, InteractionOver
from idp.authorization.routes import answer
from idp.authorization.schema import Interaction
from idp.citizens.find import find_citizen
from idp.consents.give import give
from idp.consents.released import needed_values, optional_values, permissions
from idp.frame import AnyRequest, checked_form, locale, page, see_other, session_of
from idp.sessions.browser import browser_of
from idp.wiring import Wiring
from kit.db import Tx


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
    citizen = await find_citizen(wiring.db, session.citizen_id)
    if citizen is None:
        raise InteractionOver
    language = locale(request, ui_locales=found.ui_locales, profile=session.locale).value
    target = urlsplit(found.request.redirect_uri)
    return page(
        request,
        wiring,
        "idp/consents/consent.html",
        browser=browser,
        ui_locales=found.ui_locales,
        profile=session.locale,
        form_action=f"{target.scheme}://{target.netloc}" if target.netloc else f"{target.scheme}:",
        interaction=found.interaction_id,
        client_name=found.client_name[language],
        client_host=found.redirect_host,
        purpose=(found.purpose or {}).get(language),
        permissions=permissions(found.request),
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
        return see_other(f"/idp/sign-in?interaction={found.interaction_id}")
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
    )
    return see_other(f"/idp/authorize/resume?interaction={found.interaction_id}")


async def _interaction(tx: Tx, interaction_id: str, browser_sha256: bytes) -> Interaction:
    found = await load(tx, interaction_id, browser_sha256)
    if found is None:
        raise InteractionOver
    return found


ROUTES = [show_consent, decide_consent]
