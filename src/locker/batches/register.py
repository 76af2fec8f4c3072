import asyncio
import hashlib
import secrets
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from kit.audit import AuditEvent
from kit.db import Tx
from kit.errors import Refusal, Unavailable
from kit.ids import new_public_id
from locker.administrations.identify import identify
from locker.administrations.schema import Depositor
from locker.batches import store
from locker.batches.desk import BatchDesk
from locker.batches.forget_expired import drop
from locker.batches.line_keys import SALT_BYTES, LineKey
from locker.batches.patient import patient
from locker.batches.read_lines import read_lines
from locker.batches.refusals import (
    BatchesFull,
    FileRepeated,
    ItemRepeated,
    LineTooLong,
    ManifestEmpty,
    ManifestTooLarge,
    ReferenceRepeated,
    ReplacesRepeated,
)
from locker.batches.schema import Batch, BatchRegistered, LineProblem, ManifestLine
from locker.batches.store import NewItem
from locker.batches.told import told
from locker.catalogue.find_entitled import find_entitled
from locker.catalogue.refusals import TypeNotAllowed
from locker.catalogue.schema import DocumentType
from locker.deposits.count_attempt import count_attempt
from locker.deposits.decode import decode
from locker.deposits.once import Attempt, once
from locker.deposits.refusals import DepositInvalid, DepositOvertaken, ReplacesUnknown
from locker.documents.identifier import document_id_of

PROBLEMS_MAX = 100
_ROWS_AT_ONCE = 250


async def register(
    desk: BatchDesk, frames: AsyncIterator[bytes], *, client_id: str, idempotency_key: str, dry_run: bool
) -> BatchRegistered:
    """A manifest, line by line as it arrives: what can be known of a line before its document is checked now.

    A line that cannot be used refuses itself alone. The same manifest under the same key is the same batch.
    Raises BatchesFull, ManifestEmpty, ManifestTooLarge, TooSlow.
    """
    depositor = await identify(desk.db, client_id=client_id)
    await count_attempt(desk.deposits, desk.limits.registrations, client_id)
    with desk.registering.of(depositor.administration):
        batch = await _begin(desk, depositor, client_id=client_id, dry_run=dry_run)
        kept = False
        try:
            manifest = await _receive(desk, frames, batch)

            async def open_(attempt: Attempt) -> BatchRegistered:
                nonlocal kept
                registered = await _open(desk, batch, manifest, depositor, attempt)
                kept = True
                return registered

            return await once(
                desk.db,
                open_,
                again=lambda answer: msgspec.convert(answer, BatchRegistered),
                client_id=client_id,
                key=idempotency_key,
                request_sha256=manifest.request_sha256(dry_run=dry_run),
                lease_s=desk.limits.lease_s,
                # As long as the batch: afterwards the same manifest would be another batch, and other documents.
                lifetime_s=desk.limits.lifetime_s,
            )
        finally:
            if not kept:
                # Refused, cut short, or registered before under this key. What is missed here, the sweeper finds.
                with suppress(Unavailable):
                    await asyncio.shield(drop(desk.db, batch.batch_id))


async def _begin(desk: BatchDesk, depositor: Depositor, *, client_id: str, dry_run: bool) -> Batch:
    batch = await store.begin(
        desk.db,
        batch_id=new_public_id(),
        administration=depositor.administration,
        registered_by=client_id,
        dry_run=dry_run,
        salt=secrets.token_bytes(SALT_BYTES),
        lifetime_s=desk.limits.lifetime_s,
        per_administration_max=desk.limits.per_administration_max,
    )
    if batch is None:
        raise BatchesFull(desk.limits.per_administration_max)
    return batch


@dataclass
class _Manifest:
    """What is remembered of the lines while they arrive."""

    key: LineKey
    lines: int = 0
    refused: int = 0
    sha256: Any = field(default_factory=hashlib.sha256)
    items: dict[str, str] = field(default_factory=dict)
    """With their types."""
    files: set[str] = field(default_factory=set)
    references: set[str] = field(default_factory=set)
    replaced: set[str] = field(default_factory=set)
    """By document_id, or by the name of an item behind a hyphen."""
    types: dict[str, DocumentType | None] = field(default_factory=dict)
    problems: list[LineProblem] = field(default_factory=list)

    def check(self, line: ManifestLine) -> None:
        """Against the lines before it."""
        if line.item in self.items:
            raise ItemRepeated
        if len(set(files := _files(line))) < len(files) or not self.files.isdisjoint(files):
            raise FileRepeated
        if line.reference is not UNSET and line.reference in self.references:
            raise ReferenceRepeated
        if line.replaces_item is not UNSET:
            if line.replaces is not UNSET:
                raise DepositInvalid("either replaces or replaces_item")
            if self.items.get(line.replaces_item) != line.type:
                raise ReplacesUnknown
        if _replaced(line) in self.replaced:
            raise ReplacesRepeated

    def remember(self, line: ManifestLine) -> None:
        self.items[line.item] = line.type
        self.files.update(_files(line))
        if line.reference is not UNSET:
            self.references.add(line.reference)
        if replaced := _replaced(line):
            self.replaced.add(replaced)

    def request_sha256(self, *, dry_run: bool) -> bytes:
        digest: bytes = hashlib.sha256(b"batch" + bytes([dry_run]) + self.sha256.digest()).digest()
        return digest


async def _receive(desk: BatchDesk, frames: AsyncIterator[bytes], batch: Batch) -> _Manifest:
    manifest = _Manifest(desk.keys.of(batch.batch_id, batch.salt))
    limits, waiting = desk.limits, list[NewItem]()

    async def counted() -> AsyncIterator[bytes]:
        async for frame in patient(frames, frame_max_s=limits.frame_max_s, whole_max_s=limits.part_max_s):
            manifest.sha256.update(frame)
            yield frame

    async for text in read_lines(
        counted(), line_max_bytes=limits.line_max_bytes, total_max_bytes=limits.manifest_max_bytes
    ):
        manifest.lines += 1
        if manifest.lines > limits.items_max:
            raise ManifestTooLarge(f"at most {limits.items_max} lines", members={"max_items": limits.items_max})
        waiting.append(await _checked(desk, manifest, batch, text))
        if len(waiting) == _ROWS_AT_ONCE:
            await store.add_items(desk.db, batch_id=batch.batch_id, items=waiting)
            waiting = []
    if manifest.lines == 0:
        raise ManifestEmpty
    if waiting:
        await store.add_items(desk.db, batch_id=batch.batch_id, items=waiting)
    return manifest


async def _checked(desk: BatchDesk, manifest: _Manifest, batch: Batch, text: bytes | None) -> NewItem:
    number, item = manifest.lines, None
    try:
        if text is None:
            raise LineTooLong(members={"max_bytes": desk.limits.line_max_bytes})
        line = decode(text, ManifestLine)
        item = line.item
        manifest.check(line)
        type_ = await _type(desk, manifest, batch, line.type)
        desk.deposits.fields.check(type_, line.fields)
    except Refusal as refusal:
        if refusal.status >= 500:
            raise
        return _refused(manifest, number, item, refusal)
    manifest.remember(line)
    return NewItem(
        line=number,
        item=line.item,
        file=line.file,
        type=line.type,
        sha256=bytes.fromhex(line.sha256),
        data_file=line.data_file or None,
        data_sha256=_digest(line.data_sha256),
        data_signature_file=line.data_signature_file or None,
        data_signature_sha256=_digest(line.data_signature_sha256),
        sealed=manifest.key.seal(number, text),
    )


def _files(line: ManifestLine) -> list[str]:
    """DepositInvalid where a file has no digest or a digest no file."""
    if (line.data_file is UNSET) != (line.data_sha256 is UNSET):
        raise DepositInvalid("data_file and data_sha256: both or neither")
    if (line.data_signature_file is UNSET) != (line.data_signature_sha256 is UNSET):
        raise DepositInvalid("data_signature_file and data_signature_sha256: both or neither")
    if line.data_signature_file is not UNSET and line.data_file is UNSET:
        raise DepositInvalid("data_signature_file: there is no data")
    return [name for name in (line.file, line.data_file, line.data_signature_file) if name is not UNSET]


def _replaced(line: ManifestLine) -> str | None:
    if line.replaces_item is not UNSET:
        return f"-{line.replaces_item}"
    return None if line.replaces is UNSET else document_id_of(line.replaces)


def _digest(hexadecimal: str | UnsetType) -> bytes | None:
    return None if hexadecimal is UNSET else bytes.fromhex(hexadecimal)


async def _type(desk: BatchDesk, manifest: _Manifest, batch: Batch, code: str) -> DocumentType:
    """Asked once a manifest; asked again for each document when it comes."""
    if code not in manifest.types:
        if len(manifest.types) >= PROBLEMS_MAX * 10:
            raise TypeNotAllowed
        try:
            manifest.types[code] = await find_entitled(desk.db, administration=batch.administration, type_=code)
        except TypeNotAllowed:
            manifest.types[code] = None
    found = manifest.types[code]
    if found is None:
        raise TypeNotAllowed
    return found


def _refused(manifest: _Manifest, number: int, item: str | None, refusal: Refusal) -> NewItem:
    manifest.refused += 1
    said = told(refusal)
    if len(manifest.problems) < PROBLEMS_MAX:
        manifest.problems.append(
            LineProblem(line=number, item=item, code=said["code"], detail=said["detail"], members=said["members"])
        )
    return NewItem(line=number, item=item, refusal=said)


async def _open(
    desk: BatchDesk, batch: Batch, manifest: _Manifest, depositor: Depositor, attempt: Attempt
) -> BatchRegistered:
    registered = BatchRegistered(
        batch_id=batch.batch_id,
        dry_run=batch.dry_run,
        items=manifest.lines - manifest.refused,
        refused=manifest.refused,
        problems=manifest.problems,
        expires_at=batch.expires_at,
    )

    async def commit(tx: Tx) -> None:
        if not await store.open_batch(tx, batch_id=batch.batch_id):
            raise DepositOvertaken
        await desk.deposits.audit.append(
            tx,
            AuditEvent(
                action="batch.registered",
                actor_kind="client",
                actor=attempt.client_id,
                object_id=batch.batch_id,
                detail={
                    "administration": depositor.administration,
                    "items": registered.items,
                    "refused": registered.refused,
                    "dry_run": batch.dry_run,
                },
            ),
        )
        await attempt.answer(tx, registered)

    await desk.db.transact(commit)
    return registered
