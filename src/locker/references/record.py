from datetime import datetime

from kit.db import Tx
from locker.references import store


async def record(
    tx: Tx, *, owner: str, document_id: str, url_sealed: bytes, confirmed_at: datetime | None = None
) -> None:
    """In the transaction that writes its document, after it. ``confirmed_at`` where it was fetched before now."""
    await store.insert(tx, owner=owner, document_id=document_id, url_sealed=url_sealed, confirmed_at=confirmed_at)
