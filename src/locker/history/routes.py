import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Annotated
from urllib.parse import urlencode

import msgspec
from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromQuery, QueryParameter
from litestar.response import Stream

from kit.audit import ActorKind
from kit.errors import Malformed
from kit.i18n import Message, _
from kit.throttle import Limit
from locker.access.bearer import CitizenCaller
from locker.access.schema import Citizen
from locker.begun import begun
from locker.history.export_csv import export_csv
from locker.history.export_signed import export_signed
from locker.history.list_history import PAGE_MAX, list_history
from locker.history.schema import Chosen, Filter, HistoryPage
from locker.history.views import line
from locker.home.frame import AnyRequest, locale, page
from locker.problem import problems
from locker.wiring import Wiring

_PAGE = 25
_JSON_LINES = "application/jsonl"
_FILTERS: Sequence[tuple[Filter, Message]] = (
    ("all", _("Everything")),
    ("others", _("What others did")),
    ("documents", _("Documents")),
    ("shares", _("Shares")),
    ("sessions", _("Sign-ins")),
)
_BY: Sequence[tuple[str, Message]] = (
    ("", _("Everybody")),
    ("citizen", _("You")),
    ("client", _("Administrations and services")),
    ("anonymous", _("Holders of a link")),
    ("officer", _("Officers of Khizana")),
    ("system", _("Khizana")),
)
_EXPORTS = Limit("history-exports", attempts=10, per_s=60)
_TEXT_MAX = 200
_Text = Annotated[str | None, QueryParameter(min_length=1, max_length=_TEXT_MAX)]


@get("/wallet/history", operation_id="ShowHistory")
async def history(
    request: AnyRequest,
    wiring: NamedDependency[Wiring],
    citizen: NamedDependency[Citizen],
    after: FromQuery[str | None] = None,
) -> Response[str]:
    spoken, chosen = locale(request), _chosen(request.query_params)
    listed = await list_history(wiring.db, wiring.cursors, owner=citizen.owner, chosen=chosen, after=after, limit=_PAGE)
    narrowed = _query(chosen)
    return page(
        request,
        wiring,
        "locker/history/history.html",
        citizen=citizen,
        lines=[line(event, spoken) for event in listed.events],
        filters=[
            (_address(msgspec.structs.replace(chosen, of=name)), label, name == chosen.of) for name, label in _FILTERS
        ],
        chosen=chosen,
        kinds=_BY,
        narrowed=set(narrowed) - {"of"} != set(),
        everything="/wallet/history",
        query=urlencode(narrowed),
        first=after is None,
        following=_address(chosen, after=listed.next) if listed.next else None,
    )


@get("/wallet/history/export.csv", operation_id="ExportHistory")
async def export(request: AnyRequest, wiring: NamedDependency[Wiring], citizen: NamedDependency[Citizen]) -> Stream:
    await wiring.throttle.count(wiring.db, _EXPORTS, citizen.owner)
    lines = export_csv(wiring.db, wiring.cursors, owner=citizen.owner, chosen=_chosen(request.query_params))
    return Stream(
        await begun(lines),
        media_type="text/csv; charset=utf-8",
        headers=_attachment("access-history.csv"),
    )


@get("/wallet/history/export.jsonl", operation_id="ExportSignedHistory")
async def export_with_proofs(
    request: AnyRequest, wiring: NamedDependency[Wiring], citizen: NamedDependency[Citizen]
) -> Stream:
    return await _signed(wiring, citizen.owner, _chosen(request.query_params))


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
    action: _Text = None,
    by: FromQuery[ActorKind | None] = None,
    actor: _Text = None,
    document: _Text = None,
    since: FromQuery[dt.date | None] = None,
    until: FromQuery[dt.date | None] = None,
    after: FromQuery[str | None] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=PAGE_MAX)] = 50,
) -> HistoryPage:
    """Who saw or did what with the documents of the token's citizen. Scope ``documents:read``."""
    chosen = Chosen(of=of, action=action, by=by, actor=actor, document=document, since=since, until=until)
    return await list_history(wiring.db, wiring.cursors, owner=caller.owner, chosen=chosen, after=after, limit=limit)


@get(
    "/v1/history/export",
    operation_id="ExportHistoryWithProofs",
    opt={"scope": "documents:read"},
    tags=["wallet apps"],
    media_type=_JSON_LINES,
    responses=problems(400, 401, 403, 429, 503),
)
async def api_export(
    wiring: NamedDependency[Wiring],
    caller: NamedDependency[CitizenCaller],
    of: FromQuery[Filter] = "all",
    since: FromQuery[dt.date | None] = None,
    until: FromQuery[dt.date | None] = None,
) -> Stream:
    """The same as JSON lines, each with its proof (C2SP tlog-proof), and a last one whose JWS signs them all. Scope
    ``documents:read``."""
    return await _signed(wiring, caller.owner, Chosen(of=of, since=since, until=until))


async def _signed(wiring: Wiring, owner: str, chosen: Chosen) -> Stream:
    await wiring.throttle.count(wiring.db, _EXPORTS, owner)
    lines = export_signed(
        wiring.db, wiring.cursors, wiring.signing, locker_url=wiring.settings.locker_url, owner=owner, chosen=chosen
    )
    return Stream(
        await begun(lines),
        media_type=_JSON_LINES,
        headers=_attachment("access-history.jsonl"),
    )


def _chosen(query: Mapping[str, str]) -> Chosen:
    """As a form sends it: a field left empty chooses nothing."""
    said = {name: query[name] for name in Chosen.__struct_fields__ if query.get(name)}
    if any(len(text) > _TEXT_MAX for text in said.values()):
        raise Malformed
    try:
        return msgspec.convert(said, Chosen)
    except msgspec.ValidationError:
        raise Malformed from None


def _query(chosen: Chosen) -> dict[str, str]:
    said = msgspec.to_builtins(chosen)
    return {name: value for name, value in said.items() if value is not None}


def _address(chosen: Chosen, **more: str) -> str:
    return f"/wallet/history?{urlencode({**_query(chosen), **more})}"


def _attachment(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}


ROUTES = [history, export, export_with_proofs, api_history, api_export]
