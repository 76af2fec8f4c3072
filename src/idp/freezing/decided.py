"""The page after two factors of a frozen citizen: there is no session, so it is the answer itself."""

from litestar import Response

from idp.frame import AnyRequest, page
from idp.freezing.schema import DeskOnly, Opened, Waiting
from idp.sessions.browser import browser_of
from idp.wiring import Wiring


def frozen_page(request: AnyRequest, wiring: Wiring, state: Opened | Waiting | DeskOnly) -> Response[str]:
    return page(
        request,
        wiring,
        "idp/freezing/decided.html",
        browser=browser_of(request),
        path="/idp/unfreeze",
        opened=isinstance(state, Opened),
        opens_at=state.opens_at if isinstance(state, Waiting) else None,
    )
