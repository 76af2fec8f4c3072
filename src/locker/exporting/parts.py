"""The ZIP on its way into the store: cut into objects of a bounded size, each recorded when it is there."""

import hashlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from pathlib import Path

import msgspec

from kit.db import Database, Tx
from locker.deposits import orphans
from locker.exporting import store
from locker.exporting.destroy import let_go
from locker.exporting.schema import VERSION, Checkpoint, Part, Ready, Taken, part_name
from locker.exporting.spool import Spool
from locker.exporting.zip_stream import ZipEntry, entries_in
from locker.vault import BlobDamaged, BlobMissing, Vault, new_object_key
from locker.vault.vault import Reading

PART_MAX_BYTES = 256 * 1024 * 1024
"""Of the ZIP in one object; S3 takes 5 GiB in one PUT, and this much lies on the worker's disk."""
LEASE_S = 900
"""From one part to the next."""
_INDEX_MAX_BYTES = 4 * 1024 * 1024
"""Of many small files: the part is cut before its index is large."""


log = logging.getLogger("khizana.exports")


class Overtaken(Exception):
    """The export was removed, or another worker has it."""


class Parts:
    """Of one attempt. What an earlier one recorded is taken up by ``resume``."""

    def __init__(
        self,
        db: Database,
        vault: Vault,
        folder: Path | None,
        taken: Taken,
        *,
        part_max: int,
        came_on: Callable[[], None],
    ) -> None:
        """``came_on`` is called whenever a part is behind us."""
        self._db, self._vault, self._folder, self._taken = db, vault, folder, taken
        self._part_max, self._came_on = part_max, came_on
        self._spool = Spool(folder)
        self._forget_all()

    def _forget_all(self) -> None:
        self._kept: list[Part] = []
        self._index = bytearray()
        self._sha256 = hashlib.sha256()
        self.offset = 0
        self.checkpoint = Checkpoint()

    def close(self) -> None:
        self._spool.close()

    async def resume(self) -> None:
        """Go on behind what an earlier attempt recorded. Of a part that reaches beyond the last whole thing the
        beginning is taken over, and it is made again."""
        kept = await store.parts(self._db, owner=self._taken.owner, export_id=self._taken.export_id)
        if not kept:
            return
        try:
            await self._read_again(kept)
        except (BlobDamaged, BlobMissing):
            await self._db.transact(self._drop_all)
            self._spool.close()
            self._spool = Spool(self._folder)
            self._forget_all()

    async def _read_again(self, kept: list[Part]) -> None:
        self.checkpoint = kept[-1].checkpoint
        for part in kept:
            left = self.checkpoint.offset - self.offset
            whole = part.zip_length <= left
            async for frame in self._read(part, 0, part.zip_length if whole else left):
                self._sha256.update(frame)
                self.offset += len(frame)
                if not whole:
                    self._spool.append(frame)
            if not whole:
                for entry in await self._index_of(part):
                    if entry.at < self.checkpoint.offset:
                        self.enter(entry)
                break
            self._kept.append(part)
            await self._go_on(self._db)

    async def write(self, content: bytes) -> None:
        self._sha256.update(content)
        self.offset += len(content)
        rest = memoryview(content)
        # A full part waits for one more byte: only then is it known not to be the last.
        while self._spool.length + len(rest) > self._part_max:
            room = self._part_max - self._spool.length
            self._spool.append(rest[:room])
            rest = rest[room:]
            await self._cut()
        self._spool.append(rest)

    def enter(self, entry: ZipEntry) -> None:
        self._index += msgspec.json.encode(entry) + b"\n"

    async def stand(self, checkpoint: Checkpoint) -> None:
        """Everything up to here is whole. Something must follow."""
        self.checkpoint = checkpoint
        if len(self._index) > _INDEX_MAX_BYTES and self._spool.length:
            await self._cut()

    def entries(self) -> Callable[[], AsyncIterator[ZipEntry]]:
        """Those that were entered until now, in the order of their places, each time that it is asked."""
        kept, pending = tuple(self._kept), bytes(self._index)

        async def each() -> AsyncIterator[ZipEntry]:
            for part in kept:
                for entry in await self._index_of(part):
                    yield entry
            for entry in entries_in(pending.split(b"\n")):
                yield entry

        return each

    async def finish(self, record: Callable[[Tx, int, bytes, int], Awaitable[None]]) -> None:
        """The last part; with its row ``record`` writes, in one transaction, how many parts, the SHA-256 and the length
        of all of them. Raises Overtaken."""

        async def all_of_it(tx: Tx) -> None:
            await record(tx, len(self._kept) + 1, self._sha256.digest(), self.offset)

        await self._put(last=True, record=all_of_it)

    async def _cut(self) -> None:
        self._kept.append(await self._put(last=False, record=self._go_on))
        self._spool.close()
        self._spool = Spool(self._folder)
        self._index.clear()

    async def _go_on(self, tx: Tx) -> None:
        if not await store.go_on(tx, self._taken, reached=self.checkpoint.offset, lease_s=LEASE_S):
            raise Overtaken
        self._came_on()

    async def _put(self, *, last: bool, record: Callable[[Tx], Awaitable[None]]) -> Part:
        owner, export_id, number = self._taken.owner, self._taken.export_id, len(self._kept)
        name, zip_length = part_name(export_id, number, last=last), self._spool.length
        self._spool.append(bytes(self._index))
        self._spool.seal()
        object_key = new_object_key()
        await orphans.intend(self._db, owner=owner, object_key=object_key)
        stored = await self._vault.put(
            owner=owner,
            document_id=name,
            version=VERSION,
            object_key=object_key,
            frames=self._spool,
            length=self._spool.length,
        )
        part = Part(number=number, name=name, stored=stored, zip_length=zip_length, checkpoint=self.checkpoint)

        async def keep(tx: Tx) -> None:
            await self._vault.hold_owner_key(tx, owner=owner, parted_too=True)
            # Before the parts: who removes an export takes the same rows in the same order.
            await record(tx)
            if not await orphans.fulfil(tx, owner=owner, object_key=object_key):
                raise Overtaken
            await let_go(tx, owner=owner, export_id=export_id, first=number)
            await store.add_part(tx, part, owner=owner, export_id=export_id)

        await self._db.transact(keep)
        return part

    async def _drop_all(self, tx: Tx) -> None:
        await self._go_on(tx)
        await let_go(tx, owner=self._taken.owner, export_id=self._taken.export_id)

    async def _index_of(self, part: Part) -> list[ZipEntry]:
        lines = b"".join([frame async for frame in self._read(part, part.zip_length, part.stored.length)])
        return list(entries_in(lines.split(b"\n")))

    async def _read(self, part: Part, start: int, end: int) -> AsyncIterator[bytes]:
        frames = self._vault.read(
            part.stored, owner=self._taken.owner, document_id=part.name, version=VERSION, start=start, end=end
        )
        async with aclosing(frames):  # type: ignore[type-var]
            async for frame in frames:
                yield frame


async def open_parts(vault: Vault, ready: Ready, *, owner: str, start: int, end: int) -> Reading:
    """The bytes from ``start`` to ``end`` (exclusive) of the ZIP, as Vault.open."""
    if sum(part.zip_length for part in ready.parts) != ready.length:
        log.critical("integrity alarm: the parts of export %s are not all of it", ready.export_id)
        raise BlobDamaged
    frames = _frames(vault, ready.parts, owner=owner, start=start, end=end)
    return Reading(await anext(frames, b""), frames)


async def _frames(vault: Vault, parts: list[Part], *, owner: str, start: int, end: int) -> AsyncIterator[bytes]:
    place = 0
    for part in parts:
        begin, stop = max(start - place, 0), min(end - place, part.zip_length)
        place += part.zip_length
        if begin >= stop:
            continue
        frames = vault.read(part.stored, owner=owner, document_id=part.name, version=VERSION, start=begin, end=stop)
        async with aclosing(frames):  # type: ignore[type-var]
            async for frame in frames:
                yield frame
