"""The frame around every page of the locker: language, who is signed in, where one can go."""

from typing import Any, Protocol
from urllib.parse import quote, urlsplit

from litestar import Request, Response
from litestar.datastructures import Cookie

from kit.csrf import Csrf
from kit.edge import CONTENT_SECURITY_POLICY, client_address
from kit.errors import Refusal
from kit.form import form_of
from kit.i18n import Locale, _
from kit.pages import Pages, lang_cookie, locale_of, own_address
from locker.access.schema import Citizen
from locker.access.sessions import SESSION_COOKIE, cookie
from locker.wiring import Wiring

ACCOUNT = "/account"
AnyRequest = Request[Any, Any, Any]


class Framing(Protocol):
    """What the frame needs of whoever shows a page in it: the locker's wiring, or less."""

    @property
    def pages(self) -> Pages: ...
    @property
    def csrf(self) -> Csrf: ...
    @property
    def issuer(self) -> str: ...


_CITIZEN_PAGES = (
    ("/wallet", _("My documents")),
    ("/wallet/uploads", _("My own files")),
    ("/wallet/shares", _("Shares")),
    ("/wallet/history", _("Access history")),
    ("/verify", _("Verify a document")),
)
_PUBLIC_PAGES = (("/verify", _("Verify a document")), ("/code", _("Open documents by a code")))


def locale(request: AnyRequest) -> Locale:
    return locale_of(request.query_params, request.cookies, accept_language=request.headers.get("accept-language"))


def page(
    request: AnyRequest,
    wiring: Framing,
    template: str,
    *,
    citizen: Citizen | None = None,
    status: int = 200,
    path: str | None = None,
    headers: dict[str, str] | None = None,
    cookies: list[Cookie] | None = None,
    **view: Any,
) -> Response[str]:
    """``path`` is where the language links lead: by default this address; name another after a POST."""
    spoken = locale(request)
    html = wiring.pages.render(
        template,
        locale=spoken,
        path=path or own_address(request.scope),
        csrf=csrf_token(request, wiring) if citizen else None,
        navigation=_navigation(request.scope["path"], citizen),
        person=citizen.name(spoken) if citizen else None,
        account=ACCOUNT if citizen else None,
        sign_out="/sign-out" if citizen else None,
        signed_in=citizen is not None,
        **view,
    )
    response = Response(
        html,
        status_code=status,
        media_type="text/html",
        headers={
            "Content-Language": spoken.tag,
            "Content-Security-Policy": content_security_policy(wiring),
            **(headers or {}),
        },
        cookies=cookies,
    )
    if remembered := lang_cookie(request.query_params):
        name, _sep, rest = remembered.partition("=")
        response.set_cookie(cookie(name, rest.split(";")[0], max_age_s=31_536_000))
    return response


def refusal_page(request: AnyRequest, refusal: Refusal, status: int, request_id: str) -> str:
    """What failed, in words, with a reference and a way on."""
    wiring: Framing = request.app.state.wiring
    here: str = request.scope["path"]
    return wiring.pages.render(
        "kit/pages/error.html",
        locale=locale(request),
        path=quote(here) if request.method == "GET" and status not in (404, 500) else None,
        navigation=_navigation(here, None),
        title=getattr(refusal, "http_title", refusal.title),
        code=getattr(refusal, "http_code", refusal.code),
        reference=request_id,
        onward=("/sign-in", _("Sign in again")) if refusal.code.startswith("sign-in") else None,
    )


def csrf_token(request: AnyRequest, wiring: Framing) -> str:
    return wiring.csrf.token(request.cookies.get(SESSION_COOKIE, ""))


async def checked_form(request: AnyRequest, wiring: Wiring) -> Any:
    """The fields of a form that we showed to this session (S-09)."""
    form = await form_of(request)
    wiring.csrf.check(request.cookies.get(SESSION_COOKIE), form.get("csrf"), headers_of(request))
    return form


def headers_of(request: AnyRequest) -> dict[str, str]:
    return {name.lower(): value for name, value in request.headers.items()}


def prober(request: AnyRequest) -> str:
    return client_address(request.scope)


def content_security_policy(wiring: Framing) -> str:
    """A form's redirects count as its targets, and signing out ends at the provider."""
    issuer = urlsplit(wiring.issuer)
    return CONTENT_SECURITY_POLICY.replace(
        "form-action 'self'", f"form-action 'self' {issuer.scheme}://{issuer.netloc}"
    )


def see_other(location: str, *, cookies: list[Cookie] | None = None) -> Response[bytes]:
    """303: whatever the browser sent, it now gets (O-50)."""
    return Response(b"", status_code=303, headers={"Location": location}, cookies=cookies)


def _navigation(path: str, citizen: Citizen | None) -> list[tuple[str, Any, bool]]:
    pages = _CITIZEN_PAGES if citizen else _PUBLIC_PAGES
    longest = max((href for href, _label in pages if path == href or path.startswith(href + "/")), key=len, default="")
    return [(href, label, href == longest) for href, label in pages]
