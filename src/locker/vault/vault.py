"""Seal, prove that it was stored, open by range."""

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import suppress
from pathlib import Path

from kit.db import Database, Tx
from kit.errors import Unavailable
from locker.vault import streaming
from locker.vault.blobs import BlobStore
from locker.vault.keys import KeyNotAuthentic, Keys, MasterKeys, content_associated_data, part_associated_data
from locker.vault.refusals import BlobDamaged, Erased
from locker.vault.schema import Stored
from locker.vault.streaming import HEADER_BYTES, Decryptor, Encryptor, NotAuthentic

log = logging.getLogger("locker.vault")

WINDOW_SEGMENTS = 16
"""One GET: 1 MiB. It is over before the reader gets it, so a slow reader holds no connection to the store."""
FRAME_SEGMENTS = 4
"""What is opened at once, 256 KiB: about 0.1 ms of the loop."""
FRAME_BYTES = FRAME_SEGMENTS * streaming.SEGMENT_BYTES
PART_MAX = 1024 * 1024


class LengthMismatch(Exception):
    """The frames were not as many bytes as the caller said. Nothing was stored that a reader could open."""


class FileFrames:
    """The bytes of a file, from its start each time it is iterated, so that a PUT can be tried again."""

    def __init__(self, file: Path) -> None:
        self._file = file

    async def __aiter__(self) -> AsyncIterator[bytes]:
        # Just written, so it comes from the page cache: 0.1 ms a frame, less than a hop to a thread.
        with self._file.open("rb", buffering=0) as opened:
            while frame := opened.read(FRAME_BYTES):
                yield frame


class Vault:
    def __init__(self, db: Database, masters: MasterKeys, blobs: BlobStore) -> None:
        self.keys = Keys(db, masters)
        self.blobs = blobs

    async def check(self) -> None:
        """Raises MasterKeyWrong before a first citizen meets it."""
        await self.keys.check()

    async def close(self) -> None:
        await self.blobs.close()
        self.keys.close()

    async def put(
        self,
        *,
        owner: str,
        document_id: str,
        version: int,
        object_key: str,
        frames: AsyncIterable[bytes],
        length: int,
    ) -> Stored:
        """Seal ``length`` bytes under a fresh key, store, read back. Record ``object_key`` as an intent before.

        ``frames`` that give a new iterator each time (FileFrames) are sent again after a 5xx; a generator is not.
        Raises BlobStoreUnavailable, BlobDamaged, Erased, LengthMismatch.
        """
        key, wrapped_key, epoch = await self.keys.new_document_key(
            owner=owner, document_id=document_id, version=version, sealed_as=streaming.FORMAT
        )
        sealing = _Sealing(key, content_associated_data(document_id, version), frames, length)
        ciphertext_length = streaming.ciphertext_length(length)
        await self.blobs.put(object_key, sealing.once, ciphertext_length, repeatable=sealing.repeatable)
        if await self._sha256_of(object_key, ciphertext_length) != sealing.ciphertext_sha256.digest():
            await self._tell("read-back differs", owner, object_key, document_id)
            raise BlobDamaged
        return Stored(
            object_key=object_key,
            wrapped_key=wrapped_key,
            epoch=epoch,
            plaintext_sha256=sealing.plaintext_sha256.digest(),
            ciphertext_sha256=sealing.ciphertext_sha256.digest(),
            length=length,
            format=streaming.FORMAT,
        )

    async def put_again(
        self, stored: Stored, *, owner: str, document_id: str, version: int, frames: AsyncIterable[bytes], length: int
    ) -> bytes:
        """The same bytes under the same key at ``stored.object_key``, a new one; the digest of its ciphertext.

        A new salt and nonce prefix each time, so nothing repeats. Raises as ``put``, for other bytes LengthMismatch.
        """
        key = await self._key(stored, owner, document_id, version)
        sealing = _Sealing(key, content_associated_data(document_id, version), frames, length)
        total = streaming.ciphertext_length(length)
        await self.blobs.put(stored.object_key, sealing.once, total, repeatable=sealing.repeatable)
        if sealing.plaintext_sha256.digest() != stored.plaintext_sha256:
            raise LengthMismatch
        if await self._sha256_of(stored.object_key, total) != sealing.ciphertext_sha256.digest():
            await self._tell("read-back differs", owner, stored.object_key, document_id)
            raise BlobDamaged
        return sealing.ciphertext_sha256.digest()

    async def read(
        self, stored: Stored, *, owner: str, document_id: str, version: int, start: int = 0, end: int | None = None
    ) -> AsyncIterator[bytes]:
        """Verified plaintext from ``start`` to ``end`` (exclusive), in frames of 256 KiB, with flat memory.

        Raises BlobDamaged, BlobMissing, BlobStoreUnavailable, Erased: with the first frame before anything was given,
        later in the middle, where the body must be broken off.
        """
        end = stored.length if end is None else end
        if not 0 <= start <= end <= stored.length:
            raise ValueError("range is outside the document")
        try:
            async for frame in self._frames(stored, owner, document_id, version, start, end):
                yield frame
        except (NotAuthentic, KeyNotAuthentic) as fault:
            await self._tell(f"{type(fault).__name__} {fault}", owner, stored.object_key, document_id)
            raise BlobDamaged from fault
        except BlobDamaged as fault:
            await self._tell(fault.code, owner, stored.object_key, document_id)
            raise

    async def open(
        self, stored: Stored, *, owner: str, document_id: str, version: int, start: int = 0, end: int | None = None
    ) -> "Reading":
        """``read`` with its first frame already fetched and verified, so that the answer's status can still tell."""
        frames = self.read(stored, owner=owner, document_id=document_id, version=version, start=start, end=end)
        return Reading(await anext(frames, b""), frames)

    async def read_all(self, stored: Stored, *, owner: str, document_id: str, version: int, length_max: int) -> bytes:
        """All of a small one. ``length_max`` is the caller's bound on its own memory."""
        if stored.length > length_max:
            raise ValueError("longer than the caller wants to hold")
        frames = self.read(stored, owner=owner, document_id=document_id, version=version)
        return b"".join([frame async for frame in frames])

    async def seal_part(
        self, stored: Stored, *, owner: str, document_id: str, version: int, part: str, plaintext: bytes
    ) -> bytes:
        """Something small that belongs to the document and stays in its row: ``part`` names it, as ``fields``.

        Same key and format as the object, 56 bytes longer than ``plaintext``; dies with the document's key.
        """
        if len(plaintext) > PART_MAX:
            raise ValueError("a part is small")
        key = await self._key(stored, owner, document_id, version)
        encryptor = Encryptor(key, part_associated_data(document_id, version, part))
        return encryptor.header + encryptor.update(plaintext) + encryptor.finalize()

    async def open_part(
        self, stored: Stored, *, owner: str, document_id: str, version: int, part: str, sealed: bytes
    ) -> bytes:
        """Raises BlobDamaged where the row was changed or is another's, and Erased."""
        try:
            key = await self._key(stored, owner, document_id, version)
            return streaming.decrypt_small(key, part_associated_data(document_id, version, part), sealed)
        except (NotAuthentic, KeyNotAuthentic) as fault:
            await self._tell(f"{type(fault).__name__} {fault} in {part}", owner, stored.object_key, document_id)
            raise BlobDamaged from fault

    async def delete(self, object_key: str) -> None:
        """Idempotent. The row must have forgotten its key before, or must never have been."""
        await self.blobs.delete(object_key)

    async def hold_owner_key(self, tx: Tx, *, owner: str, parted_too: bool = False) -> None:
        """In the transaction that records a ``Stored``: an erasure waits for it or refuses it. Raises Erased.

        Of an erased owner of whom the law holds documents these may be worked on (``parted_too``), nothing is added.
        """
        await self.keys.hold(tx, owner, parted_too=parted_too)

    async def destroy_owner_key(self, tx: Tx, *, owner: str) -> bool:
        """Everything of this owner becomes noise when ``tx`` commits; False: it was so before."""
        return await self.keys.destroy(tx, owner)

    async def _frames(
        self, stored: Stored, owner: str, document_id: str, version: int, start: int, end: int
    ) -> AsyncIterator[bytes]:
        key = await self._key(stored, owner, document_id, version)
        final = streaming.segment_count(stored.length) - 1
        first = min(streaming.segment_at(start), final)
        last = min(streaming.segment_at(max(start, end - 1)), final)
        total = streaming.ciphertext_length(stored.length)
        decryptor: Decryptor | None = None
        for window in range(first, last + 1, WINDOW_SEGMENTS):
            window_last = min(window + WINDOW_SEGMENTS - 1, last)
            wanted = self._window(stored.object_key, window, window_last, stored.length, total)
            if decryptor is not None:
                ciphertext = await wanted
            elif window == 0:
                ciphertext = await wanted
                decryptor = self._decryptor(key, document_id, version, ciphertext[:HEADER_BYTES], stored.length)
            else:
                header, ciphertext = await asyncio.gather(
                    self._get(stored.object_key, start=0, length=HEADER_BYTES, total=total), wanted
                )
                decryptor = self._decryptor(key, document_id, version, header, stored.length)
            for number in range(window, window_last + 1, FRAME_SEGMENTS):
                place = (number - window) * streaming.SEGMENT_BYTES
                opened = decryptor.open(number, memoryview(ciphertext)[place : place + FRAME_BYTES])
                begin = streaming.plaintext_start(number)
                frame = opened[max(0, start - begin) : end - begin]
                if frame:
                    yield frame
                await asyncio.sleep(0)

    async def _key(self, stored: Stored, owner: str, document_id: str, version: int) -> bytes:
        if stored.format != streaming.FORMAT:
            raise NotAuthentic("format")
        return await self.keys.document_key(
            stored.wrapped_key, owner=owner, document_id=document_id, version=version, sealed_as=stored.format
        )

    def _decryptor(self, key: bytes, document_id: str, version: int, header: bytes, length: int) -> Decryptor:
        return Decryptor(key, content_associated_data(document_id, version), header, length=length)

    async def _window(self, object_key: str, first: int, last: int, length: int, total: int) -> bytes:
        start, end = streaming.ciphertext_span(first, last, length=length)
        return await self._get(object_key, start=start, length=end - start, total=total)

    async def _get(self, object_key: str, *, start: int, length: int, total: int) -> bytes:
        blob = await self.blobs.get(object_key, start=start, length=length)
        if blob.total != total or len(blob.data) != length:
            raise NotAuthentic("length of the object")
        return blob.data

    async def _tell(self, what: str, owner: str, object_key: str, document_id: str) -> None:
        """Raises Erased where the owner was meanwhile: an erasure takes objects from under whoever reads them, and
        nothing was damaged."""
        with suppress(Unavailable):
            if await self.keys.is_erased(owner):
                raise Erased
        log.critical("integrity alarm: %s: object %s of document %s", what, object_key, document_id)

    async def _sha256_of(self, object_key: str, total: int) -> bytes:
        """Empty where the object is not there or not of that length."""
        sha256 = hashlib.sha256()
        step = WINDOW_SEGMENTS * streaming.SEGMENT_BYTES
        for start in range(0, total, step):
            try:
                blob = await self.blobs.get(object_key, start=start, length=min(step, total - start))
            except BlobDamaged:
                return b""
            if blob.total != total:
                return b""
            sha256.update(blob.data)
        return sha256.digest()


class Reading:
    """An opened document: iterate it once, and close it if you leave before the end."""

    def __init__(self, first: bytes, rest: AsyncIterator[bytes]) -> None:
        self._first = first
        self._rest = rest

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            if self._first:
                yield self._first
            async for frame in self._rest:
                yield frame
        finally:
            await self.aclose()

    async def aclose(self) -> None:
        await self._rest.aclose()  # type: ignore[attr-defined]


class _Sealing:
    """One plaintext on its way out: the stream that a PUT sends, and both digests of what the last try sent."""

    def __init__(self, key: bytes, associated_data: bytes, frames: AsyncIterable[bytes], length: int) -> None:
        self._key = key
        self._associated_data = associated_data
        self._frames = frames
        self._length = length
        # An iterator gives itself again, wherever it stands.
        self.repeatable = not isinstance(frames, AsyncIterator)
        self.plaintext_sha256 = hashlib.sha256()
        self.ciphertext_sha256 = hashlib.sha256()

    async def once(self) -> AsyncIterator[bytes]:
        """A new salt and nonce prefix each time: a second try never repeats a nonce with other bytes."""
        self.plaintext_sha256, self.ciphertext_sha256 = hashlib.sha256(), hashlib.sha256()
        encryptor = Encryptor(self._key, self._associated_data)
        length = 0
        ahead = encryptor.header
        async for frame in self._frames:
            for place in range(0, len(frame), FRAME_BYTES):
                piece = frame[place : place + FRAME_BYTES]
                length += len(piece)
                if length > self._length:
                    raise LengthMismatch
                self.plaintext_sha256.update(piece)
                if sealed := encryptor.update(piece):
                    yield self._counted(ahead + sealed)
                    ahead = b""
                await asyncio.sleep(0)
        if length != self._length:
            raise LengthMismatch
        yield self._counted(ahead + encryptor.finalize())

    def _counted(self, sealed: bytes) -> bytes:
        self.ciphertext_sha256.update(sealed)
        return sealed
