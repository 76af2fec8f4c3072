from kit.db import Tx
from locker.catalogue import store
from locker.catalogue.refusals import TypeNotAllowed
from locker.catalogue.schema import DocumentType


async def find_entitled(tx: Tx, *, administration: str, type_: str) -> DocumentType:
    """The type, if this administration may deposit it; TypeNotAllowed otherwise (V-04)."""
    found = await store.entitled(tx, administration=administration, type_=type_)
    if found is None:
        raise TypeNotAllowed
    return found
