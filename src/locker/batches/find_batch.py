from kit.db import Tx
from locker.batches import store
from locker.batches.refusals import BatchUnknown
from locker.batches.schema import Batch
from locker.documents.identifier import document_id_of


async def find_batch(tx: Tx, batch_id: str, *, administration: str) -> Batch:
    """Only its administration sees it; BatchUnknown for every other."""
    # Same alphabet and length as a document_id.
    if document_id_of(batch_id) != batch_id:
        raise BatchUnknown
    found = await store.batch(tx, batch_id=batch_id, administration=administration)
    if found is None:
        raise BatchUnknown
    return found
