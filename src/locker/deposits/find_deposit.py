import msgspec

from kit.db import Tx
from locker.deposits import store
from locker.deposits.schema import DepositRecord
from locker.documents.identifier import document_id_of
from locker.documents.lifecycle_refusals import DocumentNotYours
from locker.receipts.sign_receipt import sign_receipt
from locker.signing.ring import SigningKeys


async def find_deposit(
    tx: Tx, signing: SigningKeys, document_id: str, *, administration: str, locker_url: str
) -> DepositRecord:
    """What an administration may know of its own deposit (V-06); DocumentNotYours for everything else."""
    if document_id_of(document_id) != document_id:
        raise DocumentNotYours
    found = await store.deposit_record(tx, document_id=document_id, administration=administration)
    if found is not None:
        return msgspec.structs.replace(found, receipt=_receipt(signing, found, administration, locker_url))
    waiting = await store.quarantine_record(tx, document_id=document_id, administration=administration)
    if waiting is None:
        raise DocumentNotYours
    return waiting


def _receipt(signing: SigningKeys, found: DepositRecord, administration: str, locker_url: str) -> str:
    """What was quarantined at deposit finds its receipt here."""
    return sign_receipt(
        signing,
        locker_url=locker_url,
        document_uri=found.uri,
        sha256=bytes.fromhex(found.sha256),
        administration=administration,
        type_=found.type,
        at=found.deposited_at,
        data_sha256=found.data_sha256,
        data_signature_sha256=found.data_signature_sha256,
    )
