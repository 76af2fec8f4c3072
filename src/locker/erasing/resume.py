from collections.abc import Iterable

from kit.db import Tx
from locker.erasing import store


async def resume(tx: Tx, *, owners: Iterable[str]) -> int:
    """Rows of these owners were found. Those of them who were erased are gone through once more: how many.

    Whatever a request or a worker that began before an erasure writes after it is met here, by the sequencer, which
    sees each committed row of the audit once.
    """
    return await store.resume(tx, owners=sorted(set(owners)))
