"""What erasure does to the log: the leaves stay, what they mean is gone."""

from kit.audit import Audit, AuditEvent
from kit.db import Tx
from locker.log import store


async def forget_owner(tx: Tx, *, owner: str) -> int:
    """Destroy what opens the leaves of ``owner`` and blank the rows themselves; how many leaves lost their meaning.

    Every proof of somebody else goes on to verify. A row of ``owner`` that another transaction commits later is not
    touched: refuse the owner first, and call it once more when the last request is over. Holds the sequencer until
    ``tx`` ends. The row ``log.forgotten`` that it writes accounts for the leaves, so that nobody can pass a leaf that
    was made unreadable for one that was erased.
    """
    leaves = await store.forget(tx, owner=owner)
    await Audit("locker").append(tx, AuditEvent(action="log.forgotten", actor_kind="system", detail={"leaves": leaves}))
    return leaves
