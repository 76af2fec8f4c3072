"""What the holder of a link meets of a citizen's own files: pictures that we drew, and a copy without metadata."""

from functools import partial
from typing import Any

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath

from kit.audit import AuditEvent
from kit.db import Tx
from kit.throttle import Limit
from locker.documents.content_disposition import attachment
from locker.documents.send_bytes import SANDBOX
from locker.home.frame import AnyRequest, locale
from locker.rendering.placeholder import placeholder
from locker.rendering.refusals import NoPreview
from locker.shares.as_closed import as_closed
from locker.shares.link_routes import viewing_of
from locker.shares.look_at import DOWNLOADS, find_opening, hold_opening, watermark
from locker.shares.refusals import NoOriginal, ShareClosed
from locker.shares.schema import Opening
from locker.uploads.schema import EXTENSIONS, HeldUpload
from locker.uploads.send import picture
from locker.uploads.shared import PICTURES_MAX, cleaned, shared_one
from locker.wiring import Wiring

_PICTURES = Limit("shared-pictures", attempts=120, per_s=60)
"""By opening: each is made anew, and may cost a worker seconds."""


@get("/o/{opening_id:str}/uploads/{upload_id:str}/pages/{picture:str}", operation_id="ShowSharedUpload")
async def shared_picture(
    opening_id: FromPath[str],
    upload_id: FromPath[str],
    picture: FromPath[str],
    request: AnyRequest,
    wiring: NamedDependency[Wiring],
) -> Response[bytes]:
    opening, held = await _found(wiring, request, opening_id, upload_id)
    await wiring.throttle.count(wiring.db, _PICTURES, opening.opening_id)
    marks = watermark(opening) if opening.view_only else ()
    try:
        with as_closed():
            png = await _picture(wiring, held, picture, marks)
        # To draw it may take seconds; what ended meanwhile is shown no more.
        await _found(wiring, request, opening_id, upload_id)
    except NoPreview:
        spoken = locale(request)
        said = wiring.pages.translator(spoken).gettext(NoPreview.title)
        return Response(placeholder(said, spoken.direction), status_code=404, media_type="image/svg+xml")
    return Response(png, media_type="image/png", headers={"Cache-Control": "private, no-store"})


@get("/o/{opening_id:str}/uploads/{upload_id:str}/file", operation_id="DownloadSharedUpload")
async def shared_file(
    opening_id: FromPath[str], upload_id: FromPath[str], request: AnyRequest, wiring: NamedDependency[Wiring]
) -> Response[Any]:
    """Without EXIF, GPS, XMP, IPTC, thumbnails, comments and authors; drawn anew where it is a picture."""
    opening, held = await _found(wiring, request, opening_id, upload_id)
    await wiring.throttle.count(wiring.db, DOWNLOADS, opening.opening_id)
    if opening.view_only:
        await wiring.audit.append(wiring.db, _event(opening, held, NoOriginal.code))
        raise NoOriginal
    with as_closed():
        content = await cleaned(wiring.uploads, held)
    # To draw it may take seconds; what ended meanwhile is given no more.
    await _found(wiring, request, opening_id, upload_id)
    await wiring.db.transact(partial(_take, wiring, opening_id, viewing_of(request), upload_id))
    return Response(
        content,
        media_type=held.media_type,
        headers={
            "Content-Disposition": attachment(f"self-declared {held.upload_id[:8]}", EXTENSIONS[held.media_type]),
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": SANDBOX,
            "Cache-Control": "private, no-store",
        },
    )


async def _picture(wiring: Wiring, held: HeldUpload, name: str, marks: tuple[str, ...]) -> bytes:
    number, dot, kind = name.partition(".")
    if (dot, kind) != (".", "png") or not number.isascii() or not number.isdigit() or len(number) > 4:
        raise ShareClosed
    if int(number) > PICTURES_MAX:
        raise NoPreview
    return await picture(wiring.uploads, wiring.pictures, held, page=int(number), watermark=marks)


async def _take(wiring: Wiring, opening_id: str, viewing: str | None, upload_id: str, tx: Tx) -> None:
    opening = await hold_opening(tx, opening_id, viewing)
    held = await shared_one(tx, owner=opening.owner, share_id=opening.share_id, upload_id=upload_id)
    if held is None:
        raise ShareClosed
    await wiring.audit.append(tx, _event(opening, held, "ok"))


async def _found(wiring: Wiring, request: AnyRequest, opening_id: str, upload_id: str) -> tuple[Opening, HeldUpload]:
    """Another file of the same citizen, and one that went to the bin since, are ShareClosed (K-12)."""
    opening = await find_opening(wiring.db, wiring.provider, opening_id, viewing_of(request))
    held = await shared_one(wiring.db, owner=opening.owner, share_id=opening.share_id, upload_id=upload_id)
    if held is None:
        raise ShareClosed
    return opening, held


def _event(opening: Opening, held: HeldUpload, result: str) -> AuditEvent:
    return AuditEvent(
        action="share.downloaded",
        actor_kind="client" if opening.client_id else "anonymous",
        actor=opening.client_id or "",
        owner=opening.owner,
        object_id=opening.share_id,
        purpose=opening.purpose,
        result=result,
        detail={"opening": opening.opening_id, "uploads": [held.upload_id]},
    )


ROUTES: list[Any] = [shared_picture, shared_file]
