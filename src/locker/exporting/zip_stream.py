"""A ZIP whose length is known before its first byte, written file by file (APPNOTE 6.3.10): stored, not deflated, with
its checksums after each file. It can be iterated again, and gives the same bytes where the files do."""

import datetime as dt
import struct
import zlib
from collections.abc import AsyncIterator, Callable, Sequence

import msgspec

_NARROW_MAX = 0xFFFF_FFFF
_FILES_MAX = 0xFFFF - 1
# Bit 3: sizes and checksum follow the file. Bit 11: the name is UTF-8.
_FLAGS = 0x0808
_UNIX_FILE = 0o100600 << 16
_LOCAL, _DESCRIPTOR, _CENTRAL, _END = 0x04034B50, 0x08074B50, 0x02014B50, 0x06054B50
_WIDE_END, _WIDE_LOCATOR = 0x06064B50, 0x07064B50


class ZipEntry(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    length: int
    source: Callable[[], AsyncIterator[bytes]]
    """Gives exactly ``length`` bytes, each time that it is asked."""


class EntryChanged(Exception):
    """A file was not as long as it was said to be."""


class ZipFrames:
    def __init__(self, entries: Sequence[ZipEntry], *, at: dt.datetime, wide: bool | None = None) -> None:
        """``wide``: ZIP64, which is taken where it must be."""
        self._entries = [(entry, entry.name.encode()) for entry in entries]
        date = (at.year - 1980) << 9 | at.month << 5 | at.day
        self._moment = at.hour << 11 | at.minute << 5 | at.second // 2, date
        self._wide = False
        self.length = self._count()
        if wide or self.length > _NARROW_MAX or len(entries) > _FILES_MAX:
            self._wide = True
            self.length = self._count()

    def _count(self) -> int:
        """Everything but the files' own bytes is of a length that depends on names alone."""
        around = sum(
            len(self._local(name)) + len(self._descriptor(0, 0)) + len(self._central(name, 0, 0, 0))
            for _entry, name in self._entries
        )
        return around + sum(entry.length for entry, _name in self._entries) + len(self._end(0, 0))

    async def __aiter__(self) -> AsyncIterator[bytes]:
        place, central = 0, bytearray()
        for entry, name in self._entries:
            head = self._local(name)
            yield head
            crc = length = 0
            async for frame in entry.source():
                crc, length = zlib.crc32(frame, crc), length + len(frame)
                yield frame
            if length != entry.length:
                raise EntryChanged(entry.name)
            tail = self._descriptor(crc, length)
            yield tail
            central += self._central(name, crc, length, place)
            place += len(head) + length + len(tail)
        yield bytes(central)
        yield self._end(len(central), place)

    def _local(self, name: bytes) -> bytes:
        sizes, extra = (_NARROW_MAX, struct.pack("<HHQQ", 1, 16, 0, 0)) if self._wide else (0, b"")
        fixed = struct.pack(
            "<IHHHHHIIIHH", _LOCAL, self._needs, _FLAGS, 0, *self._moment, 0, sizes, sizes, len(name), len(extra)
        )
        return fixed + name + extra

    def _descriptor(self, crc: int, length: int) -> bytes:
        return struct.pack("<IIQQ" if self._wide else "<IIII", _DESCRIPTOR, crc, length, length)

    def _central(self, name: bytes, crc: int, length: int, place: int) -> bytes:
        extra, sizes, offset = b"", length, place
        if self._wide:
            extra, sizes, offset = struct.pack("<HHQQQ", 1, 24, length, length, place), _NARROW_MAX, _NARROW_MAX
        fixed = struct.pack(
            "<IHHHHHHIIIHHHHHII",
            _CENTRAL, 3 << 8 | self._needs, self._needs, _FLAGS, 0, *self._moment, crc, sizes, sizes, len(name),
            len(extra), 0, 0, 0, _UNIX_FILE, offset,
        )  # fmt: skip
        return fixed + name + extra

    def _end(self, central_length: int, central_at: int) -> bytes:
        many = len(self._entries)
        if not self._wide:
            return struct.pack("<IHHHHIIH", _END, 0, 0, many, many, central_length, central_at, 0)
        version = self._needs
        wide = struct.pack(
            "<IQHHIIQQQQ", _WIDE_END, 44, 3 << 8 | version, version, 0, 0, many, many, central_length, central_at
        )
        locator = struct.pack("<IIQI", _WIDE_LOCATOR, 0, central_at + central_length, 1)
        narrow = struct.pack("<IHHHHIIH", _END, 0, 0, 0xFFFF, 0xFFFF, _NARROW_MAX, _NARROW_MAX, 0)
        return wide + locator + narrow

    @property
    def _needs(self) -> int:
        return 45 if self._wide else 20
