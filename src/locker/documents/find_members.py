from kit.db import Tx
from locker.documents import store
from locker.documents.record_schema import Member


async def find_members(tx: Tx, document_id: str) -> list[Member]:
    """The document and those that were deposited with it for other owners."""
    return await store.members(tx, document_id=document_id)
