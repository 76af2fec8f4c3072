from typing import Any

from litestar import Response, post
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath

from locker.access.bearer import ClientCaller
from locker.access.schema import Citizen
from locker.deposits.body import idempotency_key
from locker.deposits.schema import Deposited, Quarantined
from locker.documents.read import Reader
from locker.home.frame import AnyRequest, checked_form, see_other
from locker.problem import problems
from locker.references.deposit_reference import deposit_reference
from locker.references.keep_copy import keep_copy
from locker.references.openapi import DepositReferenceOperation
from locker.wiring import Wiring

_BODY_MAX_BYTES = 65_536


@post(
    "/v1/deposits/references",
    operation_id="DepositReference",
    operation_class=DepositReferenceOperation,
    status_code=201,
    responses={
        201: ResponseSpec(Deposited, description="Deposited, or deposited before under this key."),
        202: ResponseSpec(
            Quarantined, description="Kept, and judged again: revocation data has not arrived, or no scanner answers."
        ),
        **problems(400, 401, 403, 409, 410, 413, 422, 429, 502, 503),
    },
    opt={"scope": "documents:deposit"},
    tags=["administrations"],
    request_max_body_size=_BODY_MAX_BYTES,
)
async def deposit_by_reference(
    request: AnyRequest, wiring: NamedDependency[Wiring], client: NamedDependency[ClientCaller]
) -> Response[Deposited | Quarantined]:
    """Deposit a document that you keep: what a deposit says, with its address and digest in the place of its bytes.

    It is fetched at once, by a request that the locker signs (RFC 9421), judged as a deposit is, and from then on each
    time that it is shown and was not fetched within the hour. ``Idempotency-Key`` is required. 202: as a deposit waits.
    """
    deposited = await deposit_reference(
        wiring.references,
        await request.body(),
        client_id=client.client_id,
        idempotency_key=idempotency_key(request.headers.get("idempotency-key")),
    )
    return Response(
        deposited,
        status_code=201 if isinstance(deposited, Deposited) else 202,
        headers={"Location": f"{wiring.settings.locker_url}/v1/deposits/{deposited.document_id}"},
    )


@post("/wallet/documents/{document_id:str}/copy", operation_id="KeepCopy", status_code=303)
async def keep(
    request: AnyRequest, wiring: NamedDependency[Wiring], citizen: NamedDependency[Citizen], document_id: FromPath[str]
) -> Response[bytes]:
    """The citizen's own will: nothing else makes a copy."""
    await checked_form(request, wiring)
    await keep_copy(wiring.references, Reader(owner=citizen.owner, actor=citizen.owner), document_id)
    return see_other(f"/wallet/documents/{document_id}")


ROUTES: list[Any] = [deposit_by_reference, keep]
