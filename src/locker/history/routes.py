from collections.abc import Sequence
from typing import Annotated

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromQuery, QueryParameter
from litestar.response import Stream

from kit.i18n import Message, _
from locker.access.bearer import CitizenCaller
from locker.access.schema import Citizen
from locker.history.export_csv import export_csv
from locker.history.list_history import PAGE_MAX, list_history
from locker.history.schema import Filter, HistoryPage
from locker.history.views import line
from locker.home.frame import AnyRequest, locale, page
from locker.problem import problems
from locker.wiring import Wiring

_PAGE = 25
_FILTERS: Sequence[tuple[Filter, Message]] = (
    ("all", _("Everything")),
    ("others", _("What others did")),
    ("documents", _("Documents")),
    ("shares", _("Shares")),
    ("sessions", _("Sign-ins")),
)


@get("/wallet/history", operation_id="ShowHistory")
async def history(
    request: AnyRequest,
    wiring: NamedDependency[Wiring],
    citizen: NamedDependency[Citizen],
    of: FromQuery[Filter] = "all",
    after: FromQuery[str | None] = None,
) -> Response[str]:
    spoken = locale(request)
    listed = await list_history(wiring.db, wiring.cursors, owner=citizen.owner, of=of, after=after, limit=_PAGE)
    return page(
        request,
        wiring,
        "locker/history/history.html",
        citizen=citizen,
        lines=[line(event, spoken) for event in listed.events],
        filters=[(f"/wallet/history?of={name}", label, name == of) for name, label in _FILTERS],
        first=after is None,
        following=f"/wallet/history?of={of}&after={listed.next}" if listed.next else None,
    )


@get("/wallet/history/export.csv", operation_id="ExportHistory")
async def export(wiring: NamedDependency[Wiring], citizen: NamedDependency[Citizen]) -> Stream:
    return Stream(
        export_csv(wiring.db, wiring.cursors, owner=citizen.owner),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="access-history.csv"', "Cache-Control": "no-store"},
    )


@get(
    "/v1/history",
    operation_id="ListHistory",
    opt={"scope": "documents:read"},
    tags=["wallet apps"],
    responses=problems(400, 401, 403, 503),
)
async def api_history(
    wiring: NamedDependency[Wiring],
    caller: NamedDependency[CitizenCaller],
    of: FromQuery[Filter] = "all",
    after: FromQuery[str | None] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=PAGE_MAX)] = 50,
) -> HistoryPage:
    """Who saw or did what with the documents of the token's citizen. Scope ``documents:read``."""
    return await list_history(wiring.db, wiring.cursors, owner=caller.owner, of=of, after=after, limit=limit)


ROUTES = [history, export, api_history]
