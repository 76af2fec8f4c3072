from urllib.parse import quote, urlsplit

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency

from idp.authorization.hints import hint_claims
from idp.authorization.refusals import NotRedirected
from idp.clients.find import find_client
from idp.frame import AnyRequest, checked_form, page, see_other, session_of
from idp.logout.sign_out import sign_out
from idp.parameters import Parameters, of_form, of_query
from idp.refusals import InvalidRequest
from idp.sessions.browser import browser_of
from idp.sessions.cookies import no_session_cookie
from idp.sessions.schema import Session
from idp.subjects.pairwise import pairwise_sub
from idp.wiring import Wiring
from kit.jose import TokenRefused


class LogoutRequest(msgspec.Struct, frozen=True, kw_only=True):
    target: str | None
    """Where to go afterwards; None where nothing registered was named."""
    sure: bool
    """The hint is an ID token of this very session's citizen: nobody need be asked."""


@get("/end-session", operation_id="EndSession")
async def end_session(request: AnyRequest, wiring: NamedDependency[Wiring]) -> Response[bytes] | Response[str]:
    """RP-Initiated Logout §2."""
    try:
        return await _end_session(request, wiring, of_query(request))
    except InvalidRequest as refusal:
        raise NotRedirected(refusal.detail) from None


@post("/end-session", operation_id="EndSessionByPost", status_code=303)
async def end_session_by_post(request: AnyRequest, wiring: NamedDependency[Wiring]) -> Response[bytes] | Response[str]:
    try:
        return await _end_session(request, wiring, await of_form(request))
    except InvalidRequest as refusal:
        raise NotRedirected(refusal.detail) from None


@post("/end-session/confirm", operation_id="ConfirmEndSession", include_in_schema=False)
async def confirm(request: AnyRequest, wiring: NamedDependency[Wiring]) -> Response[bytes] | Response[str]:
    form = await checked_form(request, wiring)
    session = await session_of(request, wiring)
    asked = await _understand(wiring, {name: form[name] for name in _KEPT if form.get(name)}, session)
    if session is not None:
        await sign_out(wiring.db, wiring.audit, session)
    return _signed_out(asked.target)


@get("/signed-out", operation_id="SignedOut", include_in_schema=False)
async def signed_out(request: AnyRequest, wiring: NamedDependency[Wiring]) -> Response[str]:
    return page(request, wiring, "idp/logout/signed_out.html", browser=browser_of(request))


_KEPT = ("id_token_hint", "client_id", "post_logout_redirect_uri", "state")


async def _end_session(request: AnyRequest, wiring: Wiring, parameters: Parameters) -> Response[bytes] | Response[str]:
    session = await session_of(request, wiring)
    asked = await _understand(wiring, parameters, session)
    if session is None:
        return _signed_out(asked.target)
    if asked.sure:
        await sign_out(wiring.db, wiring.audit, session)
        return _signed_out(asked.target)
    browser = browser_of(request)
    target = urlsplit(asked.target or "")
    return page(
        request,
        wiring,
        "idp/logout/confirm.html",
        browser=browser,
        path="/idp/end-session",
        profile=session.locale,
        form_action=f"{target.scheme}://{target.netloc}" if target.netloc else None,
        kept=[(name, parameters[name]) for name in _KEPT if name in parameters],
    )


async def _understand(wiring: Wiring, parameters: Parameters, session: Session | None) -> LogoutRequest:
    """A bad hint or an address that is not registered: ask, and go nowhere (RP-Initiated Logout §3, §4)."""
    hint, client_id = parameters.get("id_token_hint"), parameters.get("client_id")
    sub = None
    if hint is not None:
        try:
            claims = hint_claims(hint, client_id, issuer=wiring.settings.issuer, keys=wiring.keys.current())
        except TokenRefused:
            return LogoutRequest(target=None, sure=False)
        sub, client_id = str(claims["sub"]), str(claims["aud"])
    client = await find_client(wiring.db, wiring.clients, client_id) if client_id else None
    if client is None:
        return LogoutRequest(target=None, sure=False)
    target = parameters.get("post_logout_redirect_uri")
    if target is not None and target not in client.metadata.post_logout_redirect_uris:
        return LogoutRequest(target=None, sure=False)
    if target is not None and "state" in parameters:
        joint = "&" if urlsplit(target).query else "?"
        target = f"{target}{joint}state={quote(parameters['state'], safe='')}"
    is_theirs = session is not None and sub == pairwise_sub(
        wiring.secrets, sector=client.sector, citizen_id=session.citizen_id
    )
    return LogoutRequest(target=target if hint is not None or session is not None else None, sure=is_theirs)


def _signed_out(target: str | None) -> Response[bytes]:
    response = see_other(target or "/idp/signed-out", cookies=[no_session_cookie()])
    response.headers["Clear-Site-Data"] = '"cache"'
    return response


ROUTES = [end_session, end_session_by_post, confirm, signed_out]
