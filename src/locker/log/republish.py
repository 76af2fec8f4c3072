"""After the bucket lost what was published, or somebody altered it: write it again from the database."""

from collections.abc import AsyncIterator

from locker.log import store
from locker.log.checkpoint import NoteRefused, read_checkpoint
from locker.log.read_tiles import TreeReader
from locker.log.refusals import LogLed, NotToBeAdopted
from locker.log.schema import Republished
from locker.log.sequence import LEASE_S, Sequencer, contents, put_checkpoint
from locker.log.tiles import Tile

_TILES_A_LOOK = 100


async def republish(sequencer: Sequencer) -> Republished:
    """All tiles under the newest checkpoint, and that. Dying on the way is no harm: say it again.

    Raises LogLed while a worker leads, NotToBeAdopted where the leaves here are not those that were signed.
    """
    head = await store.lead(sequencer.db, leader=sequencer.leader, lease_s=LEASE_S)
    if head is None:
        raise LogLed
    if head.checkpoint is None:
        return Republished(tiles=0, size=0)
    reader = TreeReader(sequencer.db)
    try:
        signed = read_checkpoint(head.checkpoint, sequencer.key.verifier_keys)
    except NoteRefused:
        raise NotToBeAdopted("not-our-checkpoint") from None
    if await reader.root(signed.size) != signed.root:
        raise NotToBeAdopted("another-tree")
    tiles = 0

    async def written() -> AsyncIterator[tuple[Tile, bytes]]:
        nonlocal tiles
        async for tile in contents(reader, 0, signed.size):
            if tiles % _TILES_A_LOOK == 0 and not await _leads(sequencer):
                raise LogLed
            tiles += 1
            yield tile

    await sequencer.objects.write_tiles(written())
    if not await put_checkpoint(sequencer, head.checkpoint):
        raise LogLed
    return Republished(tiles=tiles, size=signed.size)


async def _leads(sequencer: Sequencer) -> bool:
    return await store.lead(sequencer.db, leader=sequencer.leader, lease_s=LEASE_S) is not None
