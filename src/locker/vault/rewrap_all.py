from typing import Protocol

import msgspec

from kit.audit import Audit, AuditEvent
from kit.db import Database
from locker.vault.keys import Keys

BATCHES_MAX = 1_000_000


class Told(Protocol):
    def step(self, by: int = 1) -> None: ...


class AllRewrapped(msgspec.Struct, frozen=True, kw_only=True):
    citizen_keys: int
    """That were moved under this month's epoch."""
    epochs: list[str]
    """Whose key went under the newest master key."""
    destroyed: list[str]
    """Epochs whose key wrapped nothing any more."""
    unreadable: int
    """Citizen keys that are not what their epoch wrapped: damaged, or changed by somebody. The log names them."""


async def rewrap_all(
    keys: Keys,
    audit: Audit,
    db: Database,
    *,
    officer: str | None,
    batch_max: int = 500,
    batches_max: int = BATCHES_MAX,
    told: Told | None = None,
) -> AllRewrapped:
    """Everything under the newest keys, then destroy the epochs that are over. Killed anywhere, the next call goes on.

    Without an ``officer`` it is the worker's round, which leaves epochs under the master key they have: the other
    nodes may not have the newest file yet.
    """
    epochs = await keys.rewrap_epochs() if officer is not None else []
    moved = unreadable = 0
    after = ("", "")
    for _ in range(batches_max):
        step = await keys.rewrap(after=after, batch_max=batch_max)
        moved, unreadable = moved + step.moved, unreadable + step.unreadable
        if told and step.moved:
            told.step(step.moved)
        if step.last is None:
            break
        after = step.last
    destroyed = await keys.destroy_unneeded_epochs()
    if moved or epochs or destroyed:
        await audit.append(
            db,
            AuditEvent(
                action="keys.rewrapped",
                actor_kind="officer" if officer is not None else "system",
                actor=officer or "",
                detail={"citizen_keys": moved, "epochs": epochs, "destroyed": destroyed},
            ),
        )
    return AllRewrapped(citizen_keys=moved, epochs=epochs, destroyed=destroyed, unreadable=unreadable)
