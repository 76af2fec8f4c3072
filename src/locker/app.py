"""The locker as one Litestar app: routes, parts, and how a "no" is rendered."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from litestar import Litestar
from litestar.di import Provide
from litestar.handlers import HTTPRouteHandler
from litestar.openapi import OpenAPIConfig

from kit.edge import Edge, exception_handlers
from kit.health import Health
from kit.pages import Pages
from locker import wiring as parts
from locker.access import callers
from locker.access import routes as access
from locker.batches import routes as batches
from locker.deposits import routes as deposits
from locker.disclosing import routes as disclosing
from locker.documents import lifecycle_routes as lifecycle
from locker.documents import routes as documents
from locker.erasing import routes as erasing
from locker.exporting import routes as exporting
from locker.history import routes as history
from locker.home import routes as home
from locker.home.frame import refusal_page
from locker.lanes import LANES
from locker.log import routes as log
from locker.printed import routes as printed
from locker.printed import sheet_routes as sheets
from locker.problem import problems
from locker.receipts import routes as receipts
from locker.references import routes as references
from locker.requests import routes as requests
from locker.resolving import routes as resolving
from locker.seals import routes as seals
from locker.settings import LockerSettings
from locker.shares import api_routes as shares_api
from locker.shares import link_routes as links
from locker.shares import routes as shares
from locker.uploads import api_routes as uploads_api
from locker.uploads import link_routes as uploads_links
from locker.uploads import routes as uploads
from locker.verification import routes as verification
from locker.verification.database_register import desk_of
from locker.verification.desk import provide_desk
from locker.webhooks import routes as webhooks

ROUTES: list[Any] = [
    *receipts.ROUTES,
    *home.ROUTES,
    *access.ROUTES,
    *references.ROUTES,
    *deposits.ROUTES,
    *batches.ROUTES,
    *seals.ROUTES,
    *printed.ROUTES,
    *sheets.ROUTES,
    *lifecycle.ROUTES,
    *documents.ROUTES,
    *shares.ROUTES,
    *shares_api.ROUTES,
    *requests.ROUTES,
    *links.ROUTES,
    *disclosing.ROUTES,
    *verification.ROUTES,
    *resolving.ROUTES,
    *uploads.ROUTES,
    *uploads_api.ROUTES,
    *uploads_links.ROUTES,
    *history.ROUTES,
    *log.ROUTES,
    *erasing.ROUTES,
    *exporting.ROUTES,
    *webhooks.ROUTES,
]


def _tell_of_erasure() -> None:
    """Whatever a wallet app asks for, the token of who was erased is refused in one place."""
    for handler in ROUTES:
        if isinstance(handler, HTTPRouteHandler) and "wallet apps" in (handler.tags or ()):
            handler.responses = {**(handler.responses or {}), **problems(410)}


def create_app(
    settings: LockerSettings, *, idp_transport: httpx.AsyncBaseTransport | None = None, describe: bool = False
) -> Litestar:
    """``describe`` adds the OpenAPI document, for the command that writes it: a served app shows none (A-16)."""

    pages = Pages({"locker": Path(__file__).parent}, static_prefix="/static")

    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        app.state.wiring = await parts.connect(settings, pages=pages, idp_transport=idp_transport)
        app.state.desk = desk_of(app.state.wiring)
        try:
            yield
        finally:
            await parts.close(app.state.wiring)

    if describe:
        _tell_of_erasure()
    app = Litestar(
        [*ROUTES, pages.static.handler()],
        dependencies={
            "wiring": Provide(parts.provide_wiring),
            "desk": Provide(provide_desk),
            "citizen": Provide(access.provide_citizen),
            "client": Provide(callers.client),
            "caller": Provide(callers.citizen),
        },
        exception_handlers=exception_handlers(refusal_page),
        lifespan=[lifespan],
        openapi_config=OpenAPIConfig(title="Khizana locker", version="1", use_handler_docstrings=True)
        if describe
        else None,
        request_max_body_size=settings.body_max_bytes,
        # Its own would take the place of the process's, which is lines for programs (kit/edge.py).
        logging_config=None,
        debug=False,
    )
    # Outermost, so that also what no route answers has its headers.
    health = Health(app.asgi_handler, "", lambda: app.state.wiring.db)
    app.asgi_handler = Edge(health, trusted_proxies=settings.trusted_proxies, lanes=LANES)
    return app
