"""For wallet apps, with a token of the citizen."""

from typing import Annotated

from litestar import Response, delete, get, patch, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, QueryParameter

from locker.access.bearer import CitizenCaller
from locker.access.step_up import need_own_token
from locker.home.body import decoded
from locker.home.frame import AnyRequest
from locker.problem import problems
from locker.shares.create import Sharer, create
from locker.shares.list_shares import PAGE_MAX, find_share, list_shares
from locker.shares.narrow import narrow
from locker.shares.openapi import CreateShareOperation, NarrowShareOperation
from locker.shares.revoke import revoke
from locker.shares.revoke_all import revoke_all
from locker.shares.schema import CreatedMessage, Narrowing, NewShare, Share, SharePage
from locker.wiring import Wiring

_OPT = {"scope": "documents:share"}
_TAGS = ["wallet apps"]


@get("/v1/shares", operation_id="ListShares", opt=_OPT, tags=_TAGS, responses=problems(400, 401, 403, 503))
async def api_shares(
    wiring: NamedDependency[Wiring],
    caller: NamedDependency[CitizenCaller],
    live: FromQuery[bool] = True,
    after: FromQuery[str | None] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=PAGE_MAX)] = 50,
) -> SharePage:
    """Shares of the token's citizen, newest first; with ``live=false`` also those that are over."""
    return await list_shares(wiring.db, wiring.cursors, owner=caller.owner, live_only=live, after=after, limit=limit)


@post(
    "/v1/shares",
    operation_id="CreateShare",
    operation_class=CreateShareOperation,
    opt=_OPT,
    tags=_TAGS,
    responses=problems(400, 401, 403, 404, 422, 429, 503),
)
async def api_create(
    request: AnyRequest, wiring: NamedDependency[Wiring], caller: NamedDependency[CitizenCaller]
) -> Response[CreatedMessage]:
    """Share documents, or some fields of them, by a link. Its address is said once.

    Not for somebody who acts for the citizen: the share would outlive the mandate.
    """
    need_own_token(caller)
    new = await decoded(request, NewShare)
    created = await create(wiring.shares, new, sharer=_sharer(caller))
    base = wiring.settings.locker_url
    message = CreatedMessage(
        share_id=created.share_id, url=f"{base}/s/{created.token}", code=created.code, until=created.until
    )
    return Response(message, status_code=201, headers={"Location": f"{base}/v1/shares/{created.share_id}"})


@get(
    "/v1/shares/{share_id:str}",
    operation_id="ReadShare",
    opt=_OPT,
    tags=_TAGS,
    responses=problems(401, 403, 404, 503),
)
async def api_share(
    share_id: FromPath[str], wiring: NamedDependency[Wiring], caller: NamedDependency[CitizenCaller]
) -> Share:
    return await find_share(wiring.db, owner=caller.owner, share_id=share_id)


@patch(
    "/v1/shares/{share_id:str}",
    operation_id="NarrowShare",
    operation_class=NarrowShareOperation,
    opt=_OPT,
    tags=_TAGS,
    responses=problems(400, 401, 403, 404, 422, 503),
)
async def api_narrow(
    share_id: FromPath[str],
    request: AnyRequest,
    wiring: NamedDependency[Wiring],
    caller: NamedDependency[CitizenCaller],
) -> Share:
    """Make a living share narrower: an earlier end, fewer openings. It never becomes wider."""
    narrowing = await decoded(request, Narrowing)
    return await narrow(wiring.db, wiring.audit, narrowing, sharer=_sharer(caller), share_id=share_id)


@delete(
    "/v1/shares/{share_id:str}",
    operation_id="RevokeShare",
    opt=_OPT,
    tags=_TAGS,
    responses=problems(401, 403, 404, 503),
)
async def api_revoke(
    share_id: FromPath[str], wiring: NamedDependency[Wiring], caller: NamedDependency[CitizenCaller]
) -> None:
    """End a share. The link opens nothing from the next request on."""
    await revoke(wiring.db, wiring.audit, sharer=_sharer(caller), share_id=share_id)


@delete("/v1/shares", operation_id="RevokeAllShares", opt=_OPT, tags=_TAGS, responses=problems(401, 403, 503))
async def api_revoke_all(wiring: NamedDependency[Wiring], caller: NamedDependency[CitizenCaller]) -> None:
    """End all shares, with one commit."""
    await revoke_all(wiring.db, wiring.audit, sharer=_sharer(caller))


def _sharer(caller: CitizenCaller) -> Sharer:
    return Sharer(owner=caller.owner, kind="client", actor=caller.client_id)


ROUTES = [api_shares, api_create, api_share, api_narrow, api_revoke, api_revoke_all]
