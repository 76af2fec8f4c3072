"""A citizen asks to be erased, and may think better of it."""

from kit.audit import ActorKind, Audit, AuditEvent
from kit.db import Database, Tx
from kit.errors import Invalid
from locker.erasing import store
from locker.erasing.refusals import NothingToUndo
from locker.erasing.schema import Erasure


async def ask(
    db: Database,
    audit: Audit,
    *,
    owner: str,
    by: ActorKind,
    actor: str,
    wait_s: int,
    reference: str | None = None,
) -> Erasure:
    """It begins ``wait_s`` from now and can be undone until then. Asked again, the first one stands, except that an
    officer may bring it forward. Documents that a legal hold keeps go when it ends."""
    if not await store.is_a_citizens(db, owner=owner):
        raise Invalid("this is an administration, not a citizen")

    async def record(tx: Tx) -> Erasure:
        asked_by = "officer" if by == "officer" else "citizen"
        asked = await store.ask(tx, owner=owner, asked_by=asked_by, reference=reference, wait_s=wait_s)
        if asked is None:
            standing = await store.find(tx, owner=owner)
            assert standing is not None
            return standing
        detail = {"due_at": asked.due_at.isoformat(), **({"reference": reference} if reference else {})}
        await audit.append(
            tx, AuditEvent(action="erasure.asked", actor_kind=by, actor=actor, owner=owner, detail=detail)
        )
        return asked

    return await db.transact(record)


async def withdraw(db: Database, audit: Audit, *, owner: str, by: ActorKind, actor: str) -> None:
    """Raises NothingToUndo."""

    async def undo(tx: Tx) -> None:
        if not await store.withdraw(tx, owner=owner):
            raise NothingToUndo
        await audit.append(tx, AuditEvent(action="erasure.withdrawn", actor_kind=by, actor=actor, owner=owner))

    await db.transact(undo)
