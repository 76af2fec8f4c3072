from kit.db import Tx
from locker.deposits import store
from locker.deposits.schema import DepositRecord
from locker.documents.identifier import document_id_of
from locker.documents.lifecycle_refusals import DocumentNotYours


async def find_deposit(tx: Tx, document_id: str, *, administration: str) -> DepositRecord:
    """What an administration may know of its own deposit (V-06); DocumentNotYours for everything else."""
    if document_id_of(document_id) != document_id:
        raise DocumentNotYours
    found = await store.deposit_record(tx, document_id=document_id, administration=administration)
    if found is None:
        raise DocumentNotYours
    return found
