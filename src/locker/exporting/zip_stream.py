"""A ZIP, written front to back without knowing what follows (APPNOTE 6.3.10): stored, not deflated, with its checksums
after each file. ZIP64 where a file or its place asks for it."""

import datetime as dt
import struct
import zlib
from collections.abc import Iterable

import msgspec

_NARROW_MAX = 0xFFFF_FFFF
_FILES_MAX = 0xFFFF
# Bit 3: sizes and checksum follow the file. Bit 11: the name is UTF-8.
_FLAGS = 0x0808
_UNIX_FILE = 0o100600 << 16
_LOCAL, _DESCRIPTOR, _CENTRAL, _END = 0x04034B50, 0x08074B50, 0x02014B50, 0x06054B50
_WIDE_END, _WIDE_LOCATOR = 0x06064B50, 0x07064B50


class ZipEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A file that was written: what the directory at the end and the manifest say of it."""

    name: str
    sha256: str
    length: int
    crc: int
    at: int
    """Where its header begins."""
    wide: bool


class EntryChanged(Exception):
    """A file was not as long as it was said to be."""


class ZipFile:
    """One file on its way: ``head``, its bytes through ``count``, ``tail``. ``length`` None: nobody knows it before."""

    def __init__(self, name: str, *, at: int, moment: dt.datetime, length: int | None) -> None:
        self._name, self._at, self._expected, self._moment = name, at, length, moment
        self._wide = length is None or length >= _NARROW_MAX
        self._crc = self._length = 0

    def head(self) -> bytes:
        name = self._name.encode()
        sizes, extra = (_NARROW_MAX, struct.pack("<HHQQ", 1, 16, 0, 0)) if self._wide else (0, b"")
        needs, moment = _needs(wide=self._wide), _moment(self._moment)
        fixed = struct.pack("<IHHHHHIIIHH", _LOCAL, needs, _FLAGS, 0, *moment, 0, sizes, sizes, len(name), len(extra))
        return fixed + name + extra

    def count(self, frame: bytes) -> None:
        self._crc, self._length = zlib.crc32(frame, self._crc), self._length + len(frame)

    def tail(self) -> bytes:
        """Raises EntryChanged."""
        if self._expected is not None and self._length != self._expected:
            raise EntryChanged(self._name)
        return struct.pack("<IIQQ" if self._wide else "<IIII", _DESCRIPTOR, self._crc, self._length, self._length)

    def entry(self, sha256: str) -> ZipEntry:
        return ZipEntry(
            name=self._name, sha256=sha256, length=self._length, crc=self._crc, at=self._at, wide=self._wide
        )


def central(entry: ZipEntry, *, moment: dt.datetime) -> bytes:
    """Its line in the directory at the end."""
    name, wide = entry.name.encode(), b""
    length, at = entry.length, entry.at
    if entry.wide:
        wide, length = struct.pack("<QQ", length, length), _NARROW_MAX
    if at >= _NARROW_MAX:
        wide, at = wide + struct.pack("<Q", at), _NARROW_MAX
    extra = struct.pack("<HH", 1, len(wide)) + wide if wide else b""
    needs = _needs(wide=bool(wide))
    fixed = struct.pack(
        "<IHHHHHHIIIHHHHHII",
        _CENTRAL, 3 << 8 | needs, needs, _FLAGS, 0, *_moment(moment), entry.crc, length, length, len(name),
        len(extra), 0, 0, 0, _UNIX_FILE, at,
    )  # fmt: skip
    return fixed + name + extra


def end(many: int, *, central_length: int, central_at: int) -> bytes:
    wide, locator = b"", b""
    if many >= _FILES_MAX or central_length >= _NARROW_MAX or central_at >= _NARROW_MAX:
        needs = _needs(wide=True)
        wide = struct.pack(
            "<IQHHIIQQQQ", _WIDE_END, 44, 3 << 8 | needs, needs, 0, 0, many, many, central_length, central_at
        )
        locator = struct.pack("<IIQI", _WIDE_LOCATOR, 0, central_at + central_length, 1)
    files = min(many, _FILES_MAX)
    narrow = struct.pack(
        "<IHHHHIIH", _END, 0, 0, files, files, min(central_length, _NARROW_MAX), min(central_at, _NARROW_MAX), 0
    )
    return wide + locator + narrow


def entries_in(lines: Iterable[bytes]) -> Iterable[ZipEntry]:
    return (_DECODER.decode(line) for line in lines if line)


_DECODER = msgspec.json.Decoder(ZipEntry)


def _moment(at: dt.datetime) -> tuple[int, int]:
    return at.hour << 11 | at.minute << 5 | at.second // 2, (at.year - 1980) << 9 | at.month << 5 | at.day


def _needs(*, wide: bool) -> int:
    return 45 if wide else 20
