"""For wallet apps, with a token of the citizen."""

from typing import Annotated, Any

from litestar import Response, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, QueryParameter

from locker.access.bearer import CitizenCaller
from locker.deposits.body import content_length, frames, idempotency_key
from locker.home.frame import AnyRequest
from locker.problem import problems
from locker.uploads import bin as bin_
from locker.uploads.desk import Uploader
from locker.uploads.list_uploads import PAGE_MAX, list_uploads
from locker.uploads.openapi import UploadOperation
from locker.uploads.read import find, message, name_of, open_upload
from locker.uploads.receive import receive
from locker.uploads.schema import Upload, UploadPage
from locker.uploads.send import send_file
from locker.uploads.upload import upload
from locker.wiring import Wiring

_OPT = {"scope": "documents:upload"}
_TAGS = ["wallet apps"]


@get("/v1/uploads", operation_id="ListUploads", opt=_OPT, tags=_TAGS, responses=problems(400, 401, 403, 502, 503))
async def api_uploads(
    wiring: NamedDependency[Wiring],
    caller: NamedDependency[CitizenCaller],
    bin: FromQuery[bool] = False,  # noqa: A002 - its name in the address
    after: FromQuery[str | None] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=PAGE_MAX)] = 50,
) -> UploadPage:
    """Files that the citizen put here, newest first; with ``bin=true`` those that were deleted and can be restored.

    They are self-declared: no administration issued them, and they are never among ``/v1/documents``.
    """
    return await list_uploads(
        wiring.db,
        wiring.vault,
        wiring.cursors,
        wiring.uploads.limits,
        owner=caller.owner,
        binned=bin,
        after=after,
        limit=limit,
    )


@post(
    "/v1/uploads",
    operation_id="Upload",
    operation_class=UploadOperation,
    status_code=201,
    opt=_OPT,
    tags=_TAGS,
    responses=problems(400, 401, 403, 408, 409, 410, 413, 422, 429, 502, 503, 507),
    # Counted as it streams; never in memory.
    request_max_body_size=None,
)
async def api_upload(
    request: AnyRequest, wiring: NamedDependency[Wiring], caller: NamedDependency[CitizenCaller]
) -> Response[Upload]:
    """Keep a file of the citizen's own: a PDF, JPEG or PNG. ``Idempotency-Key`` is required.

    ``state`` says whether it may be read: ``pending-scan`` until a scanner has looked at it, ``quarantined`` where it
    found harmful software.
    """
    key = idempotency_key(request.headers.get("idempotency-key"))
    desk = wiring.uploads
    with desk.places:
        async with receive(
            frames(request),
            content_type=request.headers.get("content-type", ""),
            content_length=content_length(request.headers.get("content-length")),
            limits=desk.limits.receive,
        ) as received:
            held = await upload(desk, received, _uploader(caller), idempotency_key=key)
    return Response(
        await message(wiring.vault, held),
        status_code=201,
        headers={"Location": f"{wiring.settings.locker_url}/v1/uploads/{held.upload_id}"},
    )


@get(
    "/v1/uploads/{upload_id:str}",
    operation_id="ReadUpload",
    opt=_OPT,
    tags=_TAGS,
    responses=problems(401, 403, 404, 502, 503),
)
async def api_read(
    upload_id: FromPath[str], wiring: NamedDependency[Wiring], caller: NamedDependency[CitizenCaller]
) -> Upload:
    return await message(wiring.vault, await find(wiring.db, owner=caller.owner, upload_id=upload_id))


@get(
    "/v1/uploads/{upload_id:str}/file",
    operation_id="GetUploadFile",
    opt=_OPT,
    tags=_TAGS,
    responses=problems(401, 403, 404, 409, 502, 503),
)
async def api_file(
    upload_id: FromPath[str],
    request: AnyRequest,
    wiring: NamedDependency[Wiring],
    caller: NamedDependency[CitizenCaller],
) -> Response[Any]:
    """The bytes that were uploaded; Range is understood. Not of what waits for a scan, is quarantined or in the bin."""
    held = await open_upload(wiring.uploads, _uploader(caller), upload_id, action="upload.downloaded")
    return await send_file(request, wiring.uploads, held, name=await name_of(wiring.vault, held))


@delete(
    "/v1/uploads/{upload_id:str}",
    operation_id="DeleteUpload",
    opt=_OPT,
    tags=_TAGS,
    responses=problems(401, 403, 404, 503),
)
async def api_delete(
    upload_id: FromPath[str],
    wiring: NamedDependency[Wiring],
    caller: NamedDependency[CitizenCaller],
    for_good: FromQuery[bool] = False,
) -> None:
    """To the bin, until ``gone_after``; with ``for_good=true``, what is in the bin is destroyed now."""
    act = bin_.destroy if for_good else bin_.delete
    await act(wiring.uploads, _uploader(caller), upload_id)


@post(
    "/v1/uploads/{upload_id:str}/restore",
    operation_id="RestoreUpload",
    status_code=200,
    opt=_OPT,
    tags=_TAGS,
    responses=problems(401, 403, 404, 502, 503),
)
async def api_restore(
    upload_id: FromPath[str], wiring: NamedDependency[Wiring], caller: NamedDependency[CitizenCaller]
) -> Upload:
    """Back from the bin."""
    await bin_.restore(wiring.uploads, _uploader(caller), upload_id)
    return await message(wiring.vault, await find(wiring.db, owner=caller.owner, upload_id=upload_id))


def _uploader(caller: CitizenCaller) -> Uploader:
    return Uploader(owner=caller.owner, kind="client", actor=caller.client_id)


ROUTES: list[Any] = [api_uploads, api_upload, api_read, api_file, api_delete, api_restore]
