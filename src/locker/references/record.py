from kit.db import Tx
from locker.references import store


async def record(tx: Tx, *, owner: str, document_id: str, url_sealed: bytes) -> None:
    """In the transaction that writes its document, after it."""
    await store.insert(tx, owner=owner, document_id=document_id, url_sealed=url_sealed)
