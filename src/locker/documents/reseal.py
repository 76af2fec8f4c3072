from kit.db import Tx
from locker.documents import store


async def reseal(tx: Tx, *, owner: str, document_id: str, ciphertext_sha256: bytes) -> None:
    """The same bytes were sealed again, under the same key, at the same place."""
    await store.reseal(tx, owner=owner, document_id=document_id, ciphertext_sha256=ciphertext_sha256)
