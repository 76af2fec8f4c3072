from typing import Any

import msgspec
from litestar import Request, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from locker.access.bearer import ClientCaller
from locker.administrations.identify import identify
from locker.documents import change_state
from locker.documents.lifecycle_openapi import RevokeOperation, SuspendOperation
from locker.documents.record_schema import DocumentState, Revocation, Suspension
from locker.home.body import decoded
from locker.problem import problems
from locker.wiring import Wiring

_REFUSED = problems(400, 401, 403, 404, 409, 422, 503)
_OPT = {"scope": "documents:deposit"}


class StateMessage(msgspec.Struct, frozen=True, kw_only=True):
    document_id: str
    uri: str
    state: str
    state_reason: str | None
    state_changed_at: str

    @classmethod
    def of(cls, state: DocumentState) -> "StateMessage":
        return cls(
            document_id=state.document_id,
            uri=state.uri,
            state=state.state,
            state_reason=state.state_reason,
            state_changed_at=state.state_changed_at.isoformat(),
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
) -> StateMessage:
    """Say for good that a document you deposited no longer holds. Live shares show it at once."""
    revocation = await decoded(request, Revocation)
    depositor = await identify(wiring.db, client_id=client.client_id)
    return StateMessage.of(
        await change_state.revoke(
            wiring.db,
            wiring.audit,
            document_id,
            administration=depositor.administration,
            client_id=client.client_id,
            reason=revocation.reason,
        )
    )


@post(
    "/v1/documents/{document_id:str}/suspend",
    operation_id="SuspendDocument",
    operation_class=SuspendOperation,
    status_code=200,
    responses=_REFUSED,
    opt=_OPT,
    tags=["administrations"],
)
async def suspend(
    document_id: FromPath[str],
    request: Request[Any, Any, Any],
    wiring: NamedDependency[Wiring],
    client: NamedDependency[ClientCaller],
) -> StateMessage:
    """Say that a document you deposited does not hold until you resume it."""
    suspension = await decoded(request, Suspension)
    depositor = await identify(wiring.db, client_id=client.client_id)
    return StateMessage.of(
        await change_state.suspend(
            wiring.db,
            wiring.audit,
            document_id,
            administration=depositor.administration,
            client_id=client.client_id,
            reason=suspension.reason,
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
    document_id: FromPath[str], wiring: NamedDependency[Wiring], client: NamedDependency[ClientCaller]
) -> StateMessage:
    """End a suspension."""
    depositor = await identify(wiring.db, client_id=client.client_id)
    return StateMessage.of(
        await change_state.resume(
            wiring.db,
            wiring.audit,
            document_id,
            administration=depositor.administration,
            client_id=client.client_id,
        )
    )


ROUTES = [revoke, suspend, resume]
