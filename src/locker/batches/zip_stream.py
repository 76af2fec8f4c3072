"""A ZIP file (PKWARE APPNOTE 6.3.10) read forwards as it arrives: an entry at a time, nothing named by it, no seeking.

Only the local headers are believed, and they only as far as the bytes bear them out; the central directory, where links
and modes stand, is not looked at. Which bytes an entry must be is said elsewhere, by their SHA-256.
"""

import struct
import zlib
from collections.abc import AsyncIterator

from locker.batches.archive import CutShort, Entry
from locker.batches.refusals import (
    EntryEncrypted,
    EntryMethod,
    EntryRefused,
    EntryTooLarge,
    EntryWithoutLength,
    PartMalformed,
)

_LOCAL, _DESCRIPTOR = b"PK\x03\x04", b"PK\x07\x08"
_ENDS = (b"PK\x01\x02", b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x08")
"""Central directory, end of it, its ZIP64 form, archive extra data: no entry comes after."""
_HEADER = struct.Struct("<HHHHHIIIHH")
_ENCRYPTED = 0x0001 | 0x0040 | 0x2000
_PATCHED, _DESCRIBED, _UTF8 = 0x0020, 0x0008, 0x0800
_STORED, _DEFLATED = 0, 8
_IN_ZIP64 = 0xFFFFFFFF
_CHUNK_BYTES = 65_536


class ZipEntry(Entry, frozen=True, kw_only=True):
    deflated: bool
    described: bool
    """Its checksum and lengths come after it."""
    crc: int
    packed: int
    unpacked: int

    @property
    def is_folder(self) -> bool:
        return self.name is not None and self.name.endswith("/") and not self.unpacked and not self.described


class ZipStream:
    def __init__(self, frames: AsyncIterator[bytes], *, entry_max_bytes: int, unpacked_max_bytes: int) -> None:
        self._frames = frames
        # What was received and not read yet: from ``_at`` on.
        self._ahead, self._at = b"", 0
        self._entry_max_bytes = entry_max_bytes
        self._unpacked_left = unpacked_max_bytes
        self._number = 0

    async def next_entry(self) -> ZipEntry | None:
        signature = await self._peek(4)
        if signature in _ENDS and len(signature) == 4:
            return None
        if signature != _LOCAL:
            if self._number == 0:
                raise PartMalformed
            raise CutShort("part-malformed" if len(signature) == 4 else "part-cut-short")
        await self._take(4)
        self._number += 1
        _, flags, method, _, _, crc, packed, unpacked, name_length, extra_length = _HEADER.unpack(
            await self._take(_HEADER.size)
        )
        name, extra = await self._take(name_length), await self._take(extra_length)
        refusal: EntryRefused | None = None
        if _IN_ZIP64 in (packed, unpacked):
            lengths = _zip64(extra, packed, unpacked)
            if lengths is None:
                raise CutShort("entry-malformed")
            packed, unpacked = lengths
        described = bool(flags & _DESCRIBED)
        if flags & _ENCRYPTED:
            refusal = EntryEncrypted()
        elif flags & _PATCHED or method not in (_STORED, _DEFLATED):
            refusal = EntryMethod()
        elif method == _STORED and described:
            refusal = EntryWithoutLength()
        elif method == _STORED and packed != unpacked:
            refusal = EntryRefused("lengths")
        return ZipEntry(
            number=self._number,
            name=_text(name, utf8=bool(flags & _UTF8)),
            deflated=method == _DEFLATED,
            described=described,
            crc=crc,
            packed=packed,
            unpacked=unpacked,
            refusal=refusal,
        )

    async def content(self, entry: ZipEntry) -> AsyncIterator[bytes]:
        """Its bytes in pieces of 64 KiB at most. EntryRefused where it lies, then the next entry can still be read."""
        assert entry.refusal is None
        chunks = self._inflated(entry) if entry.deflated else self._stored(entry)
        crc = length = 0
        async for chunk in chunks:
            crc, length = zlib.crc32(chunk, crc), length + len(chunk)
            yield chunk
        if not entry.described and (crc, length) != (entry.crc, entry.unpacked):
            raise EntryRefused("checksum or length")

    async def skip(self, entry: ZipEntry) -> None:
        """Without a length it must be inflated to know where it ends; CutShort where not even that is possible."""
        if not entry.described:
            await self._pass(entry.packed)
        elif entry.deflated and entry.refusal is None:
            try:
                async for _ in self._inflated(entry):
                    pass
            except EntryRefused as refusal:
                raise CutShort(refusal.code) from None
        else:
            raise CutShort((entry.refusal or EntryWithoutLength()).code)

    async def drain(self) -> None:
        """The central directory, so that the caller's connection stays usable."""
        self._ahead, self._at = b"", 0
        async for _ in self._frames:
            pass

    async def _stored(self, entry: ZipEntry) -> AsyncIterator[bytes]:
        left = entry.packed
        if left > self._entry_max_bytes:
            await self._pass(left)
            raise EntryTooLarge(members={"max_bytes": self._entry_max_bytes})
        while left:
            chunk = await self._some(min(left, _CHUNK_BYTES))
            left -= len(chunk)
            yield chunk

    async def _inflated(self, entry: ZipEntry) -> AsyncIterator[bytes]:
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        left = None if entry.described else entry.packed
        packed = crc = length = 0
        while not inflater.eof:
            if left == 0:
                raise EntryRefused("deflate")
            chunk = await self._some(_CHUNK_BYTES if left is None else min(left, _CHUNK_BYTES))
            packed += len(chunk)
            left = None if left is None else left - len(chunk)
            try:
                out = inflater.decompress(chunk, _CHUNK_BYTES)
                while out:
                    crc, length = zlib.crc32(out, crc), length + len(out)
                    self._unpacked_left -= len(out)
                    if self._unpacked_left < 0:
                        raise CutShort("part-inflates-too-far")
                    if length > self._entry_max_bytes:
                        await self._give_up(left, EntryTooLarge.code)
                        raise EntryTooLarge(members={"max_bytes": self._entry_max_bytes})
                    yield out
                    # Asked once more at its end, zlib would count what stands behind twice.
                    out = b"" if inflater.eof else inflater.decompress(inflater.unconsumed_tail, _CHUNK_BYTES)
            except zlib.error:
                await self._give_up(left, EntryRefused.code)
                raise EntryRefused("deflate") from None
        self._ahead, self._at = inflater.unused_data + self._ahead[self._at :], 0
        packed -= len(inflater.unused_data)
        if left is None:
            await self._descriptor(crc, packed, length)
        elif left + len(inflater.unused_data):
            await self._pass(left + len(inflater.unused_data))
            raise EntryRefused("lengths")

    async def _give_up(self, left: int | None, code: str) -> None:
        if left is None:
            raise CutShort(code)
        await self._pass(left)

    async def _descriptor(self, crc: int, packed: int, unpacked: int) -> None:
        """With or without its signature, in 32 or 64 bits: the one that tells the truth is it (§4.3.9)."""
        seen = await self._peek(24)
        for form in ("<III", "<IQQ"):
            if packed > _IN_ZIP64 or unpacked > _IN_ZIP64:
                continue
            wanted = struct.pack(form, crc, packed, unpacked)
            for one in (_DESCRIPTOR + wanted, wanted):
                if seen.startswith(one):
                    await self._take(len(one))
                    return
        raise CutShort("entry-malformed")

    async def _pass(self, length: int) -> None:
        while length:
            length -= len(await self._some(min(length, _CHUNK_BYTES)))

    async def _some(self, most: int) -> bytes:
        """Between 1 and ``most`` bytes."""
        if self._at == len(self._ahead):
            frame = await anext(self._frames, b"")
            if not frame:
                raise CutShort("part-cut-short")
            self._ahead, self._at = frame, 0
        chunk = self._ahead[self._at : self._at + most]
        self._at += len(chunk)
        return chunk

    async def _peek(self, length: int) -> bytes:
        """Fewer where the file ends."""
        while len(self._ahead) - self._at < length:
            frame = await anext(self._frames, b"")
            if not frame:
                break
            self._ahead, self._at = self._ahead[self._at :] + frame, 0
        return self._ahead[self._at : self._at + length]

    async def _take(self, length: int) -> bytes:
        taken = await self._peek(length)
        if len(taken) < length:
            raise CutShort("part-cut-short")
        self._at += length
        return taken


def _text(name: bytes, *, utf8: bool) -> str | None:
    try:
        return name.decode("utf-8")
    except UnicodeDecodeError:
        return None if utf8 else name.decode("cp437")


def _zip64(extra: bytes, packed: int, unpacked: int) -> tuple[int, int] | None:
    """Packed and unpacked length of the extra field 0x0001 (§4.5.3), each where the header has no room for it."""
    place = 0
    while place + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, place)
        place += 4
        if kind == 1:
            values = extra[place : place + length]
            wanted = [packed, unpacked].count(_IN_ZIP64)
            if len(values) != length or length < 8 * wanted:
                return None
            numbers = iter(struct.unpack_from(f"<{wanted}Q", values))
            unpacked = next(numbers) if unpacked == _IN_ZIP64 else unpacked
            packed = next(numbers) if packed == _IN_ZIP64 else packed
            return packed, unpacked
        place += length
    return None
