"""The provider as one Litestar app: routes, parts, and how a "no" is rendered."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from litestar import Litestar, Router
from litestar.di import Provide
from litestar.openapi import OpenAPIConfig

from idp import wiring as parts
from idp.account import routes as account
from idp.activation import routes as activation
from idp.alerts import routes as alerts
from idp.authorization import routes as authorization
from idp.backchannel import routes as backchannel
from idp.body import StrictRequest
from idp.clients import routes as clients
from idp.consents import routes as consents
from idp.device import routes as device
from idp.discovery import routes as discovery
from idp.frame import refusal_page
from idp.freezing import routes as freezing
from idp.introspection import routes as introspection
from idp.lanes import LANES
from idp.logout import routes as logout
from idp.mandates import routes as mandates
from idp.measuring import keep_measuring
from idp.messages import routes as messages
from idp.officers import routes as officers
from idp.pacing import Pacing
from idp.passkeys import routes as passkeys
from idp.purposes import routes as purposes
from idp.recovery import routes as recovery
from idp.recovery_codes import routes as recovery_codes
from idp.registration import routes as registration
from idp.revocation import routes as revocation
from idp.settings import IdpSettings
from idp.sign_in import routes as sign_in
from idp.subjects import routes as subjects
from idp.token import routes as token
from idp.upstream import routes as upstream
from idp.userinfo import routes as userinfo
from kit.direct import Direct
from kit.edge import Edge, exception_handlers
from kit.health import Health
from kit.pace import Pace
from kit.pages import Pages
from kit.throttle import Throttle

ROUTES: list[Any] = [
    *discovery.ROUTES,
    *authorization.ROUTES,
    *clients.ROUTES,
    *consents.ROUTES,
    *purposes.ROUTES,
    *device.ROUTES,
    *backchannel.ROUTES,
    *token.ROUTES,
    *userinfo.ROUTES,
    *introspection.ROUTES,
    *revocation.ROUTES,
    *registration.ROUTES,
    *officers.ROUTES,
    *logout.ROUTES,
    *subjects.ROUTES,
    *sign_in.ROUTES,
    *upstream.ROUTES,
    *activation.ROUTES,
    *account.ROUTES,
    *freezing.ROUTES,
    *mandates.ROUTES,
    *passkeys.ROUTES,
    *recovery_codes.ROUTES,
    *recovery.ROUTES,
    *alerts.ROUTES,
    *messages.ROUTES,
]


DIRECT = {
    **discovery.DIRECT,
    **token.DIRECT,
    **userinfo.DIRECT,
    **introspection.DIRECT,
    **revocation.DIRECT,
}
_BODY_MAX = 65_536


def create_app(settings: IdpSettings, *, describe: bool = False) -> Litestar:
    """``describe`` adds the OpenAPI document, for the command that writes it: a served app shows none (A-16)."""
    pace = Pace(Throttle("idp"))
    pages = Pages({"idp": Path(__file__).parent}, static_prefix="/idp/static", home="/idp/account")

    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        app.state.wiring = direct.parts = await parts.connect(settings, pages)
        pace.start(app.state.wiring.db)
        measuring = asyncio.create_task(keep_measuring(app.state.wiring))
        try:
            yield
        finally:
            measuring.cancel()
            await pace.stop(app.state.wiring.db)
            await parts.close(app.state.wiring)

    handlers = exception_handlers(refusal_page)
    app = Litestar(
        [Router("/idp", route_handlers=ROUTES), discovery.rfc8414, pages.static.handler()],
        dependencies={"wiring": Provide(parts.provide_wiring)},
        exception_handlers=handlers,
        request_class=StrictRequest,
        lifespan=[lifespan],
        openapi_config=OpenAPIConfig(title="Khizana provider", version="1", use_handler_docstrings=True)
        if describe
        else None,
        request_max_body_size=_BODY_MAX,
        # Its own would take the place of the process's, which is lines for programs (kit/edge.py).
        logging_config=None,
        debug=False,
    )
    # Outermost, so that also what no route answers has its headers.
    direct = Direct(
        app.asgi_handler,
        DIRECT,
        exception_handlers=handlers,
        body_max=_BODY_MAX,
    )
    health = Health(Pacing(direct, pace, settings), "/idp", lambda: app.state.wiring.db)
    app.asgi_handler = Edge(health, trusted_proxies=settings.trusted_proxies, lanes=LANES)
    return app
