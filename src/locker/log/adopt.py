"""After a database was set back: take over the leaves that were published and that it does not know any more."""

from collections.abc import AsyncIterator

from kit.audit import Audit, AuditEvent
from kit.db import Tx
from locker.log import store
from locker.log.checkpoint import Checkpoint, NoteRefused, read_checkpoint
from locker.log.read_tiles import TreeReader
from locker.log.refusals import LogLed, NotToBeAdopted
from locker.log.schema import Adopted
from locker.log.sequence import LEASE_S, Sequencer
from locker.log.tiles import ENTRY_BYTES, WIDTH, Tile


async def adopt(sequencer: Sequencer) -> Adopted:
    """The tree goes on where it was published, with leaves whose rows are lost; each portion is told by a row
    ``log.adopted``. Dying on the way is no harm: say it again.

    Nothing is changed unless all that is taken over leads to the published root. Raises LogLed while a worker leads,
    NotToBeAdopted where what was published does not continue what is here.
    """
    published = await _published(sequencer)
    head = await store.lead(sequencer.db, leader=sequencer.leader, lease_s=LEASE_S)
    if head is None:
        raise LogLed
    start = head.size
    if published.size > start:
        edge = await TreeReader(sequencer.db).edge(start)
        async for bundle in _bundles(sequencer, start, published.size):
            for commitment in bundle:
                edge.append(commitment)
        if edge.root() != published.root:
            raise NotToBeAdopted("another-tree")
        async for bundle in _bundles(sequencer, start, published.size):
            await _take(sequencer, bundle)
    return Adopted(leaves=max(0, published.size - start), start=start, size=max(start, published.size))


async def _published(sequencer: Sequencer) -> Checkpoint:
    note = await sequencer.objects.read_checkpoint()
    if note is None:
        raise NotToBeAdopted("nothing-published")
    try:
        return read_checkpoint(note, sequencer.key.verifier_keys)
    except NoteRefused:
        raise NotToBeAdopted("not-our-checkpoint") from None


async def _bundles(sequencer: Sequencer, start: int, end: int) -> AsyncIterator[list[bytes]]:
    """The published commitments from ``start`` on, up to a tile's at once."""
    for number in range(start // WIDTH, -(-end // WIDTH)):
        width = min(WIDTH, end - number * WIDTH)
        entries = await sequencer.objects.read_tile(Tile("entries", number, width))
        if entries is None or len(entries) != ENTRY_BYTES * width:
            raise NotToBeAdopted("tile-missing")
        commitments = [entries[at + 2 : at + ENTRY_BYTES] for at in range(0, len(entries), ENTRY_BYTES)]
        yield commitments[max(0, start - number * WIDTH) :]


async def _take(sequencer: Sequencer, commitments: list[bytes]) -> None:
    if await store.lead(sequencer.db, leader=sequencer.leader, lease_s=LEASE_S) is None:
        raise LogLed

    async def action(tx: Tx) -> None:
        size = await store.hold_size(tx, leader=sequencer.leader)
        if size is None:
            raise LogLed
        edge = await TreeReader(tx).edge(size)
        for commitment in commitments:
            edge.append(commitment)
        await store.add_lost_leaves(tx, start=size, commitments=commitments)
        await store.keep_tiles(tx, edge.changed)
        if not await store.grow(tx, old=size, new=edge.size):
            raise LogLed
        detail = {"leaves": len(commitments), "from": size}
        await Audit("locker").append(tx, AuditEvent(action="log.adopted", actor_kind="officer", detail=detail))

    await sequencer.db.transact(action)
