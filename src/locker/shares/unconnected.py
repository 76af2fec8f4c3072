import asyncio
from collections.abc import Sequence

from kit.db import Tx
from kit.errors import Unavailable
from locker.access.provider import Provider
from locker.shares import store
from locker.shares.schema import Share

_ASKED_MAX = 20
"""Connections: a page asks for no more."""


async def unconnected(tx: Tx, provider: Provider, shares: Sequence[Share], *, owner: str) -> frozenset[str]:
    """Which of them open nothing now because their connection does not stand. For the citizen's eyes: where the
    provider does not answer, none is called so."""
    asked = [share.share_id for share in shares if share.live and share.while_connected]
    grants = await store.grants(tx, owner=owner, share_ids=asked) if asked else {}
    distinct = sorted(set(grants.values()))[:_ASKED_MAX]
    try:
        standing = await asyncio.gather(*(provider.stands(grant_id) for grant_id in distinct))
    except Unavailable:
        return frozenset()
    over = {grant_id for grant_id, stands in zip(distinct, standing, strict=True) if not stands}
    return frozenset(share_id for share_id, grant_id in grants.items() if grant_id in over)
