from kit.db import Tx
from locker.access.cursor import Cursors, Position
from locker.shares import store
from locker.shares.refusals import ShareUnknown
from locker.shares.schema import Share, SharePage

PAGE_MAX = 100


async def list_shares(
    tx: Tx, cursors: Cursors, *, owner: str, live_only: bool, after: str | None, limit: int
) -> SharePage:
    """Newest first; ``after`` is a cursor of the same list."""
    name = "shares-live" if live_only else "shares"
    position = cursors.read(after, owner=owner, of=name) if after else None
    rows = await store.listed(tx, owner=owner, live_only=live_only, after=position, limit=limit + 1)
    following = None
    if len(rows) > limit:
        last = rows[limit - 1]
        following = cursors.write(Position(last.created_at, last.share_id), owner=owner, of=name)
    return SharePage(shares=rows[:limit], next=following)


async def find_share(tx: Tx, *, owner: str, share_id: str) -> Share:
    found = await store.find(tx, owner=owner, share_id=share_id)
    if found is None:
        raise ShareUnknown
    return found
