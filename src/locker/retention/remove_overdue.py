from collections import Counter

from kit.audit import Audit, AuditEvent
from kit.db import Database, Tx
from locker.retention import store
from locker.retention.schema import Overdue, Retained


async def remove_overdue(db: Database, audit: Audit, *, documents_max: int = 1_000, dry_run: bool = False) -> Retained:
    """Documents whose type is kept for so many days, counted from the last day on which they are valid, or from their
    deposit where there is none. A held one is never touched. The citizen sees each."""
    found = await store.overdue(db, limit=documents_max + 1)
    removed = [each for each in found[:documents_max] if dry_run or await _remove(db, audit, each)]
    return Retained(
        dry_run=dry_run,
        documents=len(removed),
        by_type=dict(sorted(Counter(each.type for each in removed).items())),
        truncated=len(found) > documents_max,
    )


async def _remove(db: Database, audit: Audit, overdue: Overdue) -> bool:
    async def remove(tx: Tx) -> bool:
        if not await store.remove(tx, owner=overdue.owner, document_id=overdue.document_id):
            return False
        await audit.append(
            tx,
            AuditEvent(
                action="document.retired",
                actor_kind="system",
                owner=overdue.owner,
                object_id=overdue.document_id,
                detail={"type": overdue.type},
            ),
        )
        return True

    return await db.transact(remove)
