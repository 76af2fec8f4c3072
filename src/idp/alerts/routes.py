import datetime as dt

from litestar import Response, get, post
from litestar.di import NamedDependency

from idp.alerts.answer import freeze_after, not_me
from idp.frame import AnyRequest, page
from idp.freezing.schema import Freezing
from idp.sessions.browser import browser_of
from idp.sign_in.form import form_of
from idp.wiring import Wiring

TOKEN_CHARACTERS = 43


@get("/not-me", operation_id="NotMePage")
async def not_me_page(request: AnyRequest, wiring: NamedDependency[Wiring]) -> Response[str]:
    """Shows a button and does nothing: what reads mail for viruses opens links, and must not end sessions."""
    token = request.query_params.get("token", "")
    return page(
        request,
        wiring,
        "idp/alerts/not_me.html",
        browser=browser_of(request),
        token=token if len(token) == TOKEN_CHARACTERS else "",
    )


@post("/not-me", operation_id="NotMe", status_code=200)
async def answer_not_me(request: AnyRequest, wiring: NamedDependency[Wiring]) -> Response[str]:
    form, browser = await form_of(request, wiring), browser_of(request)
    ended = await wiring.db.transact(
        lambda tx: not_me(tx, wiring.audit, form.get("token", ""), browser_sha256=browser.sha256)
    )
    if ended is not None:
        wiring.logout_delivery.kick()
    return page(
        request,
        wiring,
        "idp/alerts/ended.html",
        browser=browser,
        path="/idp/not-me",
        ended=ended is not None,
        at=dt.datetime.now(dt.UTC),
        status=200 if ended is not None else 404,
    )


@post("/not-me/freeze", operation_id="FreezeAfterNotMe", status_code=200)
async def freeze_not_me(request: AnyRequest, wiring: NamedDependency[Wiring]) -> Response[str]:
    await form_of(request, wiring)
    browser, parts = browser_of(request), Freezing(audit=wiring.audit, post=wiring.post)
    frozen = await wiring.db.transact(lambda tx: freeze_after(tx, parts, browser_sha256=browser.sha256))
    if frozen:
        wiring.logout_delivery.kick()
    return page(
        request,
        wiring,
        "idp/alerts/frozen.html",
        browser=browser,
        path="/idp/not-me",
        frozen=frozen,
        at=dt.datetime.now(dt.UTC),
        status=200 if frozen else 404,
    )


ROUTES = [not_me_page, answer_not_me, freeze_not_me]
