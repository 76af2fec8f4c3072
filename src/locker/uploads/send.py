"""An upload as an HTTP answer, whoever asks: attached, never run, never guessed at (V-22)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from litestar import Request, Response

from kit.own_folder import temporary_folder
from locker.documents.content_disposition import attachment
from locker.documents.send_bytes import send_bytes
from locker.rendering.pictures import Pictures
from locker.rendering.refusals import NoPreview
from locker.uploads.desk import UploadDesk
from locker.uploads.schema import EXTENSIONS, VERSION, HeldUpload


async def send_file(
    request: Request[Any, Any, Any], desk: UploadDesk, upload: HeldUpload, *, name: str
) -> Response[Any]:
    """The bytes that were uploaded, for their owner."""
    return await send_bytes(
        request,
        desk.vault,
        upload.stored,
        owner=upload.owner,
        document_id=upload.upload_id,
        version=VERSION,
        media_type=upload.media_type,
        disposition=attachment(name or "file", EXTENSIONS[upload.media_type]),
    )


async def picture(
    desk: UploadDesk, pictures: Pictures, upload: HeldUpload, *, page: int, watermark: tuple[str, ...] = ()
) -> bytes:
    """A PNG that we drew; what the file tells beside its picture is not in it. Raises NoPreview."""
    if not 1 <= page <= upload.pages:
        raise NoPreview
    if upload.media_type == "application/pdf":
        reading = await desk.vault.open(
            upload.stored, owner=upload.owner, document_id=upload.upload_id, version=VERSION
        )
        try:
            return await pictures.picture(reading, length=upload.stored.length, page=page, watermark=watermark)
        finally:
            await reading.aclose()
    async with plain(desk, upload) as path:
        return await desk.files.preview(path, upload.media_type, watermark=watermark)


@asynccontextmanager
async def plain(desk: UploadDesk, upload: HeldUpload) -> AsyncIterator[Path]:
    """Its bytes in a temporary file, for the worker; the folder is gone with the context."""
    async with temporary_folder("khizana-upload-", desk.limits.receive.folder) as folder:
        path = Path(folder, "file")
        reading = await desk.vault.open(
            upload.stored, owner=upload.owner, document_id=upload.upload_id, version=VERSION
        )
        # To the page cache: less than a hop to a thread.
        with path.open("xb", buffering=0) as file:  # noqa: ASYNC230
            async for frame in reading:
                file.write(frame)
        yield path
