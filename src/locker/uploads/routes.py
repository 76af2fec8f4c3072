"""The citizen's pages of their own files."""

from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery

from kit.errors import BodyTooLarge, Invalid, Malformed, TooManyRequests
from kit.i18n import Message
from kit.tokens import new_token
from locker.access.schema import Citizen
from locker.access.sessions import SESSION_COOKIE
from locker.deposits.body import content_length, frames, idempotency_key
from locker.deposits.refusals import TooSlow
from locker.home.frame import AnyRequest, checked_form, headers_of, locale, page, see_other
from locker.rendering.placeholder import placeholder
from locker.rendering.refusals import NoPreview
from locker.uploads import bin as bin_
from locker.uploads.desk import Uploader
from locker.uploads.list_uploads import list_uploads
from locker.uploads.read import find, message, name_of, open_upload, refuse_unserved
from locker.uploads.receive import receive
from locker.uploads.refusals import UploadUnknown
from locker.uploads.send import picture, send_file
from locker.uploads.upload import upload
from locker.uploads.views import quota_view, view
from locker.wiring import Wiring

_PAGE = 20


@get("/wallet/uploads", operation_id="ShowUploads")
async def uploads_page(
    request: AnyRequest,
    wiring: NamedDependency[Wiring],
    citizen: NamedDependency[Citizen],
    after: FromQuery[str | None] = None,
) -> Response[str]:
    return await _list_page(request, wiring, citizen, after=after)


@post("/wallet/uploads", operation_id="UploadForm", status_code=200, request_max_body_size=None)
async def upload_form(
    request: AnyRequest, wiring: NamedDependency[Wiring], citizen: NamedDependency[Citizen]
) -> Response[Any]:
    """The form's token comes with the file; who sent it is known before."""
    headers = headers_of(request)
    wiring.csrf.check_source(headers)
    if not headers.get("content-type", "").startswith("multipart/form-data"):
        # Nothing in which our form's token could be.
        wiring.csrf.check(request.cookies.get(SESSION_COOKIE), None, headers)
    desk = wiring.uploads
    try:
        with desk.places:
            async with receive(
                frames(request),
                content_type=headers.get("content-type", ""),
                content_length=content_length(headers.get("content-length")),
                limits=desk.limits.receive,
            ) as received:
                wiring.csrf.check(request.cookies.get(SESSION_COOKIE), received.fields.get("csrf"), headers)
                key = idempotency_key(received.fields.get("key"))
                held = await upload(desk, received, _self(citizen), idempotency_key=key)
    except (Invalid, BodyTooLarge, Malformed, TooManyRequests, TooSlow) as refusal:
        return await _list_page(
            request, wiring, citizen, after=None, errors={"file": Message(refusal.title)}, status=refusal.status
        )
    return see_other(f"/wallet/uploads/{held.upload_id}")


async def _list_page(
    request: AnyRequest,
    wiring: Wiring,
    citizen: Citizen,
    *,
    after: str | None,
    errors: dict[str, Message] | None = None,
    status: int = 200,
) -> Response[str]:
    listed = await _listed(wiring, citizen, after=after, binned=False)
    return page(
        request,
        wiring,
        "locker/uploads/uploads.html",
        citizen=citizen,
        status=status,
        path="/wallet/uploads" if errors else None,
        uploads=[view(one) for one in listed.uploads],
        quota=quota_view(listed.quota),
        size_max_mb=wiring.settings.upload_max_bytes // 1_000_000,
        bin_days=wiring.settings.upload_bin_days,
        key=new_token(),
        first=after is None,
        following=f"/wallet/uploads?after={listed.next}" if listed.next else None,
        errors=errors or {},
    )


@get("/wallet/uploads/bin", operation_id="ShowBin")
async def bin_page(
    request: AnyRequest,
    wiring: NamedDependency[Wiring],
    citizen: NamedDependency[Citizen],
    after: FromQuery[str | None] = None,
) -> Response[str]:
    listed = await _listed(wiring, citizen, after=after, binned=True)
    return page(
        request,
        wiring,
        "locker/uploads/bin.html",
        citizen=citizen,
        uploads=[view(one) for one in listed.uploads],
        bin_days=wiring.settings.upload_bin_days,
        first=after is None,
        following=f"/wallet/uploads/bin?after={listed.next}" if listed.next else None,
    )


@get("/wallet/uploads/{upload_id:str}", operation_id="ShowUpload")
async def upload_page(
    request: AnyRequest, wiring: NamedDependency[Wiring], citizen: NamedDependency[Citizen], upload_id: FromPath[str]
) -> Response[str]:
    held = await find(wiring.db, owner=citizen.owner, upload_id=upload_id)
    if refuse_unserved(held) is None:
        held = await open_upload(wiring.uploads, _self(citizen), upload_id, action="upload.viewed")
    return page(
        request,
        wiring,
        "locker/uploads/upload.html",
        citizen=citizen,
        it=view(await message(wiring.vault, held)),
        bin_days=wiring.settings.upload_bin_days,
    )


@get("/wallet/uploads/{upload_id:str}/file", operation_id="DownloadUpload")
async def upload_file(
    request: AnyRequest, wiring: NamedDependency[Wiring], citizen: NamedDependency[Citizen], upload_id: FromPath[str]
) -> Response[Any]:
    held = await open_upload(wiring.uploads, _self(citizen), upload_id, action="upload.downloaded")
    return await send_file(request, wiring.uploads, held, name=await name_of(wiring.vault, held))


@get("/wallet/uploads/{upload_id:str}/picture.png", operation_id="ShowUploadPicture")
async def upload_picture(
    request: AnyRequest, wiring: NamedDependency[Wiring], citizen: NamedDependency[Citizen], upload_id: FromPath[str]
) -> Response[bytes]:
    """A part of what was written down when the page was opened."""
    held = await find(wiring.db, owner=citizen.owner, upload_id=upload_id)
    if refusal := refuse_unserved(held):
        raise refusal
    try:
        png = await picture(wiring.uploads, wiring.pictures, held, page=1)
    except NoPreview:
        spoken = locale(request)
        said = wiring.pages.translator(spoken).gettext(NoPreview.title)
        return Response(placeholder(said, spoken.direction), status_code=404, media_type="image/svg+xml")
    return Response(png, media_type="image/png", headers={"Cache-Control": "private, no-store"})


@post("/wallet/uploads/{upload_id:str}/delete", operation_id="DeleteUploadForm")
async def delete_form(
    request: AnyRequest, wiring: NamedDependency[Wiring], citizen: NamedDependency[Citizen], upload_id: FromPath[str]
) -> Response[bytes]:
    await checked_form(request, wiring)
    await bin_.delete(wiring.uploads, _self(citizen), upload_id)
    return see_other("/wallet/uploads")


@post("/wallet/uploads/{upload_id:str}/restore", operation_id="RestoreUploadForm")
async def restore_form(
    request: AnyRequest, wiring: NamedDependency[Wiring], citizen: NamedDependency[Citizen], upload_id: FromPath[str]
) -> Response[bytes]:
    await checked_form(request, wiring)
    await bin_.restore(wiring.uploads, _self(citizen), upload_id)
    return see_other(f"/wallet/uploads/{upload_id}")


@post("/wallet/uploads/{upload_id:str}/destroy", operation_id="DestroyUploadForm")
async def destroy_form(
    request: AnyRequest, wiring: NamedDependency[Wiring], citizen: NamedDependency[Citizen], upload_id: FromPath[str]
) -> Response[bytes]:
    await checked_form(request, wiring)
    try:
        await bin_.destroy(wiring.uploads, _self(citizen), upload_id)
    except UploadUnknown:
        # A second click: it is gone.
        return see_other("/wallet/uploads/bin")
    return see_other("/wallet/uploads/bin")


async def _listed(wiring: Wiring, citizen: Citizen, *, after: str | None, binned: bool) -> Any:
    return await list_uploads(
        wiring.db,
        wiring.vault,
        wiring.cursors,
        wiring.uploads.limits,
        owner=citizen.owner,
        binned=binned,
        after=after,
        limit=_PAGE,
    )


def _self(citizen: Citizen) -> Uploader:
    return Uploader(owner=citizen.owner, actor=citizen.owner)


ROUTES: list[Any] = [
    uploads_page,
    upload_form,
    bin_page,
    upload_page,
    upload_file,
    upload_picture,
    delete_form,
    restore_form,
    destroy_form,
]
