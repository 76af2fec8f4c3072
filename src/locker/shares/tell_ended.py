from collections.abc import Sequence

from kit.db import Tx
from locker.documents.tell_outbox import tell_outbox

_AT_ONCE = 500


async def tell_ended(tx: Tx, share_ids: Sequence[str], *, owner: str) -> None:
    """For relying parties that opened one of them; in the transaction that ends them."""
    for first in range(0, len(share_ids), _AT_ONCE):
        body = {"share_ids": list(share_ids[first : first + _AT_ONCE])}
        await tell_outbox(tx, owner=owner, topic="share.revoked", body=body)
