"""Pictures of pages, from verified bytes, through the worker process."""

import errno
from collections.abc import AsyncIterable
from pathlib import Path

import msgspec

from kit.own_folder import temporary_folder
from kit.workers import WorkerFailed, WorkerPool
from locker.rendering.refusals import NoPreview
from locker.rendering.schema import PagePicture, PageWanted

WIDTH_PX = 1_000
PIXELS_MAX = 4_000_000
_MIB = 1024 * 1024
_answers = msgspec.msgpack.Decoder(PagePicture)


class Pictures:
    """``folder`` is where the plain PDF stands while it is drawn; None is the system's place for temporary files."""

    def __init__(self, pool: WorkerPool, *, length_max: int, folder: Path | None = None) -> None:
        self._pool = pool
        self._length_max = length_max
        self._folder = folder

    @classmethod
    def start(cls, *, workers: int, waiting_max: int, length_max: int, folder: Path | None = None) -> "Pictures":
        pool = WorkerPool(
            "rendering",
            target="locker.rendering.target:render",
            workers=workers,
            waiting_max=waiting_max,
            address_space_bytes=768 * _MIB,
            cpu_s=8,
            wall_s=12.0,
            jobs_max=300,
            waiting_s=8.0,
        )
        return cls(pool, length_max=length_max, folder=folder)

    async def picture(
        self, frames: AsyncIterable[bytes], *, length: int, page: int, watermark: tuple[str, ...] = ()
    ) -> bytes:
        """A PNG. Raises NoPreview where pdfium cannot, will not, or died of it; Unavailable where all are busy."""
        if length > self._length_max:
            raise NoPreview
        async with temporary_folder("khizana-page-", self._folder) as folder:
            path = Path(folder, "document.pdf")
            try:
                # To the page cache: less than a hop to a thread.
                with path.open("xb", buffering=0) as file:  # noqa: ASYNC230
                    async for frame in frames:
                        file.write(frame)
            except OSError as fault:
                if fault.errno in (errno.ENOSPC, errno.EDQUOT):
                    raise NoPreview from fault
                raise
            wanted = PageWanted(
                path=str(path), page=page, width_px=WIDTH_PX, pixels_max=PIXELS_MAX, watermark=watermark
            )
            try:
                answer = _answers.decode(await self._pool.run(msgspec.msgpack.encode(wanted)))
            except WorkerFailed as failed:
                raise NoPreview from failed
        if answer.refused:
            raise NoPreview
        return answer.png

    async def close(self) -> None:
        await self._pool.close()
