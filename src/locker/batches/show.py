"""How a batch stands: by counts, by every line, by what is missing."""

from collections.abc import AsyncIterator

import msgspec

from locker.administrations.identify import identify
from locker.batches import store
from locker.batches.desk import BatchDesk
from locker.batches.find_batch import find_batch
from locker.batches.schema import Batch, BatchShown
from locker.begun import begun

_PAGE = 500
_SIGNED_PAGE = 50
"""Each of its lines costs a signature, and nobody else is served meanwhile."""


async def show(desk: BatchDesk, batch_id: str, *, client_id: str) -> BatchShown:
    batch = await _of_caller(desk, batch_id, client_id)
    states = await store.counts(desk.db, batch_id=batch_id)
    return BatchShown(
        batch_id=batch_id,
        dry_run=batch.dry_run,
        created_at=batch.created_at,
        expires_at=batch.expires_at,
        items=sum(msgspec.structs.astuple(states)),
        states=states,
    )


async def results(desk: BatchDesk, batch_id: str, *, client_id: str) -> AsyncIterator[bytes]:
    """NDJSON, one line of the manifest after the other, with receipts; few in memory at a time."""
    batch = await _of_caller(desk, batch_id, client_id)

    async def lines() -> AsyncIterator[bytes]:
        after, more = 0, True
        while more:
            page = await store.results(desk.db, batch_id=batch_id, after=after, limit=_SIGNED_PAGE)
            yield msgspec.json.Encoder().encode_lines([desk.with_receipt(batch, one) for one in page])
            more = len(page) == _SIGNED_PAGE
            after = page[-1].shown.line if page else after

    return await begun(lines())


async def missing(desk: BatchDesk, batch_id: str, *, client_id: str) -> AsyncIterator[bytes]:
    """NDJSON of the items whose document is still to come."""
    await _of_caller(desk, batch_id, client_id)

    async def lines() -> AsyncIterator[bytes]:
        after, more = 0, True
        while more:
            page = await store.missing(desk.db, batch_id=batch_id, after=after, limit=_PAGE)
            yield msgspec.json.Encoder().encode_lines(page)
            more = len(page) == _PAGE
            after = page[-1].line if page else after

    return await begun(lines())


async def _of_caller(desk: BatchDesk, batch_id: str, client_id: str) -> Batch:
    depositor = await identify(desk.db, client_id=client_id)
    return await find_batch(desk.db, batch_id, administration=depositor.administration)
