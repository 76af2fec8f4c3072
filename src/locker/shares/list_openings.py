from kit.db import Tx
from locker.receipts.sign_access import sign_access
from locker.shares import store
from locker.shares.desk import ShareDesk
from locker.shares.refusals import ShareUnknown
from locker.shares.schema import OpeningLine

_SHOWN_MAX = 50


async def list_openings(tx: Tx, *, owner: str, share_id: str) -> list[OpeningLine]:
    """Newest first; as many as a share may have."""
    return await store.openings(tx, owner=owner, share_id=share_id, limit=_SHOWN_MAX)


async def sign_twin(desk: ShareDesk, *, owner: str, share_id: str, opening_id: str) -> str:
    """What the citizen keeps of an opening, also of a share that is over. Raises ShareUnknown."""
    opening = await store.past_opening(desk.db, owner=owner, share_id=share_id, opening_id=opening_id)
    if opening is None:
        raise ShareUnknown
    items = await store.shared_documents(desk.db, owner=owner, share_id=share_id)
    return sign_access(desk.signing, opening, items, locker_url=desk.locker_url, holder="citizen")
