"""From what happened to who is to be told: each event of the outbox becomes one message and one job a webhook."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from kit.audit import Audit, AuditEvent
from kit.db import Database, Row, Tx
from kit.jobs.store import Jobs
from locker.documents.take_outbox import take_outbox
from locker.webhooks import store

T = TypeVar("T")

KIND = "webhook"
BATCH = 100
ROUNDS_MAX = 100
AT_ONCE = 1_000
"""Rows of one statement: a citizen who ends all links ends five hundred with one event."""
OPENINGS_MAX = 10
"""As many of one share are named when it ends."""


async def spread(db: Database, audit: Audit, jobs: Jobs, *, waiting_max: int) -> int:
    """How many events were taken. Of an event that is taken, its messages are written in the same transaction, and that
    a relying party is told in the history of the citizen whose document it is."""

    async def once(tx: Tx) -> int:
        events = await take_outbox(tx, count_max=BATCH)
        if events:
            full = await store.full(tx, kind=KIND, waiting_max=waiting_max)
            of_documents = [row for row in events if row["topic"].startswith("document.")]
            ended = [
                (row["owner"], share_id, row["created_at"])
                for row in events
                if row["topic"] == "share.revoked"
                for share_id in row["body"]["share_ids"]
            ]
            own = await store.insert_for_administrations(tx, of_documents, full=full)
            others = list(await store.insert_for_clients(tx, of_documents, full=full))
            for some in _in_parts(ended):
                others += await store.insert_ended_shares(tx, some, openings_max=OPENINGS_MAX, full=full)
            for made in _in_parts([*own, *others]):
                await jobs.enqueue(tx, KIND, _waiting(made))
            types = {row["body"]["document_id"]: row["body"].get("type", "") for row in of_documents}
            for made in _in_parts(others):
                await audit.append_several(tx, [_announced(row, types) for row in made])
        return len(events)

    taken = 0
    for _ in range(ROUNDS_MAX):
        events = await db.transact(once)
        taken += events
        if events < BATCH:
            break
    return taken


def _in_parts(rows: Sequence[T]) -> Iterable[Sequence[T]]:
    return (rows[first : first + AT_ONCE] for first in range(0, len(rows), AT_ONCE))


def jobs_of(webhook_id: str, message_ids: Iterable[str]) -> list[tuple[str, dict[str, str]]]:
    """Each webhook has a lane of its own."""
    return [(webhook_id, {"webhook_id": webhook_id, "message_id": message_id}) for message_id in message_ids]


def _announced(row: Row, types: Mapping[str, str]) -> AuditEvent:
    """Also where the message is held for now: a replay asks nobody."""
    of_document = row["object_id"] in types
    return AuditEvent(
        action="document.announced" if of_document else "share.announced",
        actor_kind="client",
        actor=row["client_id"],
        owner=row["owner"],
        object_id=row["object_id"],
        detail={"event": row["type"], **({"type": types[row["object_id"]]} if of_document else {})},
    )


def _waiting(made: Sequence[Row]) -> list[tuple[str, dict[str, str]]]:
    return [job for row in made if row["state"] == "waiting" for job in jobs_of(row["webhook_id"], [row["message_id"]])]
