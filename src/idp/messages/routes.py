from litestar import Response, get
from litestar.di import NamedDependency

from idp.frame import AnyRequest, page
from idp.messages import store
from idp.messages.deliver import opened
from idp.sessions.browser import browser_of
from idp.wiring import Wiring
from kit.errors import NotFound

_SHOWN_MAX = 50


@get("/outbox", operation_id="Outbox", include_in_schema=False)
async def outbox(request: AnyRequest, wiring: NamedDependency[Wiring]) -> Response[str]:
    """Every message, to anybody: only where a setting says that this is a demo."""
    if not wiring.settings.demo_outbox:
        raise NotFound
    messages = [opened(wiring.secrets, row) for row in await store.latest(wiring.db, count_max=_SHOWN_MAX)]
    return page(request, wiring, "idp/messages/outbox.html", browser=browser_of(request), messages=messages)


ROUTES = [outbox]
