from litestar import Response, get, post
from litestar.di import NamedDependency
from markupsafe import Markup

from idp.activation.choose_password import choose_password
from idp.activation.finish import finish
from idp.activation.open_code import open_code
from idp.activation.opened import opened
from idp.activation.refusals import ActivationOver
from idp.activation.schema import Activation
from idp.activation.send_activation_code import send_activation_code
from idp.authenticators.find_destination import destination_of
from idp.authenticators.reasons import reason_of
from idp.authenticators.refusals import PasswordRefused, TooManyCodes
from idp.authenticators.set_up_totp import proposed
from idp.authenticators.totp import as_text, provisioning_uri, qr_svg
from idp.frame import AnyRequest, asked_from, locale, page, see_other
from idp.sessions.browser import browser_of
from idp.sign_in.form import BODY_BYTES_MAX, form_of
from idp.wiring import Wiring
from kit.edge import address_prefix, client_address
from kit.errors import TooManyRequests
from kit.i18n import Message, _

AnyResponse = Response[str] | Response[bytes]


def parts_of(wiring: Wiring) -> Activation:
    return Activation(
        db=wiring.db,
        audit=wiring.audit,
        throttle=wiring.throttle,
        secrets=wiring.secrets,
        passwords=wiring.passwords,
        post=wiring.post,
        one_time_code_lifetime_s=wiring.settings.one_time_code_lifetime_s,
        breached=wiring.breached,
    )


@get("/activate", operation_id="ActivatePage")
async def start_page(request: AnyRequest, wiring: NamedDependency[Wiring]) -> AnyResponse:
    return _start(request, wiring)


@post("/activate", operation_id="Activate", status_code=303)
async def start(request: AnyRequest, wiring: NamedDependency[Wiring]) -> AnyResponse:
    form = await form_of(request, wiring)
    try:
        right = await open_code(
            parts_of(wiring),
            uid=form.get("username", ""),
            code=form.get("activation_code", ""),
            browser_sha256=browser_of(request).sha256,
            address_prefix=address_prefix(client_address(request.scope)),
        )
    except TooManyRequests as refusal:
        response = _start(request, wiring, _("Too many attempts. Wait a little and try again."), status=429)
        response.headers.update(refusal.headers)
        return response
    if not right:
        return _start(request, wiring, _("The identifier or the activation code is not right."), status=422)
    return see_other("/idp/activate/password")


@get("/activate/password", operation_id="ActivatePasswordPage")
async def password_page(request: AnyRequest, wiring: NamedDependency[Wiring]) -> AnyResponse:
    activation = await opened(wiring.db, browser_of(request).sha256)
    return _password(request, wiring, activation.citizen.uid)


@post(
    "/activate/password",
    operation_id="ActivatePassword",
    status_code=303,
    request_max_body_size=BODY_BYTES_MAX,
)
async def password(request: AnyRequest, wiring: NamedDependency[Wiring]) -> AnyResponse:
    form = await form_of(request, wiring)
    browser_sha256 = browser_of(request).sha256
    try:
        await choose_password(
            parts_of(wiring),
            browser_sha256=browser_sha256,
            password=form.get("password", ""),
        )
    except PasswordRefused as refusal:
        activation = await opened(wiring.db, browser_sha256)
        return _password(request, wiring, activation.citizen.uid, reason_of(refusal), status=422)
    return see_other("/idp/activate/second-factor")


@get("/activate/second-factor", operation_id="ActivateSecondFactorPage")
async def second_factor_page(request: AnyRequest, wiring: NamedDependency[Wiring]) -> AnyResponse:
    return await _second_factor(request, wiring)


@post("/activate/second-factor", operation_id="ActivateSecondFactor", status_code=303)
async def second_factor(request: AnyRequest, wiring: NamedDependency[Wiring]) -> AnyResponse:
    form = await form_of(request, wiring)
    method = form.get("method")
    if method == "totp":
        return see_other("/idp/activate/totp")
    if method not in ("sms", "email"):
        return await _second_factor(request, wiring, _("Choose one of these."), status=422)
    try:
        await send_activation_code(
            parts_of(wiring),
            browser_sha256=browser_of(request).sha256,
            channel="sms" if method == "sms" else "email",
            locale=locale(request),
            asked_from=asked_from(request),
        )
    except TooManyCodes:
        return await _second_factor(
            request, wiring, _("Too many codes were sent. Wait a little, or use another way."), status=429
        )
    return see_other("/idp/activate/code")


@get("/activate/totp", operation_id="ActivateTotpPage")
async def totp_page(request: AnyRequest, wiring: NamedDependency[Wiring]) -> AnyResponse:
    return await _totp(request, wiring)


@post("/activate/totp", operation_id="ActivateTotp", status_code=303)
async def totp(request: AnyRequest, wiring: NamedDependency[Wiring]) -> AnyResponse:
    form = await form_of(request, wiring)
    uid = await finish(
        parts_of(wiring),
        browser_sha256=browser_of(request).sha256,
        method="totp",
        typed=form.get("otp", ""),
    )
    if uid is None:
        return await _totp(request, wiring, _("This code is not right, or no longer valid."), status=422)
    return see_other("/idp/activate/done")


@get("/activate/code", operation_id="ActivateCodePage")
async def code_page(request: AnyRequest, wiring: NamedDependency[Wiring]) -> AnyResponse:
    return await _code(request, wiring)


@post("/activate/code", operation_id="ActivateCode", status_code=303)
async def code(request: AnyRequest, wiring: NamedDependency[Wiring]) -> AnyResponse:
    form = await form_of(request, wiring)
    uid = await finish(
        parts_of(wiring),
        browser_sha256=browser_of(request).sha256,
        method="code",
        typed=form.get("otp", ""),
    )
    if uid is None:
        return await _code(request, wiring, _("This code is not right, or no longer valid."), status=422)
    return see_other("/idp/activate/done")


@get("/activate/done", operation_id="ActivateDonePage")
async def done_page(request: AnyRequest, wiring: NamedDependency[Wiring]) -> AnyResponse:
    return page(request, wiring, "idp/activation/done.html", browser=browser_of(request))


def _start(request: AnyRequest, wiring: Wiring, error: Message | None = None, *, status: int = 200) -> AnyResponse:
    return page(
        request,
        wiring,
        "idp/activation/start.html",
        browser=browser_of(request),
        status=status,
        path="/idp/activate",
        errors={"username": error} if error else {},
    )


def _password(
    request: AnyRequest, wiring: Wiring, uid: str, error: Message | None = None, *, status: int = 200
) -> AnyResponse:
    return page(
        request,
        wiring,
        "idp/activation/password.html",
        browser=browser_of(request),
        status=status,
        path="/idp/activate/password",
        errors={"password": error} if error else {},
        uid=uid,
    )


async def _second_factor(
    request: AnyRequest, wiring: Wiring, error: Message | None = None, *, status: int = 200
) -> AnyResponse:
    activation = await opened(wiring.db, browser_of(request).sha256)
    if not activation.has_password:
        return see_other("/idp/activate/password")
    return page(
        request,
        wiring,
        "idp/activation/second_factor.html",
        browser=browser_of(request),
        status=status,
        path="/idp/activate/second-factor",
        errors={"method": error} if error else {},
        destinations=activation.destinations,
    )


async def _totp(request: AnyRequest, wiring: Wiring, error: Message | None = None, *, status: int = 200) -> AnyResponse:
    activation = await opened(wiring.db, browser_of(request).sha256)
    if not activation.has_password:
        return see_other("/idp/activate/password")
    secret = await proposed(wiring.db, wiring.secrets, activation.citizen.citizen_id)
    uri = provisioning_uri(secret, account=activation.citizen.uid, issuer="Khizana")
    return page(
        request,
        wiring,
        "idp/activation/totp.html",
        browser=browser_of(request),
        status=status,
        path="/idp/activate/totp",
        errors={"otp": error} if error else {},
        secret=as_text(secret),
        qr=Markup(qr_svg(uri)),  # noqa: S704 - drawn by us, of base32 and digits
    )


async def _code(request: AnyRequest, wiring: Wiring, error: Message | None = None, *, status: int = 200) -> AnyResponse:
    browser = browser_of(request)
    activation = await opened(wiring.db, browser.sha256)
    sent_to = await destination_of(
        wiring.db, activation.citizen.citizen_id, purpose="activation", binding=browser.sha256.hex()
    )
    if sent_to is None:
        raise ActivationOver
    return page(
        request,
        wiring,
        "idp/activation/code.html",
        browser=browser,
        status=status,
        path="/idp/activate/code",
        errors={"otp": error} if error else {},
        sent_to=sent_to.masked,
        channel=sent_to.channel,
    )


ROUTES = [
    start_page,
    start,
    password_page,
    password,
    second_factor_page,
    second_factor,
    totp_page,
    totp,
    code_page,
    code,
    done_page,
]
