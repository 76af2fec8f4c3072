"""What strangers write into somebody's history by looking: they cannot fill it."""

from collections.abc import Iterable

from kit.audit import Audit, AuditEvent
from kit.db import Tx
from kit.throttle import Limit, Throttle


class StrangersLines:
    """Sixty lines an hour for one thing that strangers may hold: a link, a paper, a file. What is beyond is answered as
    ever and stands nowhere. ``name`` is of the limit."""

    def __init__(self, name: str) -> None:
        self._limit = Limit(name, attempts=60, per_s=3_600)

    async def write(
        self, tx: Tx, audit: Audit, throttle: Throttle, events: Iterable[AuditEvent], *, thing: str
    ) -> None:
        """``events`` are of one look and count as one: the same line for each of several owners."""
        if await throttle.count(tx, self._limit, thing, blocks=False):
            for event in events:
                await audit.append(tx, event)
