"""A page of what a citizen holds."""

import msgspec

from kit.db import Tx
from locker.access.cursor import Cursors, Position
from locker.documents import read_store
from locker.documents.schema import ListedDocument

PAGE_MAX = 100
_LIST = "documents"


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    documents: list[ListedDocument]
    next: str | None


async def list_documents(tx: Tx, cursors: Cursors, *, owner: str, after: str | None, limit: int) -> Listed:
    """Newest first; ``after`` is a cursor. One more is asked for than shown, so no page needs a count."""
    position = cursors.read(after, owner=owner, of=_LIST) if after else None
    rows = await read_store.listed(tx, owner=owner, after=position, limit=limit + 1)
    shown = rows[:limit]
    following = None
    if len(rows) > limit:
        last = shown[-1]
        following = cursors.write(Position(last.deposited_at, last.document_id), owner=owner, of=_LIST)
    return Listed(documents=shown, next=following)


async def needs_attention(tx: Tx, *, owner: str) -> list[ListedDocument]:
    """The newest five of what ends soon or was stopped lately."""
    return await read_store.listed(tx, owner=owner, after=None, limit=5, attention=True)
