from collections.abc import Sequence

from idp.logout import store
from kit.db import Tx

NOTICE_LIFETIME_S = 24 * 3_600
"""A client that does not answer for a day has long lost the session that it would end."""


async def queue_notices(tx: Tx, sids: Sequence[str]) -> None:
    """In the transaction that ends these sessions: a client that took part in one is told, or nothing has ended."""
    if sids:
        await store.insert_notices(tx, sids, lifetime_s=NOTICE_LIFETIME_S)
