"""Hashes of the tree as the database has them."""

from kit.db import Tx
from locker.log import store
from locker.log.merkle import Range, fold, leaf_hash, perfect, root_of
from locker.log.tiles import HASH_BYTES, WIDTH, Edge, edge_widths


class TreeDamaged(Exception):
    """The database holds fewer hashes than its tree has: something was removed from it."""


class TreeReader:
    """Remembers the tiles that it read: for one answer, or one round."""

    REMEMBERED_MAX = 4_096

    def __init__(self, tx: Tx) -> None:
        self._tx = tx
        self._tiles: dict[tuple[int, int], list[bytes]] = {}
        self._entries: tuple[int, list[bytes]] = (-1, [])

    async def hashes(self, level: int, tile: int, *, width: int) -> list[bytes]:
        """The first ``width`` hashes of a tile."""
        known = self._tiles.get((level, tile), [])
        if len(known) < width:
            known = await self._read(level, tile, width)
            if len(known) < width:
                raise TreeDamaged(f"tile {level}/{tile}")
            if len(self._tiles) >= self.REMEMBERED_MAX:
                self._tiles.clear()
            self._tiles[(level, tile)] = known
        return known[:width]

    async def _read(self, level: int, tile: int, width: int) -> list[bytes]:
        if level == 0:
            return [leaf_hash(each) for each in await self.entries(tile, width=width)]
        joined = await store.tile_hashes(self._tx, level=level, tile=tile)
        return [joined[at : at + HASH_BYTES] for at in range(0, len(joined), HASH_BYTES)]

    async def entries(self, tile: int, *, width: int) -> list[bytes]:
        """The commitments under a tile of level 0."""
        number, known = self._entries
        if number != tile or len(known) < width:
            known = await store.commitments(self._tx, start=tile * WIDTH, end=tile * WIDTH + width)
            self._entries = tile, known
        return known[:width]

    async def subtree(self, span: Range) -> bytes:
        """MTH of leaves that begin a subtree."""
        return fold([await self._perfect(low, high) for low, high in perfect(*span)])

    async def _perfect(self, low: int, high: int) -> bytes:
        level = ((high - low).bit_length() - 1) // 8
        first, many = low >> 8 * level, (high - low) >> 8 * level
        hashes = await self.hashes(level, first // WIDTH, width=first % WIDTH + many)
        return root_of(hashes[first % WIDTH :])

    async def edge(self, size: int) -> Edge:
        """Where the tree of ``size`` leaves goes on growing."""
        return Edge(
            size,
            {
                level: await self.hashes(level, (size >> 8 * level) // WIDTH, width=width)
                for level, width in edge_widths(size).items()
            },
        )

    async def root(self, size: int) -> bytes:
        return (await self.edge(size)).root()
