"""A relying party asks to sign its citizen out (OpenID Connect RP-Initiated Logout 1.0)."""

from urllib.parse import urlencode, urlsplit

from litestar import MediaType, Response, get, post
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec

from idp.authorization.refusals import NotRedirected
from idp.frame import AnyRequest, checked_form, page, see_other, session_of
from idp.logout.answer import signed_out
from idp.logout.sign_out import sign_out
from idp.logout.understand import LogoutRequest, understand
from idp.parameters import Parameters, of_form, of_query
from idp.refusals import InvalidRequest
from idp.sessions.browser import browser_of
from idp.sessions.cookies import SESSION_COOKIE, read
from idp.sessions.schema import Session
from idp.wiring import Wiring
from kit.tokens import digest

AnyResponse = Response[bytes] | Response[str]

_KEPT = ("id_token_hint", "client_id", "post_logout_redirect_uri", "state", "ui_locales")
_QUERY_MAX = 8_000


@get("/end-session", operation_id="EndSession")
async def end_session(request: AnyRequest, wiring: NamedDependency[Wiring]) -> AnyResponse:
    """RP-Initiated Logout §2."""
    try:
        return await _end_session(request, wiring, of_query(request))
    except InvalidRequest as refusal:
        raise NotRedirected(refusal.detail) from None


@post(
    "/end-session",
    operation_id="EndSessionByPost",
    status_code=303,
    responses={
        200: ResponseSpec(
            str, generate_examples=False, media_type=MediaType.HTML, description="The question whether to sign out"
        )
    },
)
async def end_session_by_post(request: AnyRequest, wiring: NamedDependency[Wiring]) -> AnyResponse:
    """The same by POST. A form of another site brings no cookie (SameSite=Lax), so it comes back as a GET that does."""
    try:
        parameters = await of_form(request)
        query = urlencode(parameters)
        if read(request, SESSION_COOKIE) is None and len(query) <= _QUERY_MAX:
            return see_other(f"/idp/end-session?{query}")
        return await _end_session(request, wiring, parameters)
    except InvalidRequest as refusal:
        raise NotRedirected(refusal.detail) from None


@post("/end-session/confirm", operation_id="ConfirmEndSession", include_in_schema=False, status_code=303)
async def confirm(request: AnyRequest, wiring: NamedDependency[Wiring]) -> AnyResponse:
    form = await checked_form(request, wiring)
    session = await session_of(request, wiring)
    asked = await _understood(wiring, {name: form[name] for name in _KEPT if form.get(name)}, session)
    return await _sign_out(request, wiring, asked, session, ui_locales=form.get("ui_locales"))


@get("/signed-out", operation_id="SignedOut", include_in_schema=False)
async def signed_out_page(request: AnyRequest, wiring: NamedDependency[Wiring]) -> Response[str]:
    return page(request, wiring, "idp/logout/signed_out.html", browser=browser_of(request), frames=[], onward=None)


async def _end_session(request: AnyRequest, wiring: Wiring, parameters: Parameters) -> AnyResponse:
    session = await session_of(request, wiring)
    asked = await _understood(wiring, parameters, session)
    if asked.wrong is not None:
        return _page(request, wiring, session, parameters, asked, "idp/logout/refused.html", status=400)
    # A session that fell asleep is nobody's any more, but clients may still keep theirs: it needs no question.
    if session is None or asked.sure:
        return await _sign_out(request, wiring, asked, session, ui_locales=parameters.get("ui_locales"))
    return _page(request, wiring, session, parameters, asked, "idp/logout/confirm.html")


async def _understood(wiring: Wiring, parameters: Parameters, session: Session | None) -> LogoutRequest:
    return await understand(
        wiring.db,
        parameters,
        session=session,
        clients=wiring.clients,
        secrets=wiring.secrets,
        keys=wiring.keys.current(),
        issuer=wiring.settings.issuer,
    )


async def _sign_out(
    request: AnyRequest, wiring: Wiring, asked: LogoutRequest, session: Session | None, *, ui_locales: str | None
) -> AnyResponse:
    token = read(request, SESSION_COOKIE)
    frames = await sign_out(wiring.db, wiring.audit, digest(token)) if token else []
    wiring.logout_delivery.kick()
    profile = session.locale if session else None
    return signed_out(request, wiring, frames, target=asked.target, ui_locales=ui_locales, profile=profile)


def _page(
    request: AnyRequest,
    wiring: Wiring,
    session: Session | None,
    parameters: Parameters,
    asked: LogoutRequest,
    template: str,
    *,
    status: int = 200,
) -> Response[str]:
    target = urlsplit(asked.target or "")
    return page(
        request,
        wiring,
        template,
        browser=browser_of(request),
        status=status,
        path="/idp/end-session" if asked.wrong is None else None,
        ui_locales=parameters.get("ui_locales"),
        profile=session.locale if session else None,
        form_action=f"{target.scheme}://{target.netloc}" if target.netloc else None,
        kept=[(name, parameters[name]) for name in _KEPT if name in parameters] if asked.wrong is None else [],
        wrong=asked.wrong,
        signed_in=session is not None,
    )


ROUTES = [end_session, end_session_by_post, confirm, signed_out_page]
