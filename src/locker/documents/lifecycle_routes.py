from typing import Any

import msgspec
from litestar import Request, Response, post
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath

from locker.access.bearer import ClientCaller
from locker.administrations.identify import identify
from locker.deposits.body import idempotency_key
from locker.documents import change_state
from locker.documents.lifecycle_openapi import RevokeOperation, RevokeReferenceOperation, SuspendOperation
from locker.documents.record_schema import (
    Acting,
    Awaited,
    DocumentState,
    ReferenceRevocation,
    Revocation,
    Suspension,
)
from locker.documents.revoke_reference import revoke_reference
from locker.home.body import decoded
from locker.problem import problems
from locker.wiring import Wiring

_REFUSED = problems(400, 401, 403, 404, 409, 412, 422, 503)
_OPT = {"scope": "documents:deposit"}


class StateMessage(msgspec.Struct, frozen=True, kw_only=True):
    document_id: str
    uri: str
    state: str
    state_reason: str | None
    state_changed_at: str
    revision: int
    """Also the ETag: what ``If-Match`` names."""

    @classmethod
    def of(cls, state: DocumentState) -> "StateMessage":
        return cls(
            document_id=state.document_id,
            uri=state.uri,
            state=state.state,
            state_reason=state.state_reason,
            state_changed_at=state.state_changed_at.isoformat(),
            revision=state.revision,
        )


@post(
    "/v1/documents/{document_id:str}/revoke",
    operation_id="RevokeDocument",
    operation_class=RevokeOperation,
    status_code=200,
    responses=_REFUSED,
    opt=_OPT,
    tags=["administrations"],
)
async def revoke(
    document_id: FromPath[str],
    request: Request[Any, Any, Any],
    wiring: NamedDependency[Wiring],
    client: NamedDependency[ClientCaller],
) -> Response[StateMessage]:
    """Say for good that a document you deposited no longer holds. Live shares show it at once."""
    revocation = await decoded(request, Revocation)
    acting = await _acting(request, wiring, client)
    return _answer(await change_state.revoke(wiring.db, wiring.audit, document_id, acting, reason=revocation.reason))


@post(
    "/v1/documents/{document_id:str}/suspend",
    operation_id="SuspendDocument",
    operation_class=SuspendOperation,
    status_code=200,
    responses=_REFUSED | problems(429),
    opt=_OPT,
    tags=["administrations"],
)
async def suspend(
    document_id: FromPath[str],
    request: Request[Any, Any, Any],
    wiring: NamedDependency[Wiring],
    client: NamedDependency[ClientCaller],
) -> Response[StateMessage]:
    """Say that a document you deposited does not hold until you resume it."""
    suspension = await decoded(request, Suspension)
    acting = await _acting(request, wiring, client)
    return _answer(
        await change_state.suspend(
            wiring.db, wiring.audit, wiring.throttle, document_id, acting, reason=suspension.reason
        )
    )


@post(
    "/v1/documents/{document_id:str}/resume",
    operation_id="ResumeDocument",
    status_code=200,
    responses=_REFUSED,
    opt=_OPT,
    tags=["administrations"],
)
async def resume(
    document_id: FromPath[str],
    request: Request[Any, Any, Any],
    wiring: NamedDependency[Wiring],
    client: NamedDependency[ClientCaller],
) -> Response[StateMessage]:
    """End a suspension."""
    acting = await _acting(request, wiring, client)
    return _answer(await change_state.resume(wiring.db, wiring.audit, document_id, acting))


@post(
    "/v1/revocations",
    operation_id="RevokeReference",
    operation_class=RevokeReferenceOperation,
    status_code=200,
    responses={
        202: ResponseSpec(
            Awaited, description="Nothing was deposited under this reference yet; what comes is revoked."
        ),
        **problems(400, 401, 403, 404, 409, 422, 503),
    },
    opt=_OPT,
    tags=["administrations"],
)
async def revoke_by_reference(
    request: Request[Any, Any, Any], wiring: NamedDependency[Wiring], client: NamedDependency[ClientCaller]
) -> Response[StateMessage | Awaited]:
    """Say by your own reference that a document does not hold, in whatever order your events arrive here."""
    asked = await decoded(request, ReferenceRevocation)
    acting = await _acting(request, wiring, client)
    found = await revoke_reference(wiring.db, wiring.audit, acting, asked)
    if isinstance(found, Awaited):
        return Response(found, status_code=202)
    return Response(StateMessage.of(found), headers={"ETag": f'"{found.revision}"'})


async def _acting(request: Request[Any, Any, Any], wiring: Wiring, client: ClientCaller) -> Acting:
    """``Idempotency-Key`` and ``If-Match`` are understood and not required: a change says whole what shall be."""
    depositor = await identify(wiring.db, client_id=client.client_id)
    key = request.headers.get("idempotency-key")
    return Acting(
        administration=depositor.administration,
        client_id=client.client_id,
        idempotency_key=None if key is None else idempotency_key(key),
        if_match=request.headers.get("if-match"),
    )


def _answer(state: DocumentState) -> Response[StateMessage]:
    return Response(StateMessage.of(state), headers={"ETag": f'"{state.revision}"'})


ROUTES: list[Any] = [revoke, suspend, resume, revoke_by_reference]
