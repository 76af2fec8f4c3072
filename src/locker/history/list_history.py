"""Who saw or did what with a citizen's documents."""

from kit.db import Tx
from locker.access.cursor import Cursors, Position
from locker.history import store
from locker.history.schema import Chosen, HistoryEvent, HistoryPage, LoggedRow

PAGE_MAX = 200


async def list_history(
    tx: Tx, cursors: Cursors, *, owner: str, chosen: Chosen, after: str | None, limit: int
) -> HistoryPage:
    """Newest first; ``after`` is a cursor of the same choice."""
    position = cursors.read(after, owner=owner, of=chosen.name) if after else None
    rows = await store.events(tx, owner=owner, chosen=chosen, after=position, limit=limit + 1)
    following = None
    if len(rows) > limit:
        last = rows[limit - 1]
        following = cursors.write(Position(last.at, last.audit_id), owner=owner, of=chosen.name)
    return HistoryPage(events=await _named(tx, rows[:limit]), next=following)


async def latest(tx: Tx, *, owner: str, limit: int) -> list[HistoryEvent]:
    return await _named(tx, await store.events(tx, owner=owner, chosen=Chosen(), after=None, limit=limit))


async def _named(tx: Tx, rows: list[LoggedRow]) -> list[HistoryEvent]:
    names = await store.type_names(tx, (code for row in rows for code in row.types))
    return [
        HistoryEvent(
            audit_id=row.audit_id,
            number=row.number,
            at=row.at,
            action=row.action,
            actor_kind=row.actor_kind,
            actor=row.actor,
            actor_names=row.actor_names,
            recipient=row.recipient,
            object_id=row.object_id,
            purpose=row.purpose,
            result=row.result,
            types={code: names.get(code, {}) for code in row.types},
            fields=row.fields,
        )
        for row in rows
    ]
