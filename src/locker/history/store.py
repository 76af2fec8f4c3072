"""Reads of the log; ``kit.audit`` is its one writer."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

import msgspec

from kit.db import Tx
from locker.access.cursor import Position
from locker.history.schema import Chosen, LoggedRow

_OF = {
    "all": "true",
    "others": "l.actor_kind <> 'citizen'",
    "documents": "l.action LIKE 'document.%'",
    "shares": "l.action LIKE 'share.%'",
    "sessions": "l.action LIKE 'session.%'",
}


async def events(tx: Tx, *, owner: str, chosen: Chosen, after: Position | None, limit: int) -> list[LoggedRow]:
    """Newest first. Only what is chosen stands in the statement: of one that asks for everything that might be,
    PostgreSQL makes a plan anew each time once there are millions of rows."""
    arguments: list[Any] = [owner, limit]

    def given(value: object) -> str:
        arguments.append(value)
        return f"${len(arguments)}"

    conditions = ["l.owner = $1", _OF[chosen.of]]
    if after is not None:
        conditions.append(f"(l.at, l.audit_id) < ({given(after.at)}::timestamptz, {given(UUID(after.row_id))}::uuid)")
    if chosen.action is not None:
        conditions.append(f"l.action = {given(chosen.action)}::text")
    if chosen.by is not None:
        conditions.append(f"l.actor_kind = {given(chosen.by)}::text")
    if chosen.actor is not None:
        actor = given(chosen.actor)
        clients = f"SELECT client_id FROM locker.administration_client WHERE administration = {actor}::text"
        conditions.append(f"(l.actor = {actor}::text OR l.actor IN ({clients}))")
    if chosen.document is not None:
        document = given(chosen.document)
        conditions.append(f"(l.object_id = {document}::text OR l.detail -> 'documents' ? {document}::text)")
    if chosen.since is not None:
        conditions.append(f"l.at >= ({given(chosen.since)}::date)::timestamp AT TIME ZONE 'UTC'")
    if chosen.until is not None:
        conditions.append(f"l.at < ({given(chosen.until)}::date + 1)::timestamp AT TIME ZONE 'UTC'")
    rows = await tx.fetch(
        f"""
        SELECT e.audit_id::text AS audit_id, e.at, e.action, e.actor_kind, e.actor, a.names AS actor_names,
               s.recipient, e.object_id, e.purpose, e.result, e.detail, n.number
          FROM (SELECT * FROM locker.audit AS l
                 WHERE {" AND ".join(conditions)}
                 ORDER BY l.at DESC, l.audit_id DESC
                 LIMIT $2) AS e
          LEFT JOIN locker.administration_client c ON e.actor_kind = 'client' AND c.client_id = e.actor
          LEFT JOIN locker.administration a ON a.administration = c.administration
          LEFT JOIN locker.share s ON s.owner = e.owner AND s.share_id = e.object_id
          LEFT JOIN locker.log_entry n ON n.owner = e.owner AND n.audit_id = e.audit_id
         ORDER BY e.at DESC, e.audit_id DESC""",
        *arguments,
    )
    return [msgspec.convert(dict(row), LoggedRow) for row in rows]


async def type_names(tx: Tx, types: Iterable[str]) -> dict[str, dict[str, str]]:
    wanted = sorted(set(types))
    if not wanted:
        return {}
    rows = await tx.fetch("SELECT type, names FROM locker.document_type WHERE type = ANY ($1::text[])", wanted)
    return {row["type"]: row["names"] for row in rows}
