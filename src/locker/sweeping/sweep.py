from kit.audit import Audit, AuditEvent
from kit.db import Database
from kit.errors import Unavailable
from kit.throttle import Throttle
from locker.deposits import orphans
from locker.documents.forget_outbox import forget_outbox
from locker.documents.forget_requests import forget_requests
from locker.sweeping.schema import Orphan, Swept
from locker.uploads.bin import destroy_due
from locker.vault import Vault

_BATCH = 200
_LISTED_MAX = 1_000
_REFUSED_MAX = 3
_REPEATED_WITHIN_S = 30 * 86_400
"""An issuer's queue may repeat a change of state that late."""


async def sweep(
    db: Database,
    audit: Audit,
    throttle: Throttle,
    vault: Vault,
    *,
    grace_s: int,
    outbox_lifetime_s: int,
    refused_lifetime_s: int,
    batches_max: int = 1_000,
    dry_run: bool = False,
) -> Swept:
    """Remove objects whose deposit died, then their intents; then rows past their time. Many may sweep at once.

    An intent is taken before its object goes, so that no slow deposit can still finish on it. A sweep that dies is
    taken up by the next one. Raises Unavailable at its end where the store gave an object not up: nothing else waits
    for it.
    """
    if dry_run:
        overdue = await orphans.overdue(db, grace_s=grace_s, limit=_LISTED_MAX)
        listed = [Orphan(object_key=intent.object_key, intended_at=intent.created_at) for intent in overdue]
        return Swept(dry_run=True, orphans=len(listed), listed=listed, answers=0, outbox=0)
    for _ in range(batches_max):
        if await destroy_due(db, audit, batch_max=_BATCH) < _BATCH:
            break
    removed, kept_back = await _remove_orphans(db, vault, grace_s=grace_s, batches_max=batches_max)
    answers = await orphans.forget_expired_answers(db, batch_max=_BATCH, batches_max=batches_max)
    outbox = await forget_outbox(db, lifetime_s=outbox_lifetime_s, batch_max=_BATCH, batches_max=batches_max)
    await forget_requests(db, lifetime_s=_REPEATED_WITHIN_S, batch_max=_BATCH, batches_max=batches_max)
    await orphans.forget_refused(db, lifetime_s=refused_lifetime_s, batch_max=_BATCH, batches_max=batches_max)
    await throttle.sweep(db)
    if removed:
        await audit.append(db, AuditEvent(action="orphans.swept", actor_kind="system", detail={"orphans": removed}))
    if kept_back is not None:
        raise kept_back
    return Swept(dry_run=False, orphans=removed, listed=[], answers=answers, outbox=outbox)


async def _remove_orphans(
    db: Database, vault: Vault, *, grace_s: int, batches_max: int
) -> tuple[int, Unavailable | None]:
    """How many are gone, and why not all. A store that refuses several is away, and is not asked for each."""
    removed = refused = 0
    kept_back: Unavailable | None = None
    for _ in range(batches_max):
        taken = await orphans.take(db, grace_s=grace_s, batch_max=_BATCH)
        for intent in taken:
            try:
                await vault.delete(intent.object_key)
            except Unavailable as away:
                kept_back, refused = away, refused + 1
                if refused == _REFUSED_MAX:
                    return removed, kept_back
                continue
            await orphans.forget(db, intent)
            removed += 1
        if len(taken) < _BATCH:
            break
    return removed, kept_back
