from collections.abc import Sequence

from litestar import Response, delete, get, post
from litestar.di import NamedDependency
from msgspec import Struct

from kit.errors import Invalid
from locker.access.bearer import CitizenCaller
from locker.access.schema import Citizen
from locker.access.step_up import just_signed_in, need_fresh_session, need_fresh_token, need_own_token
from locker.erasing import store
from locker.erasing.ask import ask, withdraw
from locker.erasing.refusals import NothingToUndo
from locker.erasing.schema import Erasure, Held
from locker.home.frame import AnyRequest, checked_form, page, see_other
from locker.problem import problems
from locker.wiring import Wiring

PAGE = "/wallet/erasure"
_FORM_MAX_BYTES = 4_096
_SHOWN_MAX = 20
_OPT = {"scope": "documents:erase"}
_TAGS = ["wallet apps"]


class ErasureMessage(Struct, frozen=True, kw_only=True):
    asked_at: str
    due_at: str
    """It begins then, and can be undone until then."""
    erased_at: str | None
    """Since when nothing is left but what ``held`` names. It is gone when the hold ends."""
    held: Sequence[Held]
    """Documents that a legal hold keeps from being erased, and the reference of its order; the first twenty."""


@get(PAGE, operation_id="ShowErasure")
async def erasure_page(
    request: AnyRequest, wiring: NamedDependency[Wiring], citizen: NamedDependency[Citizen]
) -> Response[str]:
    return await _page(request, wiring, citizen)


@post(PAGE, operation_id="AskForErasure", request_max_body_size=_FORM_MAX_BYTES)
async def ask_page(
    request: AnyRequest, wiring: NamedDependency[Wiring], citizen: NamedDependency[Citizen]
) -> Response[str] | Response[bytes]:
    form = await checked_form(request, wiring)
    need_fresh_session(citizen, return_to=PAGE)
    if form.get("sure") != "on":
        return await _page(request, wiring, citizen, status=422, unsure=True)
    await ask(
        wiring.db,
        wiring.audit,
        owner=citizen.owner,
        by="citizen",
        actor=citizen.owner,
        wait_s=wiring.settings.erasure_wait_s,
    )
    return see_other(PAGE)


@post(f"{PAGE}/undone", operation_id="UndoErasure", request_max_body_size=_FORM_MAX_BYTES)
async def undo_page(
    request: AnyRequest, wiring: NamedDependency[Wiring], citizen: NamedDependency[Citizen]
) -> Response[bytes]:
    await checked_form(request, wiring)
    await withdraw(wiring.db, wiring.audit, owner=citizen.owner, by="citizen", actor=citizen.owner)
    return see_other(PAGE)


@get("/v1/erasure", operation_id="ReadErasure", opt=_OPT, tags=_TAGS, responses=problems(401, 403, 404, 503))
async def api_read(wiring: NamedDependency[Wiring], caller: NamedDependency[CitizenCaller]) -> ErasureMessage:
    """The erasure that was asked for. Scope ``documents:erase``."""
    found = await store.find(wiring.db, owner=caller.owner)
    if found is None:
        raise NothingToUndo
    return await _message(wiring, caller.owner, found)


@post(
    "/v1/erasure",
    operation_id="CreateErasure",
    status_code=202,
    opt=_OPT,
    tags=_TAGS,
    responses=problems(401, 403, 410, 422, 503),
    request_max_body_size=_FORM_MAX_BYTES,
)
async def api_ask(
    request: AnyRequest, wiring: NamedDependency[Wiring], caller: NamedDependency[CitizenCaller]
) -> Response[ErasureMessage]:
    """Have the whole locker erased, after the waiting time; what the law holds, when the hold ends. The citizen must
    have signed in within five minutes (RFC 9470); not somebody who acts for them. No body."""
    need_own_token(caller)
    need_fresh_token(caller)
    if await request.body():
        raise Invalid("no body is needed")
    asked = await ask(
        wiring.db,
        wiring.audit,
        owner=caller.owner,
        by="client",
        actor=caller.client_id,
        wait_s=wiring.settings.erasure_wait_s,
    )
    return Response(await _message(wiring, caller.owner, asked))


@delete(
    "/v1/erasure",
    operation_id="WithdrawErasure",
    opt=_OPT,
    tags=_TAGS,
    status_code=204,
    responses=problems(401, 403, 404, 503),
)
async def api_undo(wiring: NamedDependency[Wiring], caller: NamedDependency[CitizenCaller]) -> None:
    """Undo it, until it begins."""
    await withdraw(wiring.db, wiring.audit, owner=caller.owner, by="client", actor=caller.client_id)


async def _page(
    request: AnyRequest, wiring: Wiring, citizen: Citizen, *, status: int = 200, unsure: bool = False
) -> Response[str]:
    return page(
        request,
        wiring,
        "locker/erasing/erasure.html",
        citizen=citizen,
        status=status,
        path=PAGE,
        erasure=await store.find(wiring.db, owner=citizen.owner),
        held=await store.holds(wiring.db, owner=citizen.owner, limit=_SHOWN_MAX),
        fresh=just_signed_in(citizen),
        unsure=unsure,
        wait_days=wiring.settings.erasure_wait_s // 86_400,
        sign_in_again=f"/sign-in?return_to={PAGE}&again=true",
    )


async def _message(wiring: Wiring, owner: str, erasure: Erasure) -> ErasureMessage:
    return ErasureMessage(
        asked_at=erasure.asked_at.isoformat(),
        due_at=erasure.due_at.isoformat(),
        erased_at=erasure.parted_at.isoformat() if erasure.parted_at else None,
        held=await store.holds(wiring.db, owner=owner, limit=_SHOWN_MAX),
    )


ROUTES = [erasure_page, ask_page, undo_page, api_read, api_ask, api_undo]
