from kit.db import Tx
from locker.deposits.refusals import VaultFull
from locker.documents.record import count_in
from locker.documents.record_schema import NewDocument


async def count(tx: Tx, new: NewDocument, *, documents_max: int, bytes_max: int) -> None:
    """VaultFull if the citizen would hold more than one may (V-21)."""
    length = new.stored.length + (new.data.length if new.data else 0)
    if not await count_in(tx, owner=new.owner, length=length, documents_max=documents_max, bytes_max=bytes_max):
        raise VaultFull(documents=documents_max, bytes=bytes_max)
