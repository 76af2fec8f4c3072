import datetime as dt
import re

from litestar import Response, get, post
from litestar.di import NamedDependency
from markupsafe import Markup

from idp.account.change_contact import change_contact
from idp.account.change_password import change_password
from idp.account.change_totp import change_totp
from idp.account.choose_language import choose_language
from idp.account.contact_point import contact_point
from idp.account.end_sessions import end_sessions
from idp.account.guard import parts_of, sent_by, shown_to, whole
from idp.account.history import FILTERS, history
from idp.account.overview import overview
from idp.account.remove_method import remove_method
from idp.account.schema import Fresh
from idp.account.send_account_code import send_account_code
from idp.account.use_codes import use_codes
from idp.authenticators.find_destination import destination_of
from idp.authenticators.reasons import reason_of
from idp.authenticators.refusals import LastSecondFactor, NumberNotServed, PasswordRefused, TooManyCodes
from idp.authenticators.schema import Destination
from idp.authenticators.set_up_totp import proposed
from idp.authenticators.totp import as_text, provisioning_uri, qr_svg
from idp.citizens.claims import full_name
from idp.frame import AnyRequest, asked_from, locale, page, see_other, session_of
from idp.recovery.stop_link import stop_token
from idp.sessions.browser import browser_of
from idp.sessions.schema import Session
from idp.sign_in.form import BODY_BYTES_MAX
from idp.upstream.offered import offered
from idp.upstream.unlink import links_of
from idp.wiring import Wiring
from kit.i18n import Locale, Message, _, clock

AnyResponse = Response[str] | Response[bytes]
_CLOCK = re.compile(r"[0-9]{2}:[0-9]{2}:[0-9]{2}")


@get("/account", operation_id="AccountPage")
async def account_page(request: AnyRequest, wiring: NamedDependency[Wiring]) -> AnyResponse:
    session = await session_of(request, wiring)
    if session is None or not whole(session):
        return see_other("/idp/sign-in")
    return await _account(request, wiring, session)


async def _account(
    request: AnyRequest, wiring: Wiring, session: Session, *, error: Message | None = None, status: int = 200
) -> AnyResponse:
    seen = await overview(wiring.db, session, idle_s=wiring.settings.session_idle_s)
    spoken = locale(request, profile=session.locale)
    return page(
        request,
        wiring,
        "idp/account/account.html",
        browser=browser_of(request),
        status=status,
        path="/idp/account",
        profile=session.locale,
        errors={"methods": error} if error else {},
        done=request.query_params.get("done"),
        done_at=at if _CLOCK.fullmatch(at := request.query_params.get("at", "")) else None,
        person=full_name(seen.citizen, spoken.value),
        sign_out="/idp/sign-out",
        citizen=seen.citizen,
        email=seen.citizen.claims.get("email"),
        phone_number=seen.citizen.claims.get("phone_number"),
        methods=seen.methods,
        stop_recovery=stop_token(wiring.secrets, seen.recovery) if seen.recovery else None,
        sessions=seen.sessions,
        upstreams=bool(await offered(wiring.db)),
        linked=[line.names[spoken.value] for line in await links_of(wiring.db, session.citizen_id)],
        this_sid=session.sid,
        languages=[(other.value, other.native_name) for other in Locale],
        language=session.locale,
    )


@get("/account/password", operation_id="ChangePasswordPage")
async def password_page(request: AnyRequest, wiring: NamedDependency[Wiring]) -> AnyResponse:
    fresh = await shown_to(request, wiring, "password")
    return _password(request, wiring, fresh) if isinstance(fresh, Fresh) else fresh


@post("/account/password", operation_id="ChangePassword", status_code=303, request_max_body_size=BODY_BYTES_MAX)
async def password(request: AnyRequest, wiring: NamedDependency[Wiring]) -> AnyResponse:
    form, fresh = await sent_by(request, wiring, "password")
    if not isinstance(fresh, Fresh):
        return fresh
    try:
        await change_password(parts_of(wiring), fresh, form.get("password", ""))
    except PasswordRefused as refusal:
        return _password(request, wiring, fresh, reason_of(refusal), status=422)
    wiring.logout_delivery.kick()
    return see_other("/idp/account?done=password")


def _password(
    request: AnyRequest, wiring: Wiring, fresh: Fresh, error: Message | None = None, *, status: int = 200
) -> AnyResponse:
    return page(
        request,
        wiring,
        "idp/account/password.html",
        browser=browser_of(request),
        status=status,
        path="/idp/account/password",
        profile=fresh.session.locale,
        errors={"password": error} if error else {},
        uid=fresh.citizen.uid,
    )


@get("/account/totp", operation_id="ChangeTotpPage")
async def totp_page(request: AnyRequest, wiring: NamedDependency[Wiring]) -> AnyResponse:
    fresh = await shown_to(request, wiring, "totp")
    return await _totp(request, wiring, fresh) if isinstance(fresh, Fresh) else fresh


@post("/account/totp", operation_id="ChangeTotp", status_code=303)
async def totp(request: AnyRequest, wiring: NamedDependency[Wiring]) -> AnyResponse:
    form, fresh = await sent_by(request, wiring, "totp")
    if not isinstance(fresh, Fresh):
        return fresh
    if not await change_totp(parts_of(wiring), fresh, form.get("otp", "")):
        return await _totp(request, wiring, fresh, _("This code is not right, or no longer valid."), status=422)
    return see_other("/idp/account?done=method")


async def _totp(
    request: AnyRequest, wiring: Wiring, fresh: Fresh, error: Message | None = None, *, status: int = 200
) -> AnyResponse:
    secret = await proposed(wiring.db, wiring.secrets, fresh.citizen.citizen_id)
    uri = provisioning_uri(secret, account=fresh.citizen.uid, issuer="Khizana")
    return page(
        request,
        wiring,
        "idp/account/totp.html",
        browser=browser_of(request),
        status=status,
        path="/idp/account/totp",
        profile=fresh.session.locale,
        errors={"otp": error} if error else {},
        secret=as_text(secret),
        qr=Markup(qr_svg(uri)),  # noqa: S704 - drawn by us, of base32 and digits
    )


@get("/account/codes", operation_id="UseCodesPage")
async def codes_page(request: AnyRequest, wiring: NamedDependency[Wiring]) -> AnyResponse:
    fresh = await shown_to(request, wiring, "codes")
    return _codes(request, wiring, fresh) if isinstance(fresh, Fresh) else fresh


@post("/account/codes", operation_id="SendCodeForCodes", status_code=303)
async def codes(request: AnyRequest, wiring: NamedDependency[Wiring]) -> AnyResponse:
    form, fresh = await sent_by(request, wiring, "codes")
    if not isinstance(fresh, Fresh):
        return fresh
    to = next((to for to in _destinations(fresh) if to.channel == form.get("channel")), None)
    if to is None:
        return _codes(request, wiring, fresh, _("Choose one of these."), status=422)
    try:
        await send_account_code(
            parts_of(wiring), fresh, to, purpose="second-factor", locale=locale(request), asked_from=asked_from(request)
        )
    except TooManyCodes as refusal:
        return _codes(request, wiring, fresh, _not_sent(refusal), status=refusal.status)
    return see_other("/idp/account/codes/confirm")


@get("/account/codes/confirm", operation_id="ConfirmCodesPage")
async def confirm_codes_page(request: AnyRequest, wiring: NamedDependency[Wiring]) -> AnyResponse:
    fresh = await shown_to(request, wiring, "codes")
    return await _confirm(request, wiring, fresh, "codes") if isinstance(fresh, Fresh) else fresh


@post("/account/codes/confirm", operation_id="ConfirmCodes", status_code=303)
async def confirm_codes(request: AnyRequest, wiring: NamedDependency[Wiring]) -> AnyResponse:
    form, fresh = await sent_by(request, wiring, "codes")
    if not isinstance(fresh, Fresh):
        return fresh
    if not await use_codes(parts_of(wiring), fresh, form.get("otp", "")):
        return await _confirm(request, wiring, fresh, "codes", wrong=True)
    return see_other("/idp/account?done=method")


def _codes(
    request: AnyRequest, wiring: Wiring, fresh: Fresh, error: Message | None = None, *, status: int = 200
) -> AnyResponse:
    return page(
        request,
        wiring,
        "idp/account/codes.html",
        browser=browser_of(request),
        status=status,
        path="/idp/account/codes",
        profile=fresh.session.locale,
        errors={"channel": error} if error else {},
        destinations=_destinations(fresh),
    )


def _destinations(fresh: Fresh) -> list[Destination]:
    found = []
    if phone_number := fresh.citizen.claims.get("phone_number"):
        found.append(Destination("sms", phone_number))
    if email := fresh.citizen.claims.get("email"):
        found.append(Destination("email", email))
    return found


@get("/account/contact", operation_id="ChangeContactPage")
async def contact_page(request: AnyRequest, wiring: NamedDependency[Wiring]) -> AnyResponse:
    fresh = await shown_to(request, wiring, "contact")
    return _contact(request, wiring, fresh) if isinstance(fresh, Fresh) else fresh


@post("/account/contact", operation_id="ChangeContact", status_code=303)
async def contact(request: AnyRequest, wiring: NamedDependency[Wiring]) -> AnyResponse:
    form, fresh = await sent_by(request, wiring, "contact")
    if not isinstance(fresh, Fresh):
        return fresh
    to = contact_point(form.get("contact", ""))
    if to is None:
        error = _("Enter a phone number or an e-mail address, for example 0612345678.")
        return _contact(request, wiring, fresh, error, status=422)
    try:
        await send_account_code(
            parts_of(wiring), fresh, to, purpose="contact", locale=locale(request), asked_from=asked_from(request)
        )
    except TooManyCodes as refusal:
        return _contact(request, wiring, fresh, _not_sent(refusal), status=refusal.status)
    return see_other("/idp/account/contact/confirm")


@get("/account/contact/confirm", operation_id="ConfirmContactPage")
async def confirm_contact_page(request: AnyRequest, wiring: NamedDependency[Wiring]) -> AnyResponse:
    fresh = await shown_to(request, wiring, "contact")
    return await _confirm(request, wiring, fresh, "contact") if isinstance(fresh, Fresh) else fresh


@post("/account/contact/confirm", operation_id="ConfirmContact", status_code=303)
async def confirm_contact(request: AnyRequest, wiring: NamedDependency[Wiring]) -> AnyResponse:
    form, fresh = await sent_by(request, wiring, "contact")
    if not isinstance(fresh, Fresh):
        return fresh
    if not await change_contact(parts_of(wiring), fresh, form.get("otp", "")):
        return await _confirm(request, wiring, fresh, "contact", wrong=True)
    return see_other("/idp/account?done=contact")


def _contact(
    request: AnyRequest, wiring: Wiring, fresh: Fresh, error: Message | None = None, *, status: int = 200
) -> AnyResponse:
    return page(
        request,
        wiring,
        "idp/account/contact.html",
        browser=browser_of(request),
        status=status,
        path="/idp/account/contact",
        profile=fresh.session.locale,
        errors={"contact": error} if error else {},
    )


async def _confirm(request: AnyRequest, wiring: Wiring, fresh: Fresh, what: str, *, wrong: bool = False) -> AnyResponse:
    sent_to = await destination_of(
        wiring.db,
        fresh.citizen.citizen_id,
        purpose="contact" if what == "contact" else "second-factor",
        binding=fresh.session.sid,
    )
    if sent_to is None:
        return see_other(f"/idp/account/{what}")
    return page(
        request,
        wiring,
        "idp/account/confirm.html",
        browser=browser_of(request),
        status=422 if wrong else 200,
        path=f"/idp/account/{what}/confirm",
        profile=fresh.session.locale,
        errors={"otp": _("This code is not right, or no longer valid.")} if wrong else {},
        sent_to=sent_to.masked,
        back=f"/idp/account/{what}",
    )


def _not_sent(refusal: TooManyCodes) -> Message:
    if isinstance(refusal, NumberNotServed):
        return _("We cannot send text messages to this number. Use e-mail or an app instead.")
    return _("Too many codes were sent. Wait a little, or use another way.")


@post("/account/methods/remove", operation_id="RemoveMethod", status_code=303)
async def remove(request: AnyRequest, wiring: NamedDependency[Wiring]) -> AnyResponse:
    form, fresh = await sent_by(request, wiring, "totp")
    if not isinstance(fresh, Fresh):
        return fresh
    try:
        await remove_method(parts_of(wiring), fresh, "code" if form.get("method") == "code" else "totp")
    except LastSecondFactor:
        error = _("This is your only second step. Set up another one first.")
        return await _account(request, wiring, fresh.session, error=error, status=409)
    return see_other("/idp/account?done=method")


@post("/account/sessions/end", operation_id="EndSessions", status_code=303)
async def end_session(request: AnyRequest, wiring: NamedDependency[Wiring]) -> AnyResponse:
    form, fresh = await sent_by(request, wiring, None)
    if not isinstance(fresh, Fresh):
        return fresh
    await end_sessions(parts_of(wiring), fresh.session, sid=form.get("sid") or None)
    wiring.logout_delivery.kick()
    return see_other(f"/idp/account?done=session&at={clock(dt.datetime.now(dt.UTC))}")


@post("/account/language", operation_id="ChooseLanguage", status_code=303)
async def language(request: AnyRequest, wiring: NamedDependency[Wiring]) -> AnyResponse:
    form, fresh = await sent_by(request, wiring, None)
    if not isinstance(fresh, Fresh):
        return fresh
    chosen = form.get("language", "")
    if chosen not in list(Locale):
        return see_other("/idp/account")
    await choose_language(parts_of(wiring), fresh.session, Locale(chosen))
    # The link's cookie would win over the profile, so it is set to the same.
    return see_other(f"/idp/account?lang={chosen}")


@get("/account/history", operation_id="HistoryPage")
async def history_page(request: AnyRequest, wiring: NamedDependency[Wiring]) -> AnyResponse:
    session = await session_of(request, wiring)
    if session is None or not whole(session):
        return see_other("/idp/sign-in")
    only = request.query_params.get("only")
    only = only if only in FILTERS else None
    lines, further = await history(wiring.db, session.citizen_id, before=request.query_params.get("before"), only=only)
    return page(
        request,
        wiring,
        "idp/account/history.html",
        browser=browser_of(request),
        profile=session.locale,
        lines=lines,
        only=only,
        filters=[(name, said) for name, (said, _actions) in FILTERS.items()],
        following=f"/idp/account/history?before={further}{f'&only={only}' if only else ''}" if further else None,
        language=locale(request, profile=session.locale).value,
        wide=True,
    )


ROUTES = [
    account_page,
    password_page,
    password,
    totp_page,
    totp,
    codes_page,
    codes,
    confirm_codes_page,
    confirm_codes,
    contact_page,
    contact,
    confirm_contact_page,
    confirm_contact,
    remove,
    end_session,
    language,
    history_page,
]
