"""The frame around every page of the provider: language, forms, redirects."""

from collections.abc import Mapping, Sequence
from typing import Any

from litestar import Request, Response
from litestar.datastructures import Cookie

from idp.sessions.browser import Browser, browser_of
from idp.sessions.cookies import SESSION_COOKIE, read
from idp.sessions.current import current
from idp.sessions.schema import Session
from idp.wiring import Wiring
from kit.edge import CONTENT_SECURITY_POLICY, address_prefix, client_address
from kit.errors import Refusal
from kit.form import form_of
from kit.i18n import Locale
from kit.pages import lang_cookie, locale_of, own_address

AnyRequest = Request[Any, Any, Any]
FORM_FIELDS_MAX = 20


def locale(request: AnyRequest, *, ui_locales: str | None = None, profile: str | None = None) -> Locale:
    return locale_of(
        request.query_params,
        request.cookies,
        accept_language=request.headers.get("accept-language"),
        ui_locales=ui_locales,
        profile=profile,
    )


async def session_of(request: AnyRequest, wiring: Wiring) -> Session | None:
    return await current(wiring.db, read(request, SESSION_COOKIE), idle_s=wiring.settings.session_idle_s)


def page(
    request: AnyRequest,
    wiring: Wiring,
    template: str,
    *,
    browser: Browser,
    status: int = 200,
    path: str | None = None,
    ui_locales: str | None = None,
    profile: str | None = None,
    cookies: Sequence[Cookie] = (),
    form_action: str | None = None,
    frame_sources: Sequence[str] = (),
    **view: Any,
) -> Response[str]:
    """``path`` is where the language links lead: by default this address; name another after a POST.

    Forms carry the token of the browser's cookie, which is set where there is none. ``form_action`` is one more origin
    that a form's answer may lead to: browsers hold the redirect after a form to the same rule. ``frame_sources`` are
    origins of frames.
    """
    spoken = locale(request, ui_locales=ui_locales, profile=profile)
    html = wiring.pages.render(
        template,
        locale=spoken,
        path=path or own_address(request.scope),
        csrf=wiring.csrf.token(browser.token),
        **view,
    )
    headers = {"Content-Language": spoken.tag}
    policy = CONTENT_SECURITY_POLICY
    if form_action is not None:
        policy = policy.replace("form-action 'self'", f"form-action 'self' {form_action}")
    if frame_sources:
        policy += f"; frame-src {' '.join(frame_sources)}"
    if policy != CONTENT_SECURITY_POLICY:
        headers["Content-Security-Policy"] = policy
    response = Response(
        html, status_code=status, media_type="text/html", headers=headers, cookies=[*browser.cookies, *cookies]
    )
    if remembered := lang_cookie(request.query_params):
        name, _, rest = remembered.partition("=")
        response.set_cookie(
            Cookie(
                key=name,
                value=rest.split(";")[0],
                max_age=31_536_000,
                path="/",
                secure=True,
                httponly=True,
                samesite="lax",
            )
        )
    return response


def refusal_page(request: AnyRequest, refusal: Refusal, status: int, request_id: str) -> str:
    """What failed, in words, with a reference and a way on."""
    wiring: Wiring = request.app.state.wiring
    return wiring.pages.render(
        "kit/pages/error.html",
        locale=locale(request),
        path=own_address(request.scope) if request.method == "GET" and status not in (404, 500) else None,
        title=getattr(refusal, "http_title", refusal.title),
        code=getattr(refusal, "http_code", refusal.code),
        reference=request_id,
        onward=None,
    )


async def checked_form(request: AnyRequest, wiring: Wiring) -> Mapping[str, str]:
    """The fields of a form that we showed to this browser; CrossSite for any other (L-26, S-09)."""
    form = await form_of(request)
    fields = {name: value for name, value in list(form.items())[:FORM_FIELDS_MAX] if isinstance(value, str)}
    wiring.csrf.check(browser_of(request).token, fields.get("csrf"), headers_of(request))
    return fields


def asked_from(request: AnyRequest) -> str:
    """The address prefix that limits count by."""
    return address_prefix(client_address(request.scope))


def headers_of(request: AnyRequest) -> dict[str, str]:
    return {name.lower(): value for name, value in request.headers.items()}


def see_other(location: str, *, cookies: Sequence[Cookie] = ()) -> Response[bytes]:
    """303: whatever the browser sent, it now gets (O-50)."""
    return Response(b"", status_code=303, headers={"Location": location}, cookies=list(cookies))
