from kit.db import Tx
from locker.catalogue import store
from locker.catalogue.schema import DocumentType


async def find_type(tx: Tx, type_: str) -> DocumentType | None:
    return await store.find(tx, type_)
