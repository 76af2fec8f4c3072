import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromQuery

from idp.account.refusals import NotSignedIn
from idp.authorization.confirm import confirm
from idp.authorization.interactions import load
from idp.authorization.proceed import keep, refuse
from idp.authorization.refusals import AuthorizationError, InteractionOver, RequestRefused
from idp.authorization.routes import answer
from idp.authorization.schema import Interaction
from idp.authorization.steps import Asked
from idp.authorization.validate import validate
from idp.clients.identify import identify
from idp.consents.released import asked_by_name
from idp.device.begin import begin
from idp.device.find import find_by_user_code, find_waiting
from idp.device.refusals import SignInFirst
from idp.device.schema import DeviceAuthorizationResponse, Devices, WaitingDevice
from idp.device.user_code import shown
from idp.frame import AnyRequest, checked_form, headers_of, locale, page, see_other, session_of
from idp.parameters import of_form
from idp.problem import CLIENT_S_FORM
from idp.purposes.hold import hold
from idp.refusals import UnauthorizedClient
from idp.sessions.browser import browser_of
from idp.sign_in.abandon import abandon
from idp.wiring import Wiring
from kit.edge import address_prefix, client_address
from kit.errors import TooManyRequests
from kit.i18n import Message, _
from kit.tokens import digest, new_token

AnyResponse = Response[str] | Response[bytes]
GRANT_TYPE = "urn:ietf:params:oauth:grant-type:device_code"
_SHOWN_MAX = 20


def parts_of(wiring: Wiring) -> Devices:
    return Devices(
        db=wiring.db,
        audit=wiring.audit,
        throttle=wiring.throttle,
        secrets=wiring.secrets,
        issuer=wiring.settings.issuer,
    )


@post("/device-authorization", operation_id="DeviceAuthorization", status_code=200, responses=CLIENT_S_FORM)
async def device_authorization(
    request: AnyRequest, wiring: NamedDependency[Wiring]
) -> Response[DeviceAuthorizationResponse]:
    """The device authorization endpoint (RFC 8628 §3.1)."""
    parameters = await of_form(request)
    client = await identify(wiring.client_authentication, headers_of(request), parameters, path="/device-authorization")
    if GRANT_TYPE not in client.metadata.grant_types:
        raise UnauthorizedClient
    device_code = new_token()
    try:
        asked = validate(
            Asked(
                endpoint="device",
                parameters=parameters,
                client=client,
                scopes=await wiring.scopes.current(),
                issuer=wiring.settings.issuer,
                keys=wiring.keys.current(),
            )
        )
        await hold(wiring.db, wiring.audit, asked, is_proven=not client.public)
    except AuthorizationError as error:
        raise RequestRefused(error) from None
    begun = await begin(
        parts_of(wiring),
        msgspec.structs.replace(asked, kind="device_code", waiting_sha256=digest(device_code)),
        device_code=device_code,
        address_prefix=address_prefix(client_address(request.scope)),
    )
    return Response(begun, headers={"Cache-Control": "no-store", "Pragma": "no-cache"})


@get("/device", operation_id="DevicePage", include_in_schema=False)
async def device_page(
    request: AnyRequest, wiring: NamedDependency[Wiring], user_code: FromQuery[str] = ""
) -> AnyResponse:
    """Where the code is typed. A link that carries it fills in the field, and no more (RFC 8628 §3.3.1, §5.4)."""
    return _typing(request, wiring, user_code)


@post("/device", operation_id="DeviceCode", include_in_schema=False, status_code=303)
async def device(request: AnyRequest, wiring: NamedDependency[Wiring]) -> AnyResponse:
    form = await checked_form(request, wiring)
    browser, session = browser_of(request), await session_of(request, wiring)
    typed = form.get("user_code", "")
    try:
        found = await find_by_user_code(
            parts_of(wiring),
            typed,
            browser_sha256=browser.sha256,
            address_prefix=address_prefix(client_address(request.scope)),
            citizen=str(session.citizen_id) if session else None,
        )
    except SignInFirst:
        return see_other("/idp/sign-in?to=device")
    except TooManyRequests as refusal:
        error = _("Too many attempts. Wait a little and try again.")
        response = _typing(request, wiring, typed, error=error, status=429)
        response.headers.update(refusal.headers)
        return response
    if found is None:
        error = _("No device waits with this code. Look at its screen again: a code is good for ten minutes.")
        return _typing(request, wiring, typed, error=error, status=422)
    interaction_id = await keep(wiring.provider, found.request, browser.sha256)
    return see_other(f"/idp/authorize/resume?interaction={interaction_id}")


@get("/device/confirm", operation_id="ConfirmDevicePage", include_in_schema=False)
async def confirm_page(
    request: AnyRequest, wiring: NamedDependency[Wiring], interaction: FromQuery[str] = ""
) -> AnyResponse:
    """Which service waits, with which code: only who has the device before their eyes can know that it is theirs."""
    browser = browser_of(request)
    found, waiting = await _waiting(wiring, interaction, browser.sha256)
    session = await session_of(request, wiring)
    if session is None:
        return see_other(f"/idp/sign-in?interaction={found.interaction_id}")
    language = locale(request, ui_locales=found.ui_locales, profile=session.locale).value
    return page(
        request,
        wiring,
        "idp/device/confirm.html",
        browser=browser,
        ui_locales=found.ui_locales,
        profile=session.locale,
        interaction=found.interaction_id,
        client_name=found.client_name[language],
        purpose=(found.purpose or {}).get(language),
        user_code=shown(waiting.user_code),
        asked_at=waiting.created_at,
        **asked_by_name(found.request),
    )


@post("/device/confirm", operation_id="ConfirmDevice", include_in_schema=False, status_code=303)
async def confirm_device(
    request: AnyRequest, wiring: NamedDependency[Wiring], interaction: FromQuery[str] = ""
) -> AnyResponse:
    form = await checked_form(request, wiring)
    browser = browser_of(request)
    found, _waits = await _waiting(wiring, interaction, browser.sha256)
    session = await session_of(request, wiring)
    if session is None:
        await abandon(wiring.db, browser.sha256)
        raise NotSignedIn
    if form.get("decision") != "go-on":
        outcome = await refuse(
            wiring.provider, found, AuthorizationError("access_denied"), session=session, browser_sha256=browser.sha256
        )
        return answer(request, wiring, outcome, browser)
    await confirm(wiring.db, found, browser_sha256=browser.sha256)
    return see_other(f"/idp/authorize/resume?interaction={found.interaction_id}")


@get("/device/done", operation_id="DeviceDonePage", include_in_schema=False)
async def done_page(
    request: AnyRequest, wiring: NamedDependency[Wiring], allowed: FromQuery[bool] = False
) -> AnyResponse:
    session = await session_of(request, wiring)
    return page(
        request,
        wiring,
        "idp/device/done.html",
        browser=browser_of(request),
        profile=session.locale if session else None,
        allowed=allowed,
    )


def _typing(
    request: AnyRequest, wiring: Wiring, typed: str, *, error: Message | None = None, status: int = 200
) -> Response[str]:
    return page(
        request,
        wiring,
        "idp/device/type_code.html",
        browser=browser_of(request),
        status=status,
        path="/idp/device",
        errors={"user-code": error} if error else {},
        typed=typed[:_SHOWN_MAX],
    )


async def _waiting(wiring: Wiring, interaction_id: str, browser_sha256: bytes) -> tuple[Interaction, WaitingDevice]:
    """Raises InteractionOver also for a device that has its answer, or waits no more."""
    found = await load(wiring.db, interaction_id, browser_sha256)
    if found is None or found.request.kind != "device_code" or found.request.waiting_sha256 is None:
        raise InteractionOver
    waiting = await find_waiting(parts_of(wiring), found.request.waiting_sha256)
    if waiting is None:
        raise InteractionOver
    return found, waiting


ROUTES = [device_authorization, device_page, device, confirm_page, confirm_device, done_page]
