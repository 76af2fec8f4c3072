"""Read the followed trust lists again."""

import asyncio
import hashlib
import logging
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from kit.audit import Audit, AuditEvent
from kit.db import Database, Tx
from kit.outbound.addresses import FetchRefused
from kit.outbound.fetch import Fetcher
from kit.workers import WorkerPool
from locker.signatures.trust_list_request import ListAnswer
from locker.signatures.trust_list_schema import LIST_MAX_BYTES, Pointer, TrustList
from locker.trust import list_store, store
from locker.trust.follow import is_file
from locker.trust.list_schema import DueList, Edition, Synced
from locker.trust.read_list import read_list

FETCH_MAX_S = 60.0
_LISTS_MAX = 500
_ACCEPT = "application/vnd.etsi.tsl+xml, application/xml;q=0.9, text/xml;q=0.9, */*;q=0.1"

log = logging.getLogger(__name__)


class ListReaders(msgspec.Struct, frozen=True, kw_only=True):
    """What a sync works with. ``fetcher`` never opens inwards; ``pool`` reads what came."""

    fetcher: Fetcher
    pool: WorkerPool
    size_max_bytes: int = LIST_MAX_BYTES


class _NotRead(Exception):
    """``failure`` is a stable code, with what the fetcher said after a colon."""

    def __init__(self, failure: str) -> None:
        super().__init__(failure)
        self.failure = failure


async def sync(
    db: Database,
    audit: Audit,
    readers: ListReaders,
    *,
    not_since: timedelta = timedelta(0),
    told: Callable[[Synced], None] = lambda _: None,
) -> list[Synced]:
    """Every list that was not tried within ``not_since``, one after another, lists of lists first.

    A list that cannot be had, or must not be believed, leaves the edition before it in force and says why.
    """
    before = await list_store.moment(db) - not_since
    done: list[Synced] = []
    while len(done) < _LISTS_MAX and (due := await list_store.take_due(db, before=before)):
        synced = await _sync_one(db, audit, readers, due)
        if synced.failure:
            log.warning("trust list %s: %s", due.source, synced.failure)
        told(synced)
        done.append(synced)
    return done


async def _sync_one(db: Database, audit: Audit, readers: ListReaders, due: DueList) -> Synced:
    try:
        xml = await _bytes_of(due.source, readers)
        sha256 = hashlib.sha256(xml).digest()
        if due.read_at and sha256 == due.sha256 and due.signed_by in {*due.signers, *due.announced}:
            await list_store.failed(db, source=due.source, failure=None)
            return Synced(source=due.source, outcome="unchanged", sequence=due.sequence)
        found = await _verified(due, xml, readers)
        if due.sequence is not None and found.sequence < due.sequence:
            raise _NotRead("rollback")
        if found.sequence == due.sequence and sha256 != due.sha256:
            raise _NotRead("same-sequence")
        await _accept(db, audit, due, Edition(found=found, xml=xml, sha256=sha256))
        return Synced(source=due.source, outcome="new", sequence=found.sequence)
    except _NotRead as reason:
        await _note(db, audit, due, reason.failure)
        return Synced(source=due.source, outcome="failed", sequence=due.sequence, failure=reason.failure)


async def _bytes_of(source: str, readers: ListReaders) -> bytes:
    if is_file(source):
        try:
            return await asyncio.to_thread(_bounded, Path(source), readers.size_max_bytes)
        except OSError:
            raise _NotRead("unreachable: the file cannot be read") from None
    try:
        answer = await readers.fetcher.get(source, accept=_ACCEPT, body_max_bytes=readers.size_max_bytes)
    except FetchRefused as refused:
        raise _NotRead(f"unreachable: {refused.reason}") from None
    if answer.status != 200:
        raise _NotRead(f"unreachable: the address answers {answer.status}")
    return answer.body


def _bounded(path: Path, size_max_bytes: int) -> bytes:
    with path.open("rb") as file:
        # One byte more than may be; the reader then says too large.
        return file.read(size_max_bytes + 1)


async def _verified(due: DueList, xml: bytes, readers: ListReaders) -> TrustList:
    signers = (*due.signers, *due.announced)
    answer = await read_list(readers.pool, xml, signers, size_max_bytes=readers.size_max_bytes)
    if answer.refused == "other-signer" and answer.pivots:
        announced = await _announced_by_pivots(due, answer, signers, readers)
        answer = await read_list(readers.pool, xml, announced, size_max_bytes=readers.size_max_bytes)
    if answer.found is None:
        raise _NotRead(answer.refused or "list-unreadable")
    return answer.found


async def _announced_by_pivots(
    due: DueList, answer: ListAnswer, signers: tuple[bytes, ...], readers: ListReaders
) -> tuple[bytes, ...]:
    """The signers that a chain of earlier editions leads to, from those that are known: the oldest first, each
    announces who signs the next. Only from where the list itself is: an unproven text does not send us elsewhere."""
    for pivot in reversed(answer.pivots):
        if is_file(due.source) or urlsplit(pivot)[:2] != urlsplit(due.source)[:2]:
            continue
        try:
            xml = await _bytes_of(pivot, readers)
        except _NotRead:
            continue
        read = await read_list(readers.pool, xml, signers, size_max_bytes=readers.size_max_bytes)
        if read.found is not None:
            signers = _announced(due.source, read.found) or signers
    return signers


def _announced(source: str, found: TrustList) -> tuple[bytes, ...]:
    """Whom a list of lists names as signers of itself, in the pointer to its own address."""
    if not found.is_list_of_lists:
        return ()
    return tuple(signer for pointer in found.pointers if pointer.location == source for signer in pointer.signers)


async def _accept(db: Database, audit: Audit, due: DueList, edition: Edition) -> None:
    found = edition.found

    async def record(tx: Tx) -> bool:
        if not await list_store.accept(tx, source=due.source, edition=edition, announced=_announced(due.source, found)):
            return False
        await list_store.put_services(tx, source=due.source, services=found.services)
        if due.pointed_by is None and found.is_list_of_lists:
            pointers = _followed(due, found)
            for pointer in pointers:
                await list_store.point_at(tx, source=pointer.location, by=due.source, signers=pointer.signers)
            await list_store.drop_pointed(tx, by=due.source, but=[pointer.location for pointer in pointers])
        await store.move_version(tx)
        await audit.append(
            tx,
            AuditEvent(
                action="trust-list.read",
                actor_kind="system",
                detail={
                    "source": due.source,
                    "sequence": found.sequence,
                    "services": len(found.services),
                    "signed_by": hashlib.sha256(found.signed_by).hexdigest(),
                },
            ),
        )
        return True

    if not await db.transact(record):
        # Somebody else read a newer one meanwhile.
        raise _NotRead("rollback")


def _followed(due: DueList, found: TrustList) -> list[Pointer]:
    """One list of lists leads to national ones, never to another list of lists, a file or an address without TLS."""
    return [
        pointer
        for pointer in found.pointers
        if not pointer.is_list_of_lists
        and pointer.location != due.source
        and pointer.location.startswith("https://")
        and pointer.signers
        and (not due.territories or pointer.territory.upper() in due.territories)
    ]


async def _note(db: Database, audit: Audit, due: DueList, failure: str) -> None:
    async def record(tx: Tx) -> None:
        await list_store.failed(tx, source=due.source, failure=failure)
        # Once, not with every try: the list says since when by its own dates.
        if failure != due.failure:
            await audit.append(
                tx,
                AuditEvent(
                    action="trust-list.refused",
                    actor_kind="system",
                    result=failure.partition(":")[0],
                    detail={"source": due.source, "in_force": due.sequence},
                ),
            )

    await db.transact(record)
