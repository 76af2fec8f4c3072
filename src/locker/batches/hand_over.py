import asyncio
import hashlib
import logging
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kit.errors import Refusal, Unavailable
from locker.administrations.identify import identify
from locker.administrations.refusals import AdministrationSuspended, NotAnAdministration
from locker.batches import store
from locker.batches.archive import Archive, CutShort, Entry
from locker.batches.desk import BatchDesk
from locker.batches.find_batch import find_batch
from locker.batches.multipart_stream import MultipartStream
from locker.batches.patient import patient
from locker.batches.refusals import (
    BatchUnknown,
    EntryRefused,
    EntryRepeated,
    EntryTooLarge,
    FilesMissing,
    NotInManifest,
    ReplacesAwaited,
)
from locker.batches.schema import Batch, Item, Kind, PartEnd, PartLine
from locker.batches.settle import File, settle
from locker.batches.told import told
from locker.batches.zip_stream import ZipStream
from locker.deposits.count_attempt import count_attempt
from locker.deposits.receive import PDF_WITHIN
from locker.deposits.refusals import DepositOvertaken, DigestMismatch
from locker.deposits.room import temporary_folder, within_room

log = logging.getLogger("khizana.fault")

_UNPACKED_PER_PACKED = 4
"""PDFs hardly shrink. What inflates to more than this is no part of documents."""
_TRIES = 3
_AGAIN_S = 0.5
_PATIENCE_S = 30.0
"""Where a part that is needed is away: after it the client is told to send the item again."""


@dataclass
class _Part:
    """One that is being read."""

    lines: list[PartLine] = field(default_factory=list)
    names: set[str] = field(default_factory=set)
    entries: int = 0
    given_up: set[int] = field(default_factory=set)
    """Lines of the manifest with a file that is not what it should be: what else comes of them is passed over."""
    under_way: dict[str, "asyncio.Task[None]"] = field(default_factory=dict)
    """By item."""
    stopped: str | None = None
    """The code of why no further entry is looked at."""


@dataclass
class _Gathering:
    """The files of one item, as they come, and the place that it takes."""

    item: Item
    entry: int
    """Its first."""
    places: asyncio.Semaphore
    files: dict[Kind, File] = field(default_factory=dict)
    written: list[Path] = field(default_factory=list)

    @property
    def is_whole(self) -> bool:
        return len(self.files) == len(self.item.files)

    async def take(self, desk: BatchDesk, archive: Archive[Any], entry: Entry, folder: Path) -> None:
        """EntryRefused, DigestMismatch where it is not what the manifest says."""
        kind, sha256 = self.item.files[entry.name or ""]
        file = folder / str(entry.number)
        self.written.append(file)
        self.files[kind] = await _write(archive, entry, file, wanted=sha256, max_bytes=_file_max_bytes(desk, kind))

    def let_go(self) -> None:
        for file in self.written:
            file.unlink(missing_ok=True)
        self.places.release()

    def give_up(self, refusal: Refusal) -> PartLine:
        self.let_go()
        return _refused(self.entry, self.item, refusal)


async def hand_over(
    desk: BatchDesk, frames: AsyncIterator[bytes], content_type: str, *, batch_id: str, client_id: str
) -> tuple[list[PartLine], PartEnd]:
    """A ZIP file of documents, or multipart/form-data. Each document is deposited by itself, as if it had come alone; a
    refused one stops no other.

    What was deposited before, in this part or another one, keeps its first answer. At most ``items_at_once_max`` items
    stand on disk, under numbers of ours. Raises BatchUnknown, PartMalformed, NoRoom, TooManyRequests, Unavailable.
    """
    depositor = await identify(desk.db, client_id=client_id)
    batch = await find_batch(desk.db, batch_id, administration=depositor.administration)
    await count_attempt(desk.deposits, desk.limits.parts, client_id)
    limits, part, refused = desk.limits, _Part(), None
    with desk.parts.of(depositor.administration):
        arriving = patient(
            _capped(frames, limits.part_max_bytes), frame_max_s=limits.frame_max_s, whole_max_s=limits.part_max_s
        )
        archive = _opened(desk, arriving, content_type)
        async with temporary_folder("khizana-batch-", limits.folder) as folder, asyncio.TaskGroup() as tasks:
            try:
                await _read(desk, archive, batch, part, folder, tasks, client_id=client_id)
                if part.stopped is None:
                    await archive.drain()
            except CutShort as cut:
                part.stopped = cut.code
            except Refusal as refusal:
                # Of the whole part. What is under way goes on, and its answer must be told.
                refused, part.stopped = refusal, refusal.code
    if refused is not None and not part.lines:
        raise refused
    part.lines.sort(key=lambda line: line.entry)
    return part.lines, PartEnd(entries=part.entries, complete=part.stopped is None, code=part.stopped)


def _opened(desk: BatchDesk, arriving: AsyncIterator[bytes], content_type: str) -> Archive[Any]:
    entry_max_bytes = desk.deposits.limits.receive.pdf_max_bytes
    if content_type.lower().startswith("multipart/"):
        return MultipartStream(
            arriving, content_type, entry_max_bytes=entry_max_bytes, entries_max=desk.limits.part_entries_max
        )
    unpacked_max_bytes = desk.limits.part_max_bytes * _UNPACKED_PER_PACKED
    return ZipStream(arriving, entry_max_bytes=entry_max_bytes, unpacked_max_bytes=unpacked_max_bytes)


async def _capped(frames: AsyncIterator[bytes], most: int) -> AsyncIterator[bytes]:
    total = 0
    async for frame in frames:
        total += len(frame)
        if total > most:
            raise CutShort("part-too-large")
        yield frame


async def _read(
    desk: BatchDesk,
    archive: Archive[Any],
    batch: Batch,
    part: _Part,
    folder: Path,
    tasks: asyncio.TaskGroup,
    *,
    client_id: str,
) -> None:
    places = asyncio.Semaphore(desk.limits.items_at_once_max)
    gathering: _Gathering | None = None
    try:
        while part.stopped is None and (entry := await archive.next_entry()) is not None:
            part.entries += 1
            if part.entries > desk.limits.part_entries_max:
                raise CutShort("part-has-too-many-entries")
            if entry.is_folder:
                await archive.skip(entry)
                continue
            try:
                item = await _item(desk, batch, part, entry)
            except EntryRefused as refusal:
                part.lines.append(_refused(entry.number, None, refusal))
                await archive.skip(entry)
                continue
            if gathering is not None and gathering.item.line != item.line:
                part.lines.append(gathering.give_up(FilesMissing()))
                gathering = None
            if item.state != "awaiting" or item.line in part.given_up:
                if item.state != "awaiting" and (gathering is not None or entry.name == item.file):
                    part.lines.append(await _standing(desk, batch, entry.number, item))
                if gathering is not None:
                    gathering.let_go()
                    gathering = None
                await archive.skip(entry)
                continue
            if gathering is None:
                # A place before its first byte: so many items stand on disk and no more.
                await places.acquire()
                gathering = _Gathering(item=item, entry=entry.number, places=places)
            try:
                await gathering.take(desk, archive, entry, folder)
            except (EntryRefused, DigestMismatch) as refusal:
                part.given_up.add(item.line)
                part.lines.append(gathering.give_up(refusal))
                gathering = None
                continue
            if gathering.is_whole:
                depositing = tasks.create_task(_deposit(desk, batch, part, gathering, client_id=client_id))
                part.under_way[item.item] = depositing
                gathering = None
        if gathering is not None and part.stopped is None:
            part.lines.append(gathering.give_up(FilesMissing()))
            gathering = None
    finally:
        if gathering is not None:
            gathering.let_go()


async def _item(desk: BatchDesk, batch: Batch, part: _Part, entry: Entry) -> Item:
    """By the name of the entry, which is used for nothing else."""
    if entry.name is not None and entry.name in part.names:
        raise EntryRepeated
    if entry.name is None or len(entry.name) > 255 or "\x00" in entry.name:
        raise NotInManifest
    item = await store.item_of_file(desk.db, batch_id=batch.batch_id, file=entry.name)
    if item is None:
        raise NotInManifest
    part.names.add(entry.name)
    if entry.refusal is not None and item.state == "awaiting":
        raise entry.refusal
    return item


def _file_max_bytes(desk: BatchDesk, kind: Kind) -> int:
    limits = desk.deposits.limits.receive
    return {
        "document": limits.pdf_max_bytes,
        "data": limits.data_max_bytes,
        "data_signature": limits.data_signature_max_bytes,
    }[kind]


async def _write(archive: Archive[Any], entry: Entry, file: Path, *, wanted: bytes, max_bytes: int) -> File:
    """Read to its end also where it is longer: the next entry stands behind it."""
    sha256, length, start = hashlib.sha256(), 0, b""
    # To the page cache: less than a hop to a thread.
    with within_room(), file.open("xb") as out:
        async for chunk in archive.content(entry):
            length += len(chunk)
            if length <= max_bytes:
                sha256.update(chunk)
                start += chunk[: PDF_WITHIN - len(start)]
                out.write(chunk)
    if length > max_bytes:
        raise EntryTooLarge(members={"max_bytes": max_bytes})
    if sha256.digest() != wanted:
        raise DigestMismatch("sha256")
    return File(path=file, start=start, sha256=sha256.digest(), length=length)


async def _deposit(desk: BatchDesk, batch: Batch, part: _Part, gathered: _Gathering, *, client_id: str) -> None:
    try:
        part.lines.append(await _tried(desk, batch, part, gathered, client_id=client_id))
    finally:
        gathered.let_go()


async def _tried(desk: BatchDesk, batch: Batch, part: _Part, gathered: _Gathering, *, client_id: str) -> PartLine:
    item, entry = gathered.item, gathered.entry
    until = time.monotonic() + _PATIENCE_S
    for attempt in range(1, _TRIES + 1):
        try:
            return await _settled(desk, batch, gathered, client_id=client_id)
        except (AdministrationSuspended, NotAnAdministration) as refusal:
            # Whatever stands behind in this part is not looked at.
            part.stopped = refusal.code
            return _refused(entry, item, refusal)
        except ReplacesAwaited as refusal:
            # Perhaps it is in this part, and before this one.
            earlier = part.under_way.get(refusal.item)
            if earlier is None or attempt == _TRIES:
                return _refused(entry, item, refusal)
            await asyncio.wait({earlier})
        except Unavailable as refusal:
            if attempt == _TRIES or time.monotonic() > until:
                return _refused(entry, item, refusal)
            await asyncio.sleep(_AGAIN_S * attempt)
        except Refusal as refusal:
            return _refused(entry, item, refusal)
        except Exception:
            # A fault over one document must not take the others down. It goes on waiting.
            log.exception("an item of a batch", extra={"event": "fault"})
            return PartLine(entry=entry, item=item.item, state="awaiting", code="fault")
    raise AssertionError("unreachable")


async def _settled(desk: BatchDesk, batch: Batch, gathered: _Gathering, *, client_id: str) -> PartLine:
    item = gathered.item
    depositor = await identify(desk.db, client_id=client_id)
    if depositor.administration != batch.administration:
        # Since the part began, the client speaks for another one.
        raise NotAnAdministration
    try:
        settled = await settle(desk, batch, item, gathered.files, depositor, client_id=client_id)
    except DepositOvertaken:
        # Another part was faster, or the batch has expired.
        now = await store.item_of_file(desk.db, batch_id=batch.batch_id, file=item.file)
        if now is None or now.state == "awaiting":
            raise
        return await _standing(desk, batch, gathered.entry, now)
    return PartLine(entry=gathered.entry, item=item.item, **settled)


async def _standing(desk: BatchDesk, batch: Batch, entry: int, item: Item) -> PartLine:
    """What it was answered when it came first. BatchUnknown: it has expired meanwhile."""
    rows = await store.results(desk.db, batch_id=batch.batch_id, after=item.line - 1, limit=1)
    if not rows:
        raise BatchUnknown
    found = desk.with_receipt(batch, rows[0])
    return PartLine(
        entry=entry,
        item=item.item,
        state=found.state,
        code=found.code,
        detail=found.detail,
        members=found.members,
        document_id=found.document_id,
        uri=found.uri,
        receipt=found.receipt,
        documents=found.documents,
    )


def _refused(entry: int, item: Item | None, refusal: Refusal) -> PartLine:
    """Nothing was decided: an item of the manifest waits on."""
    said = told(refusal)
    if item is None:
        return PartLine(entry=entry, **said)
    return PartLine(entry=entry, item=item.item, state="awaiting", **said)
