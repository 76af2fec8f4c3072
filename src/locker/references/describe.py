from kit.db import Tx
from locker.documents.refusals import DocumentUnknown
from locker.documents.schema import HeldDocument
from locker.references import store
from locker.references.confirm import RETRY_S, is_fresh
from locker.references.message import ReferenceMessage


async def describe(tx: Tx, document: HeldDocument, *, freshness_s: int) -> ReferenceMessage | None:
    """How old is what is known of it; nothing is asked of the issuer. None for what was deposited whole."""
    if not document.by_reference:
        return None
    row = await store.find(tx, owner=document.owner, document_id=document.document_id, retry_s=RETRY_S)
    if row is None:
        raise DocumentUnknown
    return ReferenceMessage(
        confirmed_at=row.confirmed_at,
        age_s=row.age_s,
        fresh=is_fresh(row, freshness_s),
        failure=None if row.copied_at else row.failure,
        copied_at=row.copied_at,
    )
