from contextlib import suppress
from typing import Any

from litestar import Response, delete, get, post
from litestar.di import NamedDependency
from msgspec import Struct

from kit.audit import ActorKind
from kit.errors import Invalid
from locker.access.bearer import CitizenCaller
from locker.access.schema import Citizen
from locker.access.step_up import just_signed_in, need_fresh_session, need_fresh_token
from locker.documents.content_disposition import attachment
from locker.documents.send_bytes import send_opened
from locker.exporting import store
from locker.exporting.ask import ask, remove, take
from locker.exporting.parts import open_parts
from locker.exporting.refusals import ExportStands, NoExport
from locker.exporting.schema import Export, State
from locker.home.frame import AnyRequest, checked_form, page, see_other
from locker.problem import problems
from locker.wiring import Wiring

PAGE = "/wallet/export"
_FORM_MAX_BYTES = 4_096
_OPT = {"scope": "documents:export"}
_TAGS = ["wallet apps"]


class ExportMessage(Struct, frozen=True, kw_only=True):
    export_id: str
    state: State
    """``waiting``: it is being made. ``failed``: ask again."""
    asked_at: str
    length: int | None
    sha256: str | None
    """Of the ZIP, hexadecimal."""
    expires_at: str | None
    """Until then it can be taken, then it is destroyed."""


@get(PAGE, operation_id="ShowExport")
async def export_page(
    request: AnyRequest, wiring: NamedDependency[Wiring], citizen: NamedDependency[Citizen]
) -> Response[str]:
    return page(
        request,
        wiring,
        "locker/exporting/export.html",
        citizen=citizen,
        path=PAGE,
        export=await store.find(wiring.db, owner=citizen.owner),
        fresh=just_signed_in(citizen),
        sign_in_again=f"/sign-in?return_to={PAGE}&again=true",
    )


@post(PAGE, operation_id="AskForExport", request_max_body_size=_FORM_MAX_BYTES)
async def ask_page(
    request: AnyRequest, wiring: NamedDependency[Wiring], citizen: NamedDependency[Citizen]
) -> Response[bytes]:
    await checked_form(request, wiring)
    need_fresh_session(citizen, return_to=PAGE)
    # After a second click the page shows the one that stands.
    with suppress(ExportStands):
        await ask(wiring.db, wiring.audit, wiring.throttle, owner=citizen.owner, by="citizen", actor=citizen.owner)
    return see_other(PAGE)


@get(f"{PAGE}/file", operation_id="TakeExport")
async def file_page(
    request: AnyRequest, wiring: NamedDependency[Wiring], citizen: NamedDependency[Citizen]
) -> Response[Any]:
    need_fresh_session(citizen, return_to=PAGE)
    return await _file(request, wiring, citizen.owner, by="citizen", actor=citizen.owner)


@post(f"{PAGE}/removed", operation_id="RemoveExport", request_max_body_size=_FORM_MAX_BYTES)
async def remove_page(
    request: AnyRequest, wiring: NamedDependency[Wiring], citizen: NamedDependency[Citizen]
) -> Response[bytes]:
    await checked_form(request, wiring)
    await remove(wiring.db, wiring.audit, owner=citizen.owner, by="citizen", actor=citizen.owner)
    return see_other(PAGE)


@get("/v1/export", operation_id="ReadExport", opt=_OPT, tags=_TAGS, responses=problems(401, 403, 404, 503))
async def api_read(wiring: NamedDependency[Wiring], caller: NamedDependency[CitizenCaller]) -> ExportMessage:
    """The export that is being made or can be taken. Scope ``documents:export``."""
    found = await store.find(wiring.db, owner=caller.owner)
    if found is None:
        raise NoExport
    return _message(found)


@post(
    "/v1/export",
    operation_id="CreateExport",
    status_code=202,
    opt=_OPT,
    tags=_TAGS,
    responses=problems(401, 403, 409, 422, 429, 503),
    request_max_body_size=_FORM_MAX_BYTES,
)
async def api_ask(
    request: AnyRequest, wiring: NamedDependency[Wiring], caller: NamedDependency[CitizenCaller]
) -> Response[ExportMessage]:
    """Have everything made into one signed ZIP. The citizen must have signed in within five minutes (RFC 9470)."""
    need_fresh_token(caller)
    if await request.body():
        raise Invalid("no body is needed")
    asked = await ask(wiring.db, wiring.audit, wiring.throttle, owner=caller.owner, by="client", actor=caller.client_id)
    return Response(_message(asked))


@get("/v1/export/file", operation_id="GetExport", opt=_OPT, tags=_TAGS, responses=problems(401, 403, 404, 502, 503))
async def api_file(
    request: AnyRequest, wiring: NamedDependency[Wiring], caller: NamedDependency[CitizenCaller]
) -> Response[Any]:
    """The ZIP, after a fresh sign-in; Range and If-Range are understood."""
    need_fresh_token(caller)
    return await _file(request, wiring, caller.owner, by="client", actor=caller.client_id)


@delete(
    "/v1/export",
    operation_id="DeleteExport",
    opt=_OPT,
    tags=_TAGS,
    status_code=204,
    responses=problems(401, 403, 404, 503),
)
async def api_remove(wiring: NamedDependency[Wiring], caller: NamedDependency[CitizenCaller]) -> None:
    """Destroy it before its day is over."""
    await remove(wiring.db, wiring.audit, owner=caller.owner, by="client", actor=caller.client_id)


async def _file(request: AnyRequest, wiring: Wiring, owner: str, *, by: ActorKind, actor: str) -> Response[Any]:
    ready = await take(wiring.db, wiring.audit, owner=owner, by=by, actor=actor)
    return await send_opened(
        request,
        lambda start, end: open_parts(wiring.vault, ready, owner=owner, start=start, end=end),
        length=ready.length,
        sha256=ready.sha256,
        media_type="application/zip",
        disposition=attachment("khizana", "zip"),
    )


def _message(export: Export) -> ExportMessage:
    return ExportMessage(
        export_id=export.export_id,
        state=export.state,
        asked_at=export.asked_at.isoformat(),
        length=export.length,
        sha256=export.sha256.hex() if export.sha256 else None,
        expires_at=export.expires_at.isoformat() if export.expires_at else None,
    )


ROUTES = [export_page, ask_page, file_page, remove_page, api_read, api_ask, api_file, api_remove]
