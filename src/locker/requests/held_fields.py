from locker.documents import read_store
from locker.documents.fields import open_fields
from locker.shares.desk import ShareDesk


async def held_fields(desk: ShareDesk, names: list[str], *, owner: str, document_id: str) -> list[str]:
    """Of ``names`` those that this document has: an issuer may leave out what does not apply."""
    document = await read_store.find(desk.db, owner=owner, document_id=document_id)
    held = await open_fields(desk.vault, document) if document else {}
    return [name for name in names if name in held]
