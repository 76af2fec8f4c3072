from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath
from msgspec import ValidationError

from kit.edge import address_prefix
from kit.errors import Invalid
from kit.i18n import Message
from kit.throttle import Limit
from locker.access.bearer import CitizenCaller, ClientCaller
from locker.access.schema import Citizen
from locker.access.step_up import need_own_token
from locker.documents.schema import name_in
from locker.home.body import decoded
from locker.home.frame import AnyRequest, checked_form, locale, page, prober, see_other
from locker.problem import problems
from locker.requests import store
from locker.requests.answer import answer
from locker.requests.ask import ask, find_request
from locker.requests.look_at import look_at
from locker.requests.openapi import AnswerOperation, AskOperation, TakeOperation
from locker.requests.refusals import RequestChanged
from locker.requests.schema import (
    Answered,
    AuthorizedMessage,
    DocumentRequest,
    Figures,
    LockerDocument,
    NewRequest,
    RequestAnswer,
    RequestForCitizen,
    RequestMessage,
)
from locker.requests.sealed_link import SealedLinks
from locker.requests.take_authorized import take_authorized
from locker.requests.views import asked_views
from locker.shares.create import Sharer
from locker.shares.schema import LIFETIME_S
from locker.wiring import Wiring

_FIGURES = Limit("request-figures", attempts=60, per_s=60)
_FIGURES_MONTHS, _FIGURES_MAX = 12, 1_000
_FORM_MAX_BYTES = 16_384
_ASKS = {"scope": "documents:request"}
_ANSWERS = {"scope": "documents:share"}


@post(
    "/v1/requests",
    operation_id="AskForDocuments",
    operation_class=AskOperation,
    opt=_ASKS,
    tags=["relying parties"],
    responses=problems(400, 401, 403, 404, 422, 429, 503),
)
async def api_ask(
    request: AnyRequest, wiring: NamedDependency[Wiring], client: NamedDependency[ClientCaller]
) -> Response[RequestMessage]:
    """Ask somebody for documents or fields, for a purpose that is registered for you. Show ``url`` as a link or as a QR
    code; whoever opens it and is signed in decides. Scope ``documents:request``."""
    new = await decoded(request, NewRequest)
    made, token = await ask(wiring.db, wiring.audit, wiring.throttle, new, client_id=client.client_id)
    base = wiring.settings.locker_url
    message = RequestMessage(
        request_id=made.request_id, state=made.state, expires_at=made.expires_at, url=f"{base}/r/{token}"
    )
    return Response(message, status_code=201, headers={"Location": f"{base}/v1/requests/{made.request_id}"})


@post(
    "/v1/requests/authorized",
    operation_id="TakeAuthorized",
    operation_class=TakeOperation,
    tags=["relying parties"],
    responses={
        200: ResponseSpec(AuthorizedMessage, description="Taken before: the same share."),
        201: ResponseSpec(AuthorizedMessage, description="A share that only you can open."),
        **problems(400, 401, 403, 404, 409, 410, 422, 429, 503),
    },
)
async def api_take(request: AnyRequest, wiring: NamedDependency[Wiring]) -> Response[AuthorizedMessage]:
    """Take what a citizen allowed you at sign-in. The access token is the citizen's, for this locker; the body is the
    detail as the token response has it. What you get is a share that only you can open, with an access token of your
    own, while the citizen's connection with you stands. Again: the same share."""
    caller, granted = await wiring.bearer.granted(request)
    detail = await decoded(request, LockerDocument)
    taken = await take_authorized(
        wiring.shares, _links(wiring), detail, caller=caller, granted=granted, locale=locale(request)
    )
    message = AuthorizedMessage(
        share=f"{wiring.settings.locker_url}/s/{taken.token}", until=taken.until, missing=taken.missing
    )
    return Response(message, status_code=201 if taken.is_new else 200, headers={"Cache-Control": "no-store"})


@get(
    "/v1/requests/{request_id:str}",
    operation_id="ReadRequest",
    opt=_ASKS,
    tags=["relying parties"],
    responses=problems(401, 403, 404, 503),
)
async def api_request(
    request_id: FromPath[str], wiring: NamedDependency[Wiring], client: NamedDependency[ClientCaller]
) -> RequestMessage:
    """Whether it was answered. What was given is a share that only you can open, with an access token of yours."""
    return _message(wiring, await find_request(wiring.db, request_id=request_id, client_id=client.client_id))


@get(
    "/v1/request-figures",
    operation_id="ReadRequestFigures",
    tags=["relying parties"],
    responses=problems(429, 503),
)
async def api_figures(request: AnyRequest, wiring: NamedDependency[Wiring]) -> Figures:
    """For everybody: by relying party and month how much was asked for, given and declined, and how many requests were
    refused because they were wider than what is registered. The last twelve months."""
    await wiring.throttle.count(wiring.db, _FIGURES, address_prefix(prober(request)))
    return Figures(figures=await store.figures(wiring.db, months=_FIGURES_MONTHS, limit=_FIGURES_MAX))


@get(
    "/v1/asked/{token:str}",
    operation_id="LookAtRequest",
    opt=_ANSWERS,
    tags=["wallet apps"],
    responses=problems(401, 403, 404, 429, 503),
)
async def api_look(
    token: FromPath[str], wiring: NamedDependency[Wiring], caller: NamedDependency[CitizenCaller]
) -> RequestForCitizen:
    """Who asks the token's citizen for what, and what of it is new since the last time. ``token`` is the last part of
    the address that was shown. Scope ``documents:share``."""
    return await look_at(wiring.db, wiring.throttle, token, owner=caller.owner)


@post(
    "/v1/asked/{token:str}",
    operation_id="AnswerRequest",
    operation_class=AnswerOperation,
    opt=_ANSWERS,
    tags=["wallet apps"],
    status_code=200,
    responses=problems(400, 401, 403, 404, 409, 422, 429, 503),
)
async def api_answer(
    token: FromPath[str],
    request: AnyRequest,
    wiring: NamedDependency[Wiring],
    caller: NamedDependency[CitizenCaller],
) -> Answered:
    """Give what was asked for, or a part of it, or decline: once. Not for somebody who acts for the citizen."""
    need_own_token(caller)
    given = await decoded(request, RequestAnswer)
    sharer = Sharer(owner=caller.owner, kind="client", actor=caller.client_id)
    return await answer(wiring.shares, _links(wiring), token, given, sharer=sharer, locale=locale(request))


@get("/r/{token:str}", operation_id="ShowRequest")
async def show(
    token: FromPath[str], request: AnyRequest, wiring: NamedDependency[Wiring], citizen: NamedDependency[Citizen]
) -> Response[str]:
    asked = await look_at(wiring.db, wiring.throttle, token, owner=citizen.owner)
    return _page(request, wiring, citizen, asked, token)


@post("/r/{token:str}", operation_id="SayAnswer", request_max_body_size=_FORM_MAX_BYTES)
async def say_answer(
    token: FromPath[str], request: AnyRequest, wiring: NamedDependency[Wiring], citizen: NamedDependency[Citizen]
) -> Response[Any]:
    form = await checked_form(request, wiring)
    asked = await look_at(wiring.db, wiring.throttle, token, owner=citizen.owner)
    chosen = {}
    if form.get("decision") == "give":
        if form.get("seen") != str(asked.purpose_version):
            return _page(request, wiring, citizen, asked, token, refusal=RequestChanged())
        values = {each.asked.type: str(form.get(f"document-{each.asked.type}", "")) for each in asked.documents}
        chosen = {type_: document_id for type_, document_id in values.items() if document_id}
        if not chosen:
            return _page(request, wiring, citizen, asked, token, nothing_chosen=True)
    try:
        given = msgspec.convert({"documents": chosen, "purpose_version": asked.purpose_version}, RequestAnswer)
    except ValidationError:
        raise Invalid("document") from None
    sharer = Sharer(owner=citizen.owner, actor=citizen.owner)
    done = await answer(wiring.shares, _links(wiring), token, given, sharer=sharer, locale=locale(request))
    return see_other(f"/wallet/shares/{done.share_id}" if done.share_id else "/wallet/requests/declined")


@get("/wallet/requests/declined", operation_id="ShowDeclined")
async def declined(
    request: AnyRequest, wiring: NamedDependency[Wiring], citizen: NamedDependency[Citizen]
) -> Response[str]:
    return page(request, wiring, "locker/requests/declined.html", citizen=citizen)


def _page(
    request: AnyRequest,
    wiring: Wiring,
    citizen: Citizen,
    asked: RequestForCitizen,
    token: str,
    *,
    nothing_chosen: bool = False,
    refusal: RequestChanged | None = None,
) -> Response[str]:
    spoken = locale(request)
    views = asked_views(asked, spoken)
    return page(
        request,
        wiring,
        "locker/requests/request.html",
        citizen=citizen,
        status=refusal.status if refusal else 422 if nothing_chosen else 200,
        path=f"/r/{token}",
        token=token,
        name=name_in(asked.names, spoken),
        purpose=name_in(asked.purpose, spoken),
        asked_before=asked.asked_before,
        grown=any(view.is_new or any(new for _label, new in view.fields) for view in views),
        documents=views,
        can_give=any(view.options for view in views),
        client_id=asked.client_id,
        days=max(1, min(LIFETIME_S, wiring.shares.lifetime_max_s) // 86_400),
        seen=str(asked.purpose_version),
        nothing_chosen=nothing_chosen,
        errors={"": Message(refusal.title)} if refusal else {},
    )


def _message(wiring: Wiring, found: DocumentRequest) -> RequestMessage:
    share = None
    if found.link_sealed is not None:
        token = _links(wiring).open(found.link_sealed, of=found.request_id)
        share = f"{wiring.settings.locker_url}/s/{token}"
    return RequestMessage(request_id=found.request_id, state=found.state, expires_at=found.expires_at, share=share)


def _links(wiring: Wiring) -> SealedLinks:
    return SealedLinks(wiring.settings.secret)


ROUTES: list[Any] = [api_ask, api_take, api_request, api_figures, api_look, api_answer, show, say_answer, declined]
