from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency

from idp.authenticators.passkey import Site
from idp.authenticators.schema import METHODS, Method
from idp.authorization.proceed import refuse
from idp.authorization.refusals import AuthorizationError
from idp.authorization.routes import answer
from idp.frame import AnyRequest, locale, page, see_other, session_of
from idp.freezing.decided import frozen_page
from idp.logout.answer import signed_out
from idp.logout.sign_out import sign_out as end_session
from idp.sessions.browser import browser_of
from idp.sessions.cookies import SESSION_COOKIE, read, session_cookie
from idp.sessions.levels import at_least
from idp.sign_in import store
from idp.sign_in.abandon import abandon
from idp.sign_in.begin_step_up import begin_step_up
from idp.sign_in.check_passkey import check_passkey
from idp.sign_in.check_password import check_password
from idp.sign_in.check_second_factor import check_second_factor
from idp.sign_in.choose_method import choose_method
from idp.sign_in.form import BODY_BYTES_MAX, form_of
from idp.sign_in.missing_for_high import missing_for_high
from idp.sign_in.offer_passkey import offer, offer_second
from idp.sign_in.refusals import AttemptOver
from idp.sign_in.schema import Attempt, Errand, FrozenDecided, SecondFactorAwaited, SignedIn, SignIn
from idp.sign_in.visit import errand_of, language_of, visitor_of
from idp.upstream.offered import offered
from idp.wiring import Wiring
from kit.errors import TooManyRequests
from kit.i18n import Locale, Message, _
from kit.tokens import digest

AnyResponse = Response[str] | Response[bytes]

_WRONG_PASSKEY = _("This passkey could not be used. Try again, or sign in another way.")


def parts_of(wiring: Wiring) -> SignIn:
    return SignIn(
        db=wiring.db,
        audit=wiring.audit,
        throttle=wiring.throttle,
        secrets=wiring.secrets,
        passwords=wiring.passwords,
        post=wiring.post,
        session_idle_s=wiring.settings.session_idle_s,
        session_lifetime_s=wiring.settings.session_lifetime_s,
        one_time_code_lifetime_s=wiring.settings.one_time_code_lifetime_s,
        unthrottled_uids=frozenset(wiring.settings.unthrottled_uids),
        unfreeze_waiting_s=wiring.settings.unfreeze_waiting_s,
        site=Site.of(wiring.settings.issuer),
    )


@get("/sign-in", operation_id="SignInPage")
async def sign_in_page(request: AnyRequest, wiring: NamedDependency[Wiring]) -> AnyResponse:
    """The relying party's registered name and purpose stand above the fields."""
    errand, visitor = await errand_of(request, wiring), await visitor_of(request, wiring)
    session = visitor.session
    if session and (not errand.reauthenticate or errand.begun_before(session)):
        if not at_least(session.acr, errand.acr_needed):
            spoken = language_of(request, errand)
            onward = await begin_step_up(parts_of(wiring), visitor, errand, session, locale=spoken)
            return see_other(f"/idp/sign-in/{onward}{errand.query}", cookies=visitor.browser.cookies)
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
    if isinstance(outcome, FrozenDecided):
        return frozen_page(request, wiring, outcome.state)
    if isinstance(outcome, SecondFactorAwaited):
        return see_other(f"/idp/sign-in/second-factor{errand.query}")
    return await _sign_in(request, wiring, errand, wrong=_("The identifier or the password is not right."))


@get("/sign-in/passkey", operation_id="PasskeyOptions", include_in_schema=False)
async def passkey_options(request: AnyRequest, wiring: NamedDependency[Wiring]) -> dict[str, Any]:
    """What the page's script asks the browser for: any passkey of this site, or, once a first factor was passed, one of
    that citizen's."""
    errand, browser = await errand_of(request, wiring), browser_of(request)
    if "second" not in request.query_params:
        return await offer(parts_of(wiring), browser.sha256, errand)
    attempt = await store.attempt(wiring.db, browser.sha256, errand.key)
    if attempt is None:
        raise AttemptOver
    return await offer_second(parts_of(wiring), browser.sha256, attempt)


@post("/sign-in/passkey", operation_id="SignInByPasskey", status_code=303)
async def sign_in_by_passkey(request: AnyRequest, wiring: NamedDependency[Wiring]) -> AnyResponse:
    form = await form_of(request, wiring)
    errand, visitor = await errand_of(request, wiring), await visitor_of(request, wiring)
    try:
        outcome = await check_passkey(parts_of(wiring), visitor, errand, form.get("passkey", ""))
    except TooManyRequests as refusal:
        return await _sign_in(request, wiring, errand, too_many=refusal)
    if isinstance(outcome, SignedIn):
        return _signed_in(errand, outcome)
    if isinstance(outcome, FrozenDecided):
        return frozen_page(request, wiring, outcome.state)
    return await _sign_in(request, wiring, errand, wrong_passkey=True)


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
    outcome = await check_second_factor(
        parts_of(wiring), visitor, errand, form.get("otp", ""), passkey=form.get("passkey", "")
    )
    if isinstance(outcome, SignedIn):
        return _signed_in(errand, outcome)
    if isinstance(outcome, FrozenDecided):
        return frozen_page(request, wiring, outcome.state)
    attempt = await store.attempt(wiring.db, visitor.browser_sha256, errand.key)
    if attempt is None:
        return see_other(f"/idp/sign-in{errand.query}")
    error = _WRONG_PASSKEY if outcome.what == "passkey" else _("This code is not right, or no longer valid.")
    return _second_factor(request, wiring, errand, attempt, error=error, status=422)


@post("/sign-in/another-way", operation_id="AnotherWay", status_code=303)
async def another_way(request: AnyRequest, wiring: NamedDependency[Wiring]) -> AnyResponse:
    form = await form_of(request, wiring)
    errand, visitor = await errand_of(request, wiring), await visitor_of(request, wiring)
    way: Method = next((method for method in METHODS if method == form.get("way")), "totp")
    sent = await choose_method(parts_of(wiring), visitor, errand, way, locale=language_of(request, errand))
    if sent:
        return see_other(f"/idp/sign-in/second-factor{errand.query}")
    attempt = await store.attempt(wiring.db, visitor.browser_sha256, errand.key)
    if attempt is None:
        return see_other(f"/idp/sign-in{errand.query}")
    error = _("Too many codes were sent. Wait a little, or use another way.")
    return _second_factor(request, wiring, errand, attempt, error=error, status=429)


@get("/sign-in/stronger", operation_id="StrongerSignInPage", include_in_schema=False)
async def stronger_page(request: AnyRequest, wiring: NamedDependency[Wiring]) -> AnyResponse:
    """What a service asks for, what is missing, and how to come by it."""
    errand, visitor = await errand_of(request, wiring), await visitor_of(request, wiring)
    session, interaction = visitor.session, errand.interaction
    if session is None or interaction is None or at_least(session.acr, errand.acr_needed):
        return see_other(errand.onward)
    missing = await missing_for_high(wiring.db, session.citizen_id)
    spoken = language_of(request, errand)
    return page(
        request,
        wiring,
        "idp/sign_in/stronger.html",
        browser=visitor.browser,
        ui_locales=interaction.ui_locales,
        profile=session.locale,
        form_action=_form_action(errand),
        client_name=interaction.client_name[spoken.value],
        purpose=interaction.purpose[spoken.value] if interaction.purpose else None,
        missing=missing,
        query=errand.query,
        back=interaction.interaction_id,
    )


@post("/sign-in/stronger", operation_id="DeclineStrongerSignIn", status_code=303, include_in_schema=False)
async def decline_stronger(request: AnyRequest, wiring: NamedDependency[Wiring]) -> AnyResponse:
    """Back to the service without it: it is told that the level was not met, never given less under the same name."""
    await form_of(request, wiring)
    errand, visitor = await errand_of(request, wiring), await visitor_of(request, wiring)
    if errand.interaction is None:
        return see_other(errand.onward)
    outcome = await refuse(
        wiring.provider,
        errand.interaction,
        AuthorizationError("unmet_authentication_requirements"),
        session=visitor.session,
        browser_sha256=visitor.browser_sha256,
    )
    return answer(request, wiring, outcome, visitor.browser)


@post("/sign-in/cancel", operation_id="CancelSignIn", status_code=303, include_in_schema=False)
async def cancel(request: AnyRequest, wiring: NamedDependency[Wiring]) -> AnyResponse:
    """Back to the service without signing in (OpenID Connect Core §3.1.2.6, ``access_denied``)."""
    await form_of(request, wiring)
    errand, visitor = await errand_of(request, wiring), await visitor_of(request, wiring)
    if errand.interaction is None:
        return see_other("/idp/sign-in")
    await abandon(wiring.db, visitor.browser_sha256)
    outcome = await refuse(
        wiring.provider,
        errand.interaction,
        AuthorizationError("access_denied"),
        session=visitor.session,
        browser_sha256=visitor.browser_sha256,
    )
    return answer(request, wiring, outcome, visitor.browser)


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
    session = await session_of(request, wiring)
    token = read(request, SESSION_COOKIE)
    frames = await end_session(wiring.db, wiring.audit, digest(token)) if token else []
    wiring.logout_delivery.kick()
    return signed_out(
        request, wiring, frames, target=None, here="/idp/sign-out", profile=session.locale if session else None
    )


def _signed_in(errand: Errand, outcome: SignedIn) -> AnyResponse:
    onward = errand.onward
    if errand.interaction is not None and not errand.linking and not at_least(outcome.acr, errand.acr_needed):
        onward = f"/idp/sign-in/stronger{errand.query}"
    return see_other(onward, cookies=[session_cookie(outcome.session_token)])


async def _sign_in(
    request: AnyRequest,
    wiring: Wiring,
    errand: Errand,
    *,
    wrong: Message | None = None,
    wrong_passkey: bool = False,
    too_many: TooManyRequests | None = None,
) -> AnyResponse:
    """What was typed is not shown again: every refusal is one and the same page (L-13)."""
    errors: dict[str, Message] = {}
    if wrong:
        errors["username"] = wrong
    if wrong_passkey:
        errors["passkey-use"] = _WRONG_PASSKEY
    if too_many:
        errors["username"] = _("Too many attempts. Wait a little and try again.")
    interaction = errand.interaction
    spoken = language_of(request, errand)
    response = page(
        request,
        wiring,
        "idp/sign_in/sign_in.html",
        browser=browser_of(request),
        status=429 if too_many else 422 if errors else 200,
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
    interaction = errand.interaction
    spoken = locale(request, ui_locales=interaction.ui_locales if interaction else None, profile=attempt.locale)
    return page(
        request,
        wiring,
        "idp/sign_in/second_factor.html",
        browser=browser_of(request),
        status=status,
        path=f"/idp/sign-in/second-factor{errand.query}",
        ui_locales=interaction.ui_locales if interaction else None,
        profile=attempt.locale,
        form_action=_form_action(errand),
        errors={"passkey-use" if attempt.method == "passkey" else "otp": error} if error else {},
        step_up=attempt.session_sha256 is not None,
        client_name=interaction.client_name[spoken.value] if interaction else None,
        purpose=interaction.purpose[spoken.value] if interaction and interaction.purpose else None,
        high=errand.acr_needed == "high",
        method=attempt.method,
        sent_to=attempt.methods.code.masked if attempt.methods.code else None,
        ways=attempt.methods.second,
        query=errand.query,
    )


def _form_action(errand: Errand) -> str | None:
    """Where the redirects after the form may end: at the relying party."""
    return errand.interaction.request.redirect_origin if errand.interaction else None


ROUTES = [
    sign_in_page,
    sign_in,
    passkey_options,
    sign_in_by_passkey,
    second_factor_page,
    second_factor,
    another_way,
    stronger_page,
    decline_stronger,
    cancel,
    sign_out_page,
    sign_out,
]
