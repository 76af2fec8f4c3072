"""Ask about a file of a stranger's making. The work happens in limited worker processes; this side parses nothing."""

from pathlib import Path

import msgspec

from kit.errors import Refusal
from kit.workers import WorkerFailed, WorkerPool
from locker.rendering.refusals import NoPreview
from locker.uploads import refusals
from locker.uploads.schema import Clean, Done, Inspect, MediaType, Preview

_MIB = 1024 * 1024
_answers = msgspec.msgpack.Decoder(Done)
_REFUSALS: dict[str, type[Refusal]] = {
    refusal.code: refusal
    for refusal in (
        refusals.FileActs,
        refusals.FileDamaged,
        refusals.FileEncrypted,
        refusals.TooCostly,
        refusals.TooManyPages,
        refusals.TooManyPixels,
        refusals.TwoFilesInOne,
        refusals.TypeNotAccepted,
    )
}


class Files:
    def __init__(self, pool: WorkerPool) -> None:
        self._pool = pool

    @classmethod
    def start(cls, *, workers: int, waiting_max: int, file_max_bytes: int) -> "Files":
        return cls(
            WorkerPool(
                "uploads",
                target="locker.uploads.worker:work",
                workers=workers,
                waiting_max=waiting_max,
                address_space_bytes=1_280 * _MIB,
                cpu_s=10,
                wall_s=15.0,
                jobs_max=200,
                # A cleaned picture may be larger than what its camera wrote.
                file_max_bytes=8 * file_max_bytes,
            )
        )

    async def inspect(self, path: Path) -> tuple[MediaType, int]:
        """Its media type, by its bytes, and how many pages. Raises the refusals that say what is wrong with it."""
        done = await self._asked(Inspect(path=str(path)))
        assert done.media_type is not None
        return done.media_type, done.pages

    async def clean(self, path: Path, cleaned: Path, media_type: MediaType) -> None:
        """Write to ``cleaned`` what is seen, without what the file tells beside it (P-15)."""
        await self._asked(Clean(path=str(path), cleaned=str(cleaned), media_type=media_type))

    async def preview(self, path: Path, media_type: MediaType, *, watermark: tuple[str, ...] = ()) -> bytes:
        """A small PNG of a picture. NoPreview where it cannot be made."""
        try:
            return (await self._asked(Preview(path=str(path), media_type=media_type, watermark=watermark))).png
        except tuple(_REFUSALS.values()) as refused:
            raise NoPreview from refused

    async def close(self) -> None:
        await self._pool.close()

    async def _asked(self, job: Inspect | Clean | Preview) -> Done:
        try:
            done = _answers.decode(await self._pool.run(msgspec.msgpack.encode(job)))
        except WorkerFailed as failed:
            raise refusals.WorkerSpent from failed
        if done.refused:
            raise _REFUSALS[done.refused]
        return done
