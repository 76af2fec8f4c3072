from typing import Any

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath

from locker.access.bearer import ClientCaller
from locker.administrations.identify import identify
from locker.deposits.body import Body, content_length, frames, idempotency_key
from locker.deposits.deposit import deposit
from locker.deposits.find_deposit import find_deposit
from locker.deposits.openapi import DepositOperation
from locker.deposits.schema import Deposited, DepositRecord, Quarantined
from locker.problem import problems
from locker.wiring import Wiring

_OPT = {"scope": "documents:deposit"}


@post(
    "/v1/deposits",
    operation_id="Deposit",
    operation_class=DepositOperation,
    status_code=201,
    responses={
        201: ResponseSpec(Deposited, description="Deposited, or deposited before under this key."),
        202: ResponseSpec(
            Quarantined, description="Kept, and judged again: revocation data has not arrived, or no scanner answers."
        ),
        **problems(400, 401, 403, 408, 409, 410, 413, 415, 422, 429, 502, 503, 507),
    },
    opt=_OPT,
    tags=["administrations"],
    # Counted part by part as it streams; never in memory.
    request_max_body_size=None,
)
async def deposit_document(
    request: Request[Any, Any, Any], wiring: NamedDependency[Wiring], client: NamedDependency[ClientCaller]
) -> Response[Deposited | Quarantined]:
    """Hand a sealed document over to a citizen's vault.

    multipart/form-data with two parts in any order: ``document`` (application/pdf) and ``deposit`` (application/json, a
    DepositRequest); and, where signed data comes with the PDF, ``data`` and perhaps ``data_signature``: judged as the
    PDF is, accepted or refused with it (``part`` says which was not authentic). ``Idempotency-Key`` is required.
    ``Repr-Digest`` (sha-256, of the body or of the PDF) is checked where it is sent. 202: the seal cannot be judged
    before revocation data arrives, or no scanner could look at it; there is no document yet, and the address in
    ``Location`` says how it stands.
    """
    headers = request.headers
    deposited = await deposit(
        wiring.deposits,
        Body(
            frames=frames(request),
            content_type=headers.get("content-type", ""),
            content_length=content_length(headers.get("content-length")),
            repr_digest=headers.get("repr-digest") or headers.get("content-digest"),
        ),
        client_id=client.client_id,
        idempotency_key=idempotency_key(headers.get("idempotency-key")),
    )
    return Response(
        deposited,
        status_code=201 if isinstance(deposited, Deposited) else 202,
        headers={"Location": f"{wiring.settings.locker_url}/v1/deposits/{deposited.document_id}"},
    )


@get(
    "/v1/deposits/{document_id:str}",
    operation_id="ReadDeposit",
    responses=problems(401, 403, 404, 503),
    opt=_OPT,
    tags=["administrations"],
)
async def read_deposit(
    document_id: FromPath[str], wiring: NamedDependency[Wiring], client: NamedDependency[ClientCaller]
) -> Response[DepositRecord]:
    """What you deposited and how it stands: never its contents, its fields or whose it is."""
    depositor = await identify(wiring.db, client_id=client.client_id)
    found = await find_deposit(
        wiring.db,
        wiring.signing,
        document_id,
        administration=depositor.administration,
        locker_url=wiring.settings.locker_url,
    )
    return Response(found, headers={"ETag": f'"{found.revision}"'})


ROUTES: list[Any] = [deposit_document, read_deposit]
