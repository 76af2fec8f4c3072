"""What erasure does to the log: the leaves stay, what they mean is gone."""

from kit.audit import Audit, AuditEvent
from kit.db import Tx
from locker.log import store
from locker.log.schema import Forgotten

ROWS_MAX = 10_000


async def forget_owner(tx: Tx, *, owner: str, rows_max: int = ROWS_MAX) -> Forgotten:
    """Destroy what opens the leaves of ``owner`` and blank the rows themselves, so many of them: again, until fewer
    than ``rows_max`` were left.

    Every proof of somebody else goes on to verify. A row of ``owner`` that another transaction commits later is not
    touched: the sequencer, which meets each row once, has it looked for again. Holds the sequencer until ``tx`` ends.
    The row ``log.forgotten`` that it writes accounts for the leaves, so that nobody can pass a leaf that was made
    unreadable for one that was erased.
    """
    return await _account(tx, await store.forget(tx, owner=owner, rows_max=rows_max))


async def forget_unheld(tx: Tx, *, owner: str, rows_max: int = ROWS_MAX) -> Forgotten:
    """The same for an owner of whom the law holds documents: lines about these stay."""
    return await _account(tx, await store.forget_unheld(tx, owner=owner, rows_max=rows_max))


async def _account(tx: Tx, done: Forgotten) -> Forgotten:
    detail = {"leaves": done.leaves}
    await Audit("locker").append(tx, AuditEvent(action="log.forgotten", actor_kind="system", detail=detail))
    return done
