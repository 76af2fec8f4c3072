from kit.db import Tx
from locker.documents import store


async def reseal(tx: Tx, *, owner: str, document_id: str, object_key: str, ciphertext_sha256: bytes) -> None:
    """The same bytes were sealed again, under the same key, as another object."""
    await store.reseal(
        tx, owner=owner, document_id=document_id, object_key=object_key, ciphertext_sha256=ciphertext_sha256
    )
