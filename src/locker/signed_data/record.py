from kit.db import Tx
from locker.signed_data import store
from locker.signed_data.schema import NewSignedData


async def record(tx: Tx, new: NewSignedData, *, owner: str, document_id: str) -> None:
    """In the transaction that writes its document, after it."""
    await store.insert(tx, new, owner=owner, document_id=document_id)
