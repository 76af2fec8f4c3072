from kit.db import Tx
from locker.receipts.sign_access import sign_access
from locker.shares import store
from locker.shares.refusals import ShareUnknown
from locker.shares.schema import OpeningLine, Twin
from locker.signing.ring import SigningKeys

_SHOWN_MAX = 50


async def list_openings(tx: Tx, *, owner: str, share_id: str) -> list[OpeningLine]:
    """Newest first; as many as a share may have."""
    return await store.openings(tx, owner=owner, share_id=share_id, limit=_SHOWN_MAX)


async def sign_twin(tx: Tx, keys: SigningKeys, *, locker_url: str, owner: str, share_id: str, opening_id: str) -> str:
    """What the citizen keeps of an opening, also of a share that is over. Raises ShareUnknown."""
    opening = await store.past_opening(tx, owner=owner, share_id=share_id, opening_id=opening_id)
    if opening is None:
        raise ShareUnknown
    return sign_access(keys, opening, locker_url=locker_url, holder="citizen")


async def sign_twins(tx: Tx, keys: SigningKeys, *, locker_url: str, owner: str, share_id: str) -> list[Twin]:
    """Those of all openings of a share."""
    return [
        Twin(
            share_id=share_id,
            opening_id=line.opening_id,
            receipt=await sign_twin(
                tx, keys, locker_url=locker_url, owner=owner, share_id=share_id, opening_id=line.opening_id
            ),
        )
        for line in await list_openings(tx, owner=owner, share_id=share_id)
    ]
