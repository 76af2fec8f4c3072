"""An ASiC container (ETSI EN 319 162-1), taken apart: a ZIP file that is nothing else, and no more than it may be."""

import io
import struct
import zipfile
import zlib

import msgspec

MIME_TYPES = {b"application/vnd.etsi.asic-e+zip", b"application/vnd.etsi.asic-s+zip"}
_LOCAL_HEADER = struct.Struct("<4s5H3L2H")
_ENTRIES_MAX = 1_000
_RATIO_MAX = 100
_SMALL_BYTES = 65_536
_NAME_MAX = 255
_META = "META-INF/"
_FLAGS_THAT_COUNT = 0x0809
"""Encrypted, sizes after the bytes, names in UTF-8."""
PDF_START = b"%PDF-"
PDF_WITHIN = 1_024
"""Readers of PDFs look so far for the start of one (ISO 32000-1, implementation note 13)."""


class ContainerRefused(ValueError):
    """``reason``: ``container``, ``too-large``, ``too-many-objects``, ``encrypted``."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Container(msgspec.Struct, frozen=True, kw_only=True):
    """``objects`` is what is signed, ``meta`` what stands under META-INF; both by name."""

    objects: dict[str, bytes]
    meta: dict[str, bytes]


def open_container(data: bytes, *, size_max_bytes: int) -> Container:
    """All of it in memory, at most ``size_max_bytes`` together. Raises ContainerRefused."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return _open(data, archive, size_max_bytes=size_max_bytes)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, OSError, struct.error):
        raise ContainerRefused("container") from None
    except (ValueError, LookupError) as refused:
        if isinstance(refused, ContainerRefused):
            raise
        raise ContainerRefused("container") from None


def _open(data: bytes, archive: zipfile.ZipFile, *, size_max_bytes: int) -> Container:
    entries = archive.infolist()
    if len(entries) > _ENTRIES_MAX:
        raise ContainerRefused("too-many-objects")
    if sum(entry.file_size for entry in entries) > size_max_bytes:
        raise ContainerRefused("too-large")
    _check_whole(data, archive, entries)
    names = [entry.filename for entry in entries]
    # Two entries that differ in case are one file on many machines.
    if len({name.casefold() for name in names}) < len(names):
        raise ContainerRefused("container")
    if not entries or names[0] != "mimetype" or entries[0].compress_type != zipfile.ZIP_STORED or entries[0].extra:
        raise ContainerRefused("container")
    read: dict[str, bytes] = {}
    left = size_max_bytes
    for entry in entries:
        _check(entry)
        if entry.is_dir():
            continue
        with archive.open(entry) as file:
            # What it claims is not what it unpacks to.
            content = file.read(left + 1)
        left -= len(content)
        if left < 0:
            raise ContainerRefused("too-large")
        read[entry.filename] = content
    if read.pop("mimetype").strip() not in MIME_TYPES:
        raise ContainerRefused("container")
    return Container(
        objects={name: content for name, content in read.items() if not name.startswith(_META)},
        meta={name: content for name, content in read.items() if name.startswith(_META)},
    )


def _check(entry: zipfile.ZipInfo) -> None:
    name = entry.filename
    if entry.flag_bits & 0x1:
        raise ContainerRefused("encrypted")
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ContainerRefused("container")
    if entry.file_size > max(_SMALL_BYTES, _RATIO_MAX * entry.compress_size):
        raise ContainerRefused("too-large")
    # zipfile cuts a name at its first NUL, and another program may not.
    parts = name.removesuffix("/").split("/")
    if entry.orig_filename != name or len(name) > _NAME_MAX or "\\" in name or ":" in name:
        raise ContainerRefused("container")
    if any(part in ("", ".", "..") for part in parts) or any(ord(character) < 32 for character in name):
        raise ContainerRefused("container")
    if (entry.external_attr >> 16) & 0o170000 == 0o120000:
        raise ContainerRefused("container")


def _check_whole(data: bytes, archive: zipfile.ZipFile, entries: list[zipfile.ZipInfo]) -> None:
    """The file begins with the first entry, its entries follow one another, and nothing comes after the directory.

    Each says before its bytes what the directory says: some programs read only the one, some the other. Where a reader
    of PDFs would look for one, there is none but in an object, which is signed.
    """
    if archive.comment or data[-22:-18] != b"PK\x05\x06" or b"PK\x06\x06" in data[-200:]:
        raise ContainerRefused("container")
    place = 0
    outside = bytearray(data[:PDF_WITHIN])
    for entry in sorted(entries, key=lambda one: one.header_offset):
        if entry.header_offset != place:
            raise ContainerRefused("container")
        header = _LOCAL_HEADER.unpack_from(data, place)
        name_length, extra_length = header[9], header[10]
        if (header[2] ^ entry.flag_bits) & _FLAGS_THAT_COUNT or header[3] != entry.compress_type:
            raise ContainerRefused("container")
        if not entry.flag_bits & 0x8 and header[6:9] != (entry.CRC, entry.compress_size, entry.file_size):
            raise ContainerRefused("container")
        begin = place + _LOCAL_HEADER.size + name_length + extra_length
        place = begin + entry.compress_size
        if not entry.filename.startswith(_META) and begin < PDF_WITHIN:
            outside[begin:place] = bytes(min(place, PDF_WITHIN) - begin)
        if entry.flag_bits & 0x8:
            # Sizes after the bytes, with or without a signature of their own.
            place += 16 if data[place : place + 4] == b"PK\x07\x08" else 12
    if place != archive.start_dir or PDF_START in outside:
        raise ContainerRefused("container")
