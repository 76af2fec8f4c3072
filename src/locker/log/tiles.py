"""Tiles of C2SP tlog-tiles: 256 neighbouring hashes of one level, and the right edge at which a tree grows."""

import re
from collections.abc import Iterator, Mapping
from typing import Literal

import msgspec

from locker.log.merkle import EMPTY_ROOT, fold, leaf_hash, perfect, root_of

WIDTH = 256
HASH_BYTES = 32
ENTRY_BYTES = 2 + HASH_BYTES
"""One of an entry bundle: its length (uint16, big-endian) and the commitment."""
LEVEL_MAX = 7
"""2^63 leaves are more than an index counts."""
_PATH = re.compile(r"(entries|[0-7])/((?:x[0-9]{3}/){0,5}[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?", re.ASCII)


class Tile(msgspec.Struct, frozen=True):
    level: int | Literal["entries"]
    number: int
    width: int = WIDTH

    @property
    def path(self) -> str:
        """After ``tile/``."""
        digits = f"{self.number:03d}"
        digits = digits.zfill(-(-len(digits) // 3) * 3)
        parts = [digits[at : at + 3] for at in range(0, len(digits), 3)]
        part = f".p/{self.width}" if self.width < WIDTH else ""
        return f"{self.level}/{'/'.join([*(f'x{each}' for each in parts[:-1]), parts[-1]])}{part}"


def tile_at(path: str) -> Tile | None:
    """None: this names no tile, or names one otherwise than the one right way."""
    found = _PATH.fullmatch(path)
    if found is None:
        return None
    level, digits, width = found.groups()
    tile = Tile(
        level="entries" if level == "entries" else int(level),
        number=int(digits.replace("x", "").replace("/", "")),
        width=int(width or WIDTH),
    )
    return tile if tile.path == path else None


def grown(old: int, new: int) -> Iterator[Tile]:
    """What a tree of ``new`` leaves has and one of ``old`` has not, level by level; entry bundles with level 0."""
    for level in range(LEVEL_MAX + 1):
        before, after = old >> 8 * level, new >> 8 * level
        if before == after:
            return
        for number in range(before // WIDTH, -(-after // WIDTH)):
            tile = Tile(level=level, number=number, width=min(WIDTH, after - number * WIDTH))
            yield tile
            if level == 0:
                yield Tile(level="entries", number=number, width=tile.width)


class Edge:
    """The last tile of each level, while it is not full: all that one needs to append, and to know the root."""

    def __init__(self, size: int, partial: Mapping[int, list[bytes]]) -> None:
        self.size = size
        self._partial = {level: list(hashes) for level, hashes in partial.items()}
        self.changed: dict[tuple[int, int], list[bytes]] = {}
        """Above level 0, by level and number: their hashes now."""

    def append(self, commitment: bytes) -> None:
        self.append_hash(leaf_hash(commitment))

    def append_hash(self, leaf: bytes) -> None:
        self.size += 1
        level, arriving = 0, leaf
        while True:
            hashes = self._partial.setdefault(level, [])
            hashes.append(arriving)
            if level:
                self.changed[(level, ((self.size >> 8 * level) - 1) // WIDTH)] = hashes
            if len(hashes) < WIDTH:
                return
            self._partial[level] = []
            level, arriving = level + 1, root_of(hashes)

    def root(self) -> bytes:
        if self.size == 0:
            return EMPTY_ROOT
        parts = []
        for level in sorted(self._partial, reverse=True):
            hashes = self._partial[level]
            parts += [root_of(hashes[low:high]) for low, high in perfect(0, len(hashes))]
        return fold(parts)


def edge_widths(size: int) -> dict[int, int]:
    """How many hashes the last tile of each level holds, full ones left out."""
    widths = {level: (size >> 8 * level) % WIDTH for level in range(LEVEL_MAX + 1)}
    return {level: width for level, width in widths.items() if width}
