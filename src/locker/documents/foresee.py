"""What recording a document would be refused for, asked without recording it."""

from kit.db import Tx
from locker.documents import store


async def has_room(tx: Tx, *, owner: str, length: int, documents_max: int, bytes_max: int) -> bool:
    return await store.has_room(tx, owner=owner, length=length, documents_max=documents_max, bytes_max=bytes_max)


async def is_taken(tx: Tx, *, administration: str, reference: str) -> bool:
    """Something was deposited under this reference."""
    return await store.reference_is_taken(tx, administration=administration, reference=reference)
