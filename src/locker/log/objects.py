"""The public copy of the log in the object store: each object is written once and says all of itself by its name."""

import asyncio
from collections.abc import AsyncIterator, Callable

from locker.log.checkpoint import NOTE_MAX_BYTES
from locker.log.tiles import ENTRY_BYTES, WIDTH, Tile
from locker.vault.blobs import BlobStore
from locker.vault.refusals import BlobMissing

TILE_MAX_BYTES = WIDTH * ENTRY_BYTES
_AT_ONCE = 8


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

    async def write_tiles(self, tiles: AsyncIterator[tuple[Tile, bytes]]) -> None:
        writing: set[asyncio.Task[None]] = set()
        try:
            async for tile, content in tiles:
                if len(writing) >= _AT_ONCE:
                    done, writing = await asyncio.wait(writing, return_when=asyncio.FIRST_COMPLETED)
                    for each in done:
                        each.result()
                writing.add(asyncio.create_task(self._write(f"tile/{tile.path}", content)))
            await asyncio.gather(*writing)
        finally:
            for task in writing:
                task.cancel()

    async def write_checkpoint(self, note: str) -> None:
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

    async def _write(self, name: str, content: bytes) -> None:
        await self._blobs.put(f"{self._prefix}/{name}", _source(content), len(content), repeatable=True)


def _source(content: bytes) -> Callable[[], AsyncIterator[bytes]]:
    async def once() -> AsyncIterator[bytes]:
        yield content

    return once
