from litestar import Response, get, post
from litestar.di import NamedDependency

from idp.authenticators.reasons import reason_of
from idp.authenticators.refusals import PasswordRefused, TooManyCodes
from idp.frame import AnyRequest, asked_from, locale, page, see_other
from idp.recovery import store
from idp.recovery.ask import ask
from idp.recovery.prove import opened, prove, send_proof_code
from idp.recovery.refusals import RecoveryOver
from idp.recovery.reset_password import reset_password
from idp.recovery.schema import OPEN_S, Recovery
from idp.recovery.wait import begin_wait, open_if_ready, recovery_parts, stop
from idp.sessions.browser import browser_of
from idp.sign_in.form import BODY_BYTES_MAX, form_of
from idp.wiring import Wiring
from kit.errors import TooManyRequests
from kit.i18n import Message, _
from kit.tokens import digest

AnyResponse = Response[str] | Response[bytes]


def parts_of(wiring: Wiring) -> Recovery:
    return recovery_parts(wiring.settings, wiring.db, wiring.secrets, wiring.post)


@get("/recover", operation_id="RecoverPage")
async def recover_page(request: AnyRequest, wiring: NamedDependency[Wiring]) -> AnyResponse:
    return _recover(request, wiring)


@post("/recover", operation_id="Recover", status_code=303)
async def recover(request: AnyRequest, wiring: NamedDependency[Wiring]) -> AnyResponse:
    """The same answer to everybody (L-13)."""
    form = await form_of(request, wiring)
    try:
        await ask(parts_of(wiring), uid=form.get("username", ""), address_prefix=asked_from(request))
    except TooManyRequests as refusal:
        response = _recover(request, wiring, _("Too many attempts. Wait a little and try again."), status=429)
        response.headers.update(refusal.headers)
        return response
    return see_other("/idp/recover/sent")


def _recover(request: AnyRequest, wiring: Wiring, error: Message | None = None, *, status: int = 200) -> Response[str]:
    return page(
        request,
        wiring,
        "idp/recovery/recover.html",
        browser=browser_of(request),
        status=status,
        path="/idp/recover",
        errors={"username": error} if error else {},
    )


@get("/recover/sent", operation_id="RecoverSentPage")
async def sent_page(request: AnyRequest, wiring: NamedDependency[Wiring]) -> AnyResponse:
    return page(request, wiring, "idp/recovery/sent.html", browser=browser_of(request))


@get("/recover/link", operation_id="RecoverLinkPage")
async def link_page(request: AnyRequest, wiring: NamedDependency[Wiring]) -> AnyResponse:
    """Shows a button and spends nothing: what reads mail for viruses opens links too."""
    token = request.query_params.get("token", "")
    return page(
        request,
        wiring,
        "idp/recovery/link.html",
        browser=browser_of(request),
        token=token if len(token) == 43 else "",
    )


@post("/recover/link", operation_id="OpenRecoverLink", status_code=303)
async def open_link(request: AnyRequest, wiring: NamedDependency[Wiring]) -> AnyResponse:
    form, browser = await form_of(request, wiring), browser_of(request)
    token_sha256 = digest(form.get("token", ""))
    if not await wiring.db.transact(
        lambda tx: store.open_link(tx, token_sha256, browser_sha256=browser.sha256, open_s=OPEN_S)
    ):
        raise RecoveryOver
    if await open_if_ready(parts_of(wiring), browser.sha256):
        return see_other("/idp/activate/password")
    return see_other("/idp/recover/proof")


@get("/recover/proof", operation_id="RecoverProofPage")
async def proof_page(request: AnyRequest, wiring: NamedDependency[Wiring]) -> AnyResponse:
    return await _proof(request, wiring)


@post("/recover/proof", operation_id="RecoverProof", status_code=303)
async def proof(request: AnyRequest, wiring: NamedDependency[Wiring]) -> AnyResponse:
    form = await form_of(request, wiring)
    if not await prove(parts_of(wiring), browser_of(request).sha256, form.get("otp", "")):
        return await _proof(request, wiring, _("This code is not right, or no longer valid."), status=422)
    return see_other("/idp/recover/password")


@post("/recover/code", operation_id="RecoverCode", status_code=303)
async def code(request: AnyRequest, wiring: NamedDependency[Wiring]) -> AnyResponse:
    await form_of(request, wiring)
    try:
        await send_proof_code(
            parts_of(wiring), browser_of(request).sha256, locale=locale(request), asked_from=asked_from(request)
        )
    except TooManyCodes:
        error = _("Too many codes were sent. Wait a little, or use another way.")
        return await _proof(request, wiring, error, status=429)
    return see_other("/idp/recover/proof?sent=1")


async def _proof(
    request: AnyRequest, wiring: Wiring, error: Message | None = None, *, status: int = 200
) -> AnyResponse:
    recovery = await opened(parts_of(wiring), browser_of(request).sha256)
    methods = recovery.who.methods
    return page(
        request,
        wiring,
        "idp/recovery/proof.html",
        browser=browser_of(request),
        status=status,
        path="/idp/recover/proof",
        errors={"otp": error} if error else {},
        totp="totp" in methods.second,
        recovery_codes="recovery" in methods.second,
        code_to=recovery.code_to.masked if recovery.code_to else None,
        sent="sent" in request.query_params,
        may_wait=recovery.may_wait,
        hours=wiring.settings.recovery_wait_s // 3_600,
    )


@get("/recover/password", operation_id="RecoverPasswordPage")
async def password_page(request: AnyRequest, wiring: NamedDependency[Wiring]) -> AnyResponse:
    return await _password(request, wiring)


@post("/recover/password", operation_id="RecoverPassword", status_code=303, request_max_body_size=BODY_BYTES_MAX)
async def password(request: AnyRequest, wiring: NamedDependency[Wiring]) -> AnyResponse:
    form = await form_of(request, wiring)
    try:
        await reset_password(
            parts_of(wiring), wiring.passwords, wiring.breached, browser_of(request).sha256, form.get("password", "")
        )
    except PasswordRefused as refusal:
        return await _password(request, wiring, reason_of(refusal), status=422)
    wiring.logout_delivery.kick()
    return see_other("/idp/recover/done")


async def _password(
    request: AnyRequest, wiring: Wiring, error: Message | None = None, *, status: int = 200
) -> AnyResponse:
    recovery = await opened(parts_of(wiring), browser_of(request).sha256)
    if not recovery.proven:
        return see_other("/idp/recover/proof")
    return page(
        request,
        wiring,
        "idp/recovery/password.html",
        browser=browser_of(request),
        status=status,
        path="/idp/recover/password",
        errors={"password": error} if error else {},
        uid=recovery.who.uid,
    )


@get("/recover/done", operation_id="RecoverDonePage")
async def done_page(request: AnyRequest, wiring: NamedDependency[Wiring]) -> AnyResponse:
    return page(request, wiring, "idp/recovery/done.html", browser=browser_of(request))


@post("/recover/wait", operation_id="BeginRecoveryWait", status_code=303)
async def wait(request: AnyRequest, wiring: NamedDependency[Wiring]) -> AnyResponse:
    """The same page whether a new waiting time began or one was running."""
    await form_of(request, wiring)
    await begin_wait(parts_of(wiring), browser_of(request).sha256)
    return see_other("/idp/recover/waiting")


@get("/recover/waiting", operation_id="RecoveryWaitingPage")
async def waiting_page(request: AnyRequest, wiring: NamedDependency[Wiring]) -> AnyResponse:
    return page(
        request,
        wiring,
        "idp/recovery/waiting.html",
        browser=browser_of(request),
        hours=wiring.settings.recovery_wait_s // 3_600,
    )


@get("/recover/stop", operation_id="StopRecoveryPage")
async def stop_page(request: AnyRequest, wiring: NamedDependency[Wiring]) -> AnyResponse:
    return page(
        request,
        wiring,
        "idp/recovery/stop.html",
        browser=browser_of(request),
        token=request.query_params.get("token", "")[:100],
    )


@post("/recover/stop", operation_id="StopRecovery", status_code=200)
async def stop_recovery(request: AnyRequest, wiring: NamedDependency[Wiring]) -> AnyResponse:
    form = await form_of(request, wiring)
    stopped = await stop(parts_of(wiring), form.get("token", ""))
    return page(
        request,
        wiring,
        "idp/recovery/stopped.html",
        browser=browser_of(request),
        path="/idp/recover/stop",
        stopped=stopped,
        status=200 if stopped else 404,
    )


ROUTES = [
    recover_page,
    recover,
    sent_page,
    link_page,
    open_link,
    proof_page,
    proof,
    code,
    password_page,
    password,
    done_page,
    wait,
    waiting_page,
    stop_page,
    stop_recovery,
]
