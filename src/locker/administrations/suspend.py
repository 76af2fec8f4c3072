from typing import Literal

from kit.audit import Audit, AuditEvent
from kit.db import Database, Tx
from locker.administrations import store
from locker.administrations.refusals import AdministrationUnknown


async def suspend(db: Database, audit: Audit, administration: str, *, reason: str, officer: str) -> None:
    """From the next request on, none of its clients gets anything here. Its documents keep their state."""
    await _set_state(db, audit, administration, state="suspended", reason=reason, officer=officer)


async def resume(db: Database, audit: Audit, administration: str, *, officer: str) -> None:
    await _set_state(db, audit, administration, state="active", reason=None, officer=officer)


async def _set_state(
    db: Database,
    audit: Audit,
    administration: str,
    *,
    state: Literal["active", "suspended"],
    reason: str | None,
    officer: str,
) -> None:
    async def record(tx: Tx) -> None:
        if not await store.set_state(tx, administration=administration, state=state, reason=reason):
            raise AdministrationUnknown
        await audit.append(
            tx,
            AuditEvent(
                action="administration.suspended" if state == "suspended" else "administration.resumed",
                actor_kind="officer",
                actor=officer,
                object_id=administration,
                detail={"reason": reason} if reason else {},
            ),
        )

    await db.transact(record)
