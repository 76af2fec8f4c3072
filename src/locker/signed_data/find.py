from kit.db import Tx
from locker.signed_data import store
from locker.signed_data.schema import SignedData, SignedDataMessage


async def find(tx: Tx, *, owner: str, document_id: str) -> SignedData | None:
    return await store.find(tx, owner=owner, document_id=document_id)


def message(data: SignedData) -> SignedDataMessage:
    return SignedDataMessage(
        sha256=data.sha256.hex(),
        length=data.length,
        media_type=data.media_type,
        signature_sha256=data.signature_sha256.hex() if data.signature_sha256 else None,
        signed_by=data.signer,
        signed_at=data.signed_at,
        indication=data.indication,
        level=data.level,
    )
