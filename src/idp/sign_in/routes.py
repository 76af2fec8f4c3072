from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency

from idp.frame import AnyRequest, page, see_other, session_of
from idp.logout.answer import signed_out
from idp.logout.sign_out import sign_out as end_session
from idp.messages.post import Post
from idp.sessions.browser import browser_of
from idp.sessions.cookies import SESSION_COOKIE, read, session_cookie
from idp.sessions.levels import at_least
from idp.sign_in import store
from idp.sign_in.begin_step_up import begin_step_up
from idp.sign_in.check_password import check_password
from idp.sign_in.check_second_factor import check_second_factor
from idp.sign_in.choose_method import choose_method
from idp.sign_in.form import BODY_BYTES_MAX, form_of
from idp.sign_in.schema import Attempt, Errand, SecondFactorAwaited, SignedIn, SignIn
from idp.sign_in.visit import errand_of, language_of, visitor_of
from idp.upstream.offered import offered
from idp.wiring import Wiring
from kit.errors import TooManyRequests
from kit.i18n import Locale, Message, _
from kit.tokens import digest

AnyResponse = Response[str] | Response[bytes]


def parts_of(wiring: Wiring) -> SignIn:
    return SignIn(
        db=wiring.db,
        audit=wiring.audit,
        throttle=wiring.throttle,
        secrets=wiring.secrets,
        passwords=wiring.passwords,
        post=Post(wiring.secrets, wiring.pages),
        session_idle_s=wiring.settings.session_idle_s,
        session_lifetime_s=wiring.settings.session_lifetime_s,
        one_time_code_lifetime_s=wiring.settings.one_time_code_lifetime_s,
        unthrottled_uids=frozenset(wiring.settings.unthrottled_uids),
    )


@get("/sign-in", operation_id="SignInPage")
async def sign_in_page(request: AnyRequest, wiring: NamedDependency[Wiring]) -> AnyResponse:
    """The relying party's registered name and purpose stand above the fields."""
    errand, visitor = await errand_of(request, wiring), await visitor_of(request, wiring)
    session = visitor.session
    if session and not errand.reauthenticate:
        if not at_least(session.acr, errand.acr_needed):
            await begin_step_up(parts_of(wiring), visitor, errand, session, locale=language_of(request, errand))
            return see_other(f"/idp/sign-in/second-factor{errand.query}", cookies=visitor.browser.cookies)
        if errand.interaction is None:
            return see_other(errand.onward)
    return await _sign_in(request, wiring, errand)


@post("/sign-in", operation_id="SignIn", status_code=303, request_max_body_size=BODY_BYTES_MAX)
async def sign_in(request: AnyRequest, wiring: NamedDependency[Wiring]) -> AnyResponse:
    form = await form_of(request, wiring)
    errand, visitor = await errand_of(request, wiring), await visitor_of(request, wiring)
    try:
        outcome = await check_password(
            parts_of(wiring),
            visitor,
            errand,
            username=form.get("username", ""),
            password=form.get("password", ""),
            locale=language_of(request, errand),
        )
    except TooManyRequests as refusal:
        return await _sign_in(request, wiring, errand, too_many=refusal)
    if isinstance(outcome, SignedIn):
        return _signed_in(errand, outcome)
    if isinstance(outcome, SecondFactorAwaited):
        return see_other(f"/idp/sign-in/second-factor{errand.query}")
    return await _sign_in(request, wiring, errand, wrong=True)


@get("/sign-in/second-factor", operation_id="SecondFactorPage")
async def second_factor_page(request: AnyRequest, wiring: NamedDependency[Wiring]) -> AnyResponse:
    errand = await errand_of(request, wiring)
    attempt = await store.attempt(wiring.db, browser_of(request).sha256, errand.key)
    if attempt is None:
        return see_other(f"/idp/sign-in{errand.query}")
    return _second_factor(request, wiring, errand, attempt)


@post("/sign-in/second-factor", operation_id="SecondFactor", status_code=303)
async def second_factor(request: AnyRequest, wiring: NamedDependency[Wiring]) -> AnyResponse:
    form = await form_of(request, wiring)
    errand, visitor = await errand_of(request, wiring), await visitor_of(request, wiring)
    outcome = await check_second_factor(parts_of(wiring), visitor, errand, form.get("otp", ""))
    if isinstance(outcome, SignedIn):
        return _signed_in(errand, outcome)
    attempt = await store.attempt(wiring.db, visitor.browser_sha256, errand.key)
    if attempt is None:
        return see_other(f"/idp/sign-in{errand.query}")
    error = _("This code is not right, or no longer valid.")
    return _second_factor(request, wiring, errand, attempt, error=error, status=422)


@post("/sign-in/another-way", operation_id="AnotherWay", status_code=303)
async def another_way(request: AnyRequest, wiring: NamedDependency[Wiring]) -> AnyResponse:
    form = await form_of(request, wiring)
    errand, visitor = await errand_of(request, wiring), await visitor_of(request, wiring)
    sent = await choose_method(
        parts_of(wiring),
        visitor,
        errand,
        "code" if form.get("way") == "code" else "totp",
        locale=language_of(request, errand),
    )
    if sent:
        return see_other(f"/idp/sign-in/second-factor{errand.query}")
    attempt = await store.attempt(wiring.db, visitor.browser_sha256, errand.key)
    if attempt is None:
        return see_other(f"/idp/sign-in{errand.query}")
    error = _("Too many codes were sent. Wait a little, or use another way.")
    return _second_factor(request, wiring, errand, attempt, error=error, status=429)


@get("/sign-out", operation_id="SignOutPage")
async def sign_out_page(request: AnyRequest, wiring: NamedDependency[Wiring]) -> AnyResponse:
    session = await session_of(request, wiring)
    return page(
        request,
        wiring,
        "idp/sign_in/sign_out.html",
        browser=browser_of(request),
        profile=session.locale if session else None,
        signed_in=session is not None,
    )


@post("/sign-out", operation_id="SignOut", status_code=303)
async def sign_out(request: AnyRequest, wiring: NamedDependency[Wiring]) -> AnyResponse:
    await form_of(request, wiring)
    token = read(request, SESSION_COOKIE)
    frames = await end_session(wiring.db, wiring.audit, digest(token)) if token else []
    wiring.logout_delivery.kick()
    return signed_out(request, wiring, frames, target=None, here="/idp/sign-out")


def _signed_in(errand: Errand, outcome: SignedIn) -> AnyResponse:
    return see_other(errand.onward, cookies=[session_cookie(outcome.session_token)])


async def _sign_in(
    request: AnyRequest,
    wiring: Wiring,
    errand: Errand,
    *,
    wrong: bool = False,
    too_many: TooManyRequests | None = None,
) -> AnyResponse:
    """What was typed is not shown again: every refusal is one and the same page (L-13)."""
    errors: dict[str, Message] = {}
    if wrong:
        errors["username"] = _("The identifier or the password is not right.")
    if too_many:
        errors["username"] = _("Too many attempts. Wait a little and try again.")
    interaction = errand.interaction
    spoken = language_of(request, errand)
    response = page(
        request,
        wiring,
        "idp/sign_in/sign_in.html",
        browser=browser_of(request),
        status=429 if too_many else 422 if wrong else 200,
        path=f"/idp/sign-in{errand.query}",
        ui_locales=interaction.ui_locales if interaction else None,
        form_action=_form_action(errand),
        errors=errors,
        client_name=interaction.client_name[spoken.value] if interaction else None,
        purpose=interaction.purpose[spoken.value] if interaction and interaction.purpose else None,
        host=interaction.redirect_host if interaction else None,
        about=interaction.about if interaction else None,
        hint=(interaction.login_hint or "")[:64] if interaction and not errors else "",
        again=errand.reauthenticate and interaction is None,
        **await _elsewhere(request, wiring, errand, spoken, said=not errors),
    )
    if too_many:
        response.headers.update(too_many.headers)
    return response


async def _elsewhere(
    request: AnyRequest, wiring: Wiring, errand: Errand, spoken: Locale, *, said: bool
) -> dict[str, Any]:
    """What the page says of other providers. Those do not open what guards the account (``is_fresh``)."""
    names = {upstream.slug: upstream.names[spoken.value] for upstream in await offered(wiring.db)}
    at = names.get(request.query_params.get("at", ""))
    return {
        "upstreams": tuple(names.items()) if errand.served_elsewhere else (),
        "query": errand.query,
        "linking": names.get(errand.linking),
        "said": request.query_params.get("said") if said and at else None,
        "said_at": at,
    }


def _second_factor(
    request: AnyRequest,
    wiring: Wiring,
    errand: Errand,
    attempt: Attempt,
    *,
    error: Message | None = None,
    status: int = 200,
) -> AnyResponse:
    return page(
        request,
        wiring,
        "idp/sign_in/second_factor.html",
        browser=browser_of(request),
        status=status,
        path=f"/idp/sign-in/second-factor{errand.query}",
        ui_locales=errand.interaction.ui_locales if errand.interaction else None,
        profile=attempt.locale,
        form_action=_form_action(errand),
        errors={"otp": error} if error else {},
        method=attempt.method,
        sent_to=attempt.methods.code.masked if attempt.methods.code else None,
        ways=attempt.methods.second,
        query=errand.query,
    )


def _form_action(errand: Errand) -> str | None:
    """Where the redirects after the form may end: at the relying party."""
    return errand.interaction.request.redirect_origin if errand.interaction else None


ROUTES = [sign_in_page, sign_in, second_factor_page, second_factor, another_way, sign_out_page, sign_out]
