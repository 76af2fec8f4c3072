from kit.db import Tx
from locker.documents import store
from locker.documents.identifier import document_id_of
from locker.documents.record_schema import Predecessor


async def find_predecessor(
    tx: Tx, uri_or_id: str, *, owner: str, administration: str, type_: str
) -> Predecessor | None:
    """The current version that a deposit may take the place of: same citizen, same administration, same type."""
    document_id = document_id_of(uri_or_id)
    if document_id is None:
        return None
    return await store.predecessor(tx, owner=owner, document_id=document_id, administration=administration, type_=type_)
