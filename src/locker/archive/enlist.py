from kit.db import Tx
from locker.archive import store


async def enlist(tx: Tx, *, owner: str, document_id: str) -> None:
    """In the transaction that makes a document: from here on it is archived, sooner or later."""
    await store.enlist(tx, owner=owner, document_id=document_id)
