"""The sequencer: committed rows get their place in the tree, then the tree is published.

The database is the one truth about the order: an index is given in one transaction, under the lock of one row and a
comparison of the tree's size. What is in the object store follows from it and is the same whoever writes it, so a
round may die anywhere and any worker may go on. Before anything is signed, the published checkpoint must be a
beginning of the tree: a database that was set back would otherwise sign another history. One that nobody can have
signed is damaged and no history: it is written again (docs/adr/0032).
"""

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Sequence
from uuid import UUID

from kit import metrics
from kit.db import Database, Tx
from kit.ids import new_id
from kit.outbound.fetch import Fetcher
from locker.erasing.resume import resume
from locker.log import store
from locker.log.checkpoint import Checkpoint, LogKey, NoteOfAnother, NoteRefused, read_checkpoint
from locker.log.commit import NONCE_BYTES, canonical_event, commitment
from locker.log.merkle import consistency_ranges
from locker.log.objects import WRITES_MAX, LogObjects
from locker.log.read_tiles import TreeReader
from locker.log.schema import AuditRow, Head, NewLeaf, Sequenced
from locker.log.tiles import WIDTH, Tile, grown
from locker.log.witness import Witness, ask_witnesses
from locker.vault.refusals import BlobStoreUnavailable

BATCH_MAX = 2_000
BATCHES_MAX = 50
PUBLISHED_AT_ONCE_MAX = 100_000
LEASE_S = 60.0
"""Longer than any write to the object store may take: who lost the lead writes nothing any more."""

log = logging.getLogger("locker.log")


class LogForked(Exception):
    """What was published is no beginning of what is here: nothing is signed until an operator decides."""


class Sequencer:
    """One in each worker; only the leader's rounds do something."""

    def __init__(
        self,
        db: Database,
        objects: LogObjects,
        key: LogKey,
        *,
        witnesses: Sequence[Witness] = (),
        fetcher: Fetcher | None = None,
    ) -> None:
        self.db = db
        self.objects = objects
        self.key = key
        self.witnesses = witnesses
        self.fetcher = fetcher
        self.leader: UUID = new_id()

    async def close(self) -> None:
        """Another worker need not wait for the end of the lease."""
        await store.step_down(self.db, leader=self.leader)


async def sequence(sequencer: Sequencer, *, batch_max: int = BATCH_MAX, batches_max: int = BATCHES_MAX) -> Sequenced:
    """One round. Raises LogForked, and Unavailable while the database or the object store is away."""
    done = Sequenced(leads=False)
    for _ in range(batches_max):
        before = await store.lead(sequencer.db, leader=sequencer.leader, lease_s=LEASE_S)
        if before is None:
            break
        try:
            await _must_continue(sequencer, before)
        except LogForked:
            # Whoever sets it right must be able to lead.
            await sequencer.close()
            raise
        if before.backfill_until is not None:
            await _queue_older(sequencer, before, limit=batch_max)
        added = await sequencer.db.transact(lambda tx: _give_indices(tx, sequencer.leader, batch_max))
        head = await publish(sequencer)
        done = Sequenced(leads=True, leaves=done.leaves + added, size=head.size, published=head.published)
        if added < batch_max and head.size == head.published and head.backfill_until is None:
            break
    return done


async def _queue_older(sequencer: Sequencer, head: Head, *, limit: int) -> None:
    async def action(tx: Tx) -> None:
        await store.queue_older(tx, head=head, limit=limit)

    # Full queue first: rows older than the log come in no faster than they are taken.
    if await store.count_waiting(sequencer.db) < limit:
        await sequencer.db.transact(action)


async def _must_continue(sequencer: Sequencer, head: Head) -> None:
    if head.verifier_key is not None and head.verifier_key not in sequencer.key.verifier_keys.split("\n"):
        # Also where the key was rotated since this process started.
        raise LogForked("this log was signed with another key; bring it back to the keys folder, and start again")
    note = await sequencer.objects.read_checkpoint()
    if note == head.checkpoint:
        return
    published = None if note is None else await _published(sequencer, head, note)
    if published is not None and published.size > head.published:
        return
    # Gone, damaged, or an older one: a write of a dead worker that arrived late, or somebody's hand. It says nothing of
    # what came after it, the tiles do.
    await _must_know_all_tiles(sequencer, head)
    if head.checkpoint is None:
        # The first one, which this round writes.
        return
    await _must_be_signed(sequencer, head, head.checkpoint)
    log.warning("the published checkpoint is not the newest: it is written again")
    await put_checkpoint(sequencer, head.checkpoint)


async def _published(sequencer: Sequencer, head: Head, note: str) -> Checkpoint | None:
    """None: it is damaged. Of an accident and of somebody without our key nothing can be learnt but that."""
    try:
        published = read_checkpoint(note, sequencer.key.verifier_keys)
    except NoteOfAnother as reason:
        raise LogForked(f"the published checkpoint is not ours: {reason}") from None
    except NoteRefused as reason:
        metrics.log_damaged.labels("checkpoint").inc()
        log.critical("damaged: the published checkpoint: %s", reason)
        return None
    if published.size > head.size:
        raise LogForked(f"{published.size} leaves are published and the database has {head.size}")
    if await TreeReader(sequencer.db).root(published.size) != published.root:
        raise LogForked(f"the first {published.size} leaves are not those that were published")
    return published


async def _must_know_all_tiles(sequencer: Sequencer, head: Head) -> None:
    """Leaves are given their places before their tiles are written: a tile with more of them is of a later database."""
    number, known = divmod(head.size, WIDTH)
    if await sequencer.objects.widest(number) > known:
        raise LogForked(f"more leaves are published than the {head.size} of the database")


async def _must_be_signed(sequencer: Sequencer, head: Head, note: str) -> None:
    """What the database would publish again. It is checked as if it came from the object store."""
    try:
        signed = read_checkpoint(note, sequencer.key.verifier_keys)
    except NoteRefused as reason:
        raise LogForked(f"the newest checkpoint in the database is not ours: {reason}") from None
    if signed.size > head.size or await TreeReader(sequencer.db).root(signed.size) != signed.root:
        raise LogForked("the leaves of the database are not those that were signed")


async def put_checkpoint(sequencer: Sequencer, note: str) -> bool:
    """Until it reads back as it was written. False: the lead went to another worker, who writes the next one.

    Raises BlobStoreUnavailable where the object store gives something else each time.
    """
    for _ in range(WRITES_MAX):
        await sequencer.objects.write_checkpoint(note)
        if await sequencer.objects.read_checkpoint() == note:
            return True
        if await store.lead(sequencer.db, leader=sequencer.leader, lease_s=LEASE_S) is None:
            return False
        metrics.log_damaged.labels("checkpoint").inc()
        log.error("damaged: the checkpoint does not read back as it was written")
    raise BlobStoreUnavailable("object store (the log does not read back)")


async def _give_indices(tx: Tx, leader: UUID, batch_max: int) -> int:
    size = await store.hold_size(tx, leader=leader)
    rows = [] if size is None else await store.waiting(tx, limit=batch_max)
    if size is None or not rows:
        return 0
    edge = await TreeReader(tx).edge(size)
    numbers = await store.last_numbers(tx, (row.owner or "" for row in rows))
    leaves = []
    # All at once: a call into the kernel for each would cost as much as its leaf.
    random = secrets.token_bytes(NONCE_BYTES * len(rows))
    for place, row in enumerate(rows):
        nonce = random[NONCE_BYTES * place : NONCE_BYTES * (place + 1)]
        leaves.append(_leaf(row, edge.size, numbers, nonce))
        edge.append(leaves[-1].commitment)
        if len(leaves) % 256 == 0:
            await asyncio.sleep(0)
    await store.add_leaves(tx, leaves)
    await store.keep_tiles(tx, edge.changed)
    if not await store.grow(tx, old=size, new=edge.size):
        raise LogForked("the tree grew beside us")
    await resume(tx, owners=(owner for owner in numbers if owner))
    return len(leaves)


def _leaf(row: AuditRow, leaf_index: int, numbers: dict[str, int], nonce: bytes) -> NewLeaf:
    owner = row.owner or ""
    numbers[owner] += 1
    return NewLeaf(
        leaf_index=leaf_index,
        at=row.at,
        audit_id=row.audit_id,
        commitment=commitment(nonce, canonical_event(row, number=numbers[owner])),
        owner=owner,
        number=numbers[owner],
        nonce=nonce,
    )


async def publish(sequencer: Sequencer) -> Head:
    """Tiles first, then the checkpoint that needs them, then the row from which it is served."""
    head = await store.head(sequencer.db)
    size = min(head.size, head.published + PUBLISHED_AT_ONCE_MAX)
    if size == head.published:
        return head
    reader = TreeReader(sequencer.db)
    await sequencer.objects.write_tiles(contents(reader, head.published, size))
    note = await _signed(sequencer, reader, size)
    if await store.lead(sequencer.db, leader=sequencer.leader, lease_s=LEASE_S) is None:
        return head
    if not await put_checkpoint(sequencer, note):
        return head
    await store.publish(sequencer.db, size=size, checkpoint=note, verifier_keys=sequencer.key.verifier_keys.split("\n"))
    await _remove_parts(sequencer.objects, head.published, size)
    return await store.head(sequencer.db)


async def _signed(sequencer: Sequencer, reader: TreeReader, size: int) -> str:
    checkpoint = Checkpoint(sequencer.key.origin, size, await reader.root(size))

    async def prove(old: int) -> list[bytes]:
        return [await reader.subtree(span) for span in consistency_ranges(old, size)]

    note = sequencer.key.sign(checkpoint)
    return await ask_witnesses(sequencer.witnesses, sequencer.fetcher, checkpoint, note, prove)


async def contents(reader: TreeReader, old: int, new: int) -> AsyncIterator[tuple[Tile, bytes]]:
    """What a tree of ``new`` leaves publishes that one of ``old`` did not."""
    for tile in grown(old, new):
        if tile.level == "entries":
            yield tile, b"".join(b"\x00\x20" + each for each in await reader.entries(tile.number, width=tile.width))
        else:
            yield tile, b"".join(await reader.hashes(tile.level, tile.number, width=tile.width))


async def _remove_parts(objects: LogObjects, old: int, new: int) -> None:
    """Only the first full tile of each level had parts before."""
    for level in (0, 1, 2, 3, 4, 5, 6, 7):
        before, after = old >> 8 * level, new >> 8 * level
        if before % WIDTH and before // WIDTH < after // WIDTH:
            await objects.remove_parts(Tile(level, before // WIDTH))
            if level == 0:
                await objects.remove_parts(Tile("entries", before // WIDTH))
