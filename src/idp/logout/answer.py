"""What the browser gets when a session has ended."""

from collections.abc import Sequence
from urllib.parse import urlencode, urlsplit

from litestar import Response

from idp.frame import AnyRequest, locale, page, see_other
from idp.logout.schema import Frame
from idp.sessions.browser import browser_of
from idp.sessions.cookies import no_session_cookie
from idp.wiring import Wiring

ONWARD_AFTER_S = 2
"""For the frames to load; some programs that stand for a browser follow no refresh that waits longer."""


def signed_out(
    request: AnyRequest,
    wiring: Wiring,
    frames: Sequence[Frame],
    *,
    target: str | None,
    here: str = "/idp/signed-out",
    ui_locales: str | None = None,
    profile: str | None = None,
) -> Response[bytes] | Response[str]:
    """Straight on to ``target``, or to ``here``; by way of a page where clients must be told through this browser.

    Front-Channel Logout §3: each client's address in a frame, with ``iss`` and ``sid``. ``profile`` is the language of
    whoever was signed in: the next page knows nobody any more, so the address carries it.
    """
    spoken = locale(request, ui_locales=ui_locales, profile=profile)
    if spoken != locale(request):
        here = f"{here}?{urlencode({'ui_locales': spoken.tag})}"
    response: Response[bytes] | Response[str]
    if frames:
        addresses = [_address(frame, wiring.settings.issuer) for frame in frames]
        response = page(
            request,
            wiring,
            "idp/logout/signed_out.html",
            browser=browser_of(request),
            path=here,
            ui_locales=spoken.tag,
            cookies=[no_session_cookie()],
            frame_sources=sorted({_origin(address) for address in addresses}),
            frames=addresses,
            onward=target,
        )
        if target is not None:
            response.headers["Refresh"] = f"{ONWARD_AFTER_S}; url={target}"
    else:
        response = see_other(target or here, cookies=[no_session_cookie()])
    response.headers["Clear-Site-Data"] = '"cache"'
    return response


def _address(frame: Frame, issuer: str) -> str:
    """The registered address with both parameters; a query that it has is kept."""
    joint = "&" if urlsplit(frame.uri).query else "?"
    return f"{frame.uri}{joint}{urlencode({'iss': issuer, 'sid': frame.sid})}"


def _origin(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"
