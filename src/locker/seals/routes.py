from typing import Annotated, Any

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, QueryParameter
from litestar.response import Stream

from locker.access.bearer import ClientCaller
from locker.deposits.body import Body, content_length, frames, idempotency_key
from locker.documents.content_disposition import attachment
from locker.problem import problems
from locker.seals.find_seal import find_row, find_seal
from locker.seals.open_version import open_version
from locker.seals.openapi import SealOperation
from locker.seals.schema import Sealed
from locker.seals.seal import seal_document
from locker.wiring import Wiring

_OPT = {"scope": "documents:seal"}
_TAGS = ["administrations"]


@post(
    "/v1/seals",
    operation_id="Seal",
    operation_class=SealOperation,
    status_code=201,
    responses={
        201: ResponseSpec(Sealed, description="Sealed, or sealed before under this key."),
        **problems(400, 401, 403, 408, 409, 413, 422, 429, 502, 503, 507),
    },
    opt=_OPT,
    tags=_TAGS,
    # Counted part by part as it streams; never in memory.
    request_max_body_size=None,
)
async def seal(
    request: Request[Any, Any, Any], wiring: NamedDependency[Wiring], client: NamedDependency[ClientCaller]
) -> Response[Sealed]:
    """Have a PDF sealed with the administration's key that the locker keeps (scope ``documents:seal``).

    multipart/form-data with two parts in either order: ``document`` (application/pdf) and ``seal`` (application/json, a
    SealRequest). ``Idempotency-Key`` is required. The sealed file is at ``document`` of the answer. ``pending`` says
    what is still to come: then ask again later at the address in ``Location``.
    """
    headers = request.headers
    sealed = await seal_document(
        wiring.seals,
        Body(
            frames=frames(request),
            content_type=headers.get("content-type", ""),
            content_length=content_length(headers.get("content-length")),
            repr_digest=headers.get("repr-digest") or headers.get("content-digest"),
        ),
        client_id=client.client_id,
        idempotency_key=idempotency_key(headers.get("idempotency-key")),
    )
    address = f"{wiring.settings.locker_url}/v1/seals/{sealed.seal_id}"
    return Response(sealed, status_code=201, headers={"Location": address})


@get(
    "/v1/seals/{seal_id:str}",
    operation_id="ReadSeal",
    responses=problems(401, 403, 404, 503),
    opt=_OPT,
    tags=_TAGS,
)
async def read_seal(
    seal_id: FromPath[str], wiring: NamedDependency[Wiring], client: NamedDependency[ClientCaller]
) -> Sealed:
    """How a seal of yours stands: its level, and what is pending."""
    return await find_seal(wiring.db, seal_id, client_id=client.client_id, locker_url=wiring.settings.locker_url)


@get(
    "/v1/seals/{seal_id:str}/document",
    operation_id="FetchSealedDocument",
    responses={
        200: ResponseSpec(bytes, description="The sealed PDF.", media_type="application/pdf", generate_examples=False),
        **problems(400, 401, 403, 404, 502, 503),
    },
    opt=_OPT,
    tags=_TAGS,
)
async def fetch_document(
    seal_id: FromPath[str],
    wiring: NamedDependency[Wiring],
    client: NamedDependency[ClientCaller],
    version: Annotated[int | None, QueryParameter(ge=1, le=9)] = None,
) -> Response[Any]:
    """The sealed file: the newest version, or the one that is asked for. A later one begins with all of the earlier."""
    row = await find_row(wiring.db, seal_id, client_id=client.client_id)
    found, reading = await open_version(wiring.db, wiring.vault, row, version=version or row.version)
    return Stream(
        reading,
        media_type="application/pdf",
        headers={
            "Content-Length": str(found.stored.length),
            "Content-Disposition": attachment(f"{seal_id[:8]}-{found.level}", "pdf"),
            "Cache-Control": "private, no-store",
            "X-Content-Type-Options": "nosniff",
        },
    )


ROUTES: list[Any] = [seal, read_seal, fetch_document]
