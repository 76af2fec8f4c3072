"""The public copy of the log in the object store: each object is written once and says all of itself by its name."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable

from kit import metrics
from locker.log.checkpoint import NOTE_MAX_BYTES
from locker.log.tiles import ENTRY_BYTES, WIDTH, Tile, tile_at
from locker.vault.blobs import BlobStore
from locker.vault.refusals import BlobMissing, BlobStoreUnavailable

TILE_MAX_BYTES = WIDTH * ENTRY_BYTES
WRITES_MAX = 3
"""Of one object that does not read back as it was written."""
_AT_ONCE = 8

log = logging.getLogger("locker.log")


class LogObjects:
    def __init__(self, blobs: BlobStore, prefix: str) -> None:
        self._blobs = blobs
        self._prefix = prefix

    async def read_checkpoint(self) -> str | None:
        """None: there is none yet. Raises BlobStoreUnavailable."""
        found = await self._read("checkpoint", NOTE_MAX_BYTES)
        return None if found is None else found.decode("utf-8", "replace")

    async def read_tile(self, tile: Tile) -> bytes | None:
        """A narrower tile is the beginning of a wider one, so the full one answers where the part is gone."""
        found = await self._read(f"tile/{tile.path}", TILE_MAX_BYTES)
        if found is not None or tile.width == WIDTH:
            return found
        whole = await self._read(f"tile/{Tile(tile.level, tile.number).path}", TILE_MAX_BYTES)
        each = ENTRY_BYTES if tile.level == "entries" else ENTRY_BYTES - 2
        return None if whole is None else whole[: tile.width * each]

    async def widest(self, number: int) -> int:
        """How many leaves the ``number``-th tile of level 0 has where it is published widest, or its entries."""
        widths = [0]
        for level in (0, "entries"):
            prefix = f"{self._prefix}/tile/"
            for info in await self._blobs.list(f"{prefix}{Tile(level, number).path}"):
                named = tile_at(info.key.removeprefix(prefix))
                widths.append(named.width if named else 0)
        return max(widths)

    async def write_tiles(self, tiles: AsyncIterator[tuple[Tile, bytes]]) -> None:
        writing: set[asyncio.Task[None]] = set()
        try:
            # A store that took other bytes than we sent says nothing of it: each is read back.
            async for tile, content in tiles:
                if len(writing) >= _AT_ONCE:
                    done, writing = await asyncio.wait(writing, return_when=asyncio.FIRST_COMPLETED)
                    for each in done:
                        each.result()
                writing.add(asyncio.create_task(self._write_tile(f"tile/{tile.path}", content)))
            await asyncio.gather(*writing)
        finally:
            for task in writing:
                task.cancel()

    async def write_checkpoint(self, note: str) -> None:
        """Whether it is there as it was written, ``locker.log.sequence.put_checkpoint`` looks."""
        await self._write("checkpoint", note.encode())

    async def remove_parts(self, tile: Tile) -> None:
        """Those of a tile that is full now."""
        prefix = f"{self._prefix}/tile/{tile.path}.p/"
        for info in await self._blobs.list(prefix):
            await self._blobs.delete(info.key)

    async def _read(self, name: str, length_max: int) -> bytes | None:
        try:
            return (await self._blobs.get(f"{self._prefix}/{name}", start=0, length=length_max)).data
        except BlobMissing:
            return None

    async def _write_tile(self, name: str, content: bytes) -> None:
        for _ in range(WRITES_MAX):
            await self._write(name, content)
            if await self._read(name, TILE_MAX_BYTES) == content:
                return
            metrics.log_damaged.labels("tile").inc()
            log.error("damaged: %s does not read back as it was written", name)
        raise BlobStoreUnavailable("object store (the log does not read back)")

    async def _write(self, name: str, content: bytes) -> None:
        await self._blobs.put(f"{self._prefix}/{name}", _source(content), len(content), repeatable=True)


def _source(content: bytes) -> Callable[[], AsyncIterator[bytes]]:
    async def once() -> AsyncIterator[bytes]:
        yield content

    return once
