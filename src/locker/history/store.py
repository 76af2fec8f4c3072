"""Reads of the log; ``kit.audit`` is its one writer."""

from collections.abc import Iterable
from uuid import UUID

import msgspec

from kit.db import Tx
from locker.access.cursor import Position
from locker.history.schema import Chosen, LoggedRow


async def events(tx: Tx, *, owner: str, chosen: Chosen, after: Position | None, limit: int) -> list[LoggedRow]:
    """Newest first."""
    rows = await tx.fetch(
        """
        SELECT e.audit_id::text AS audit_id, e.at, e.action, e.actor_kind, e.actor, a.names AS actor_names,
               s.recipient, e.object_id, e.purpose, e.result, e.detail, n.number
          FROM (SELECT * FROM locker.audit AS l
                 WHERE l.owner = $1
                   AND ($2::timestamptz IS NULL OR (l.at, l.audit_id) < ($2, $3::uuid))
                   AND CASE $4::text
                            WHEN 'all' THEN true
                            WHEN 'others' THEN l.actor_kind <> 'citizen'
                            WHEN 'documents' THEN l.action LIKE 'document.%'
                            WHEN 'shares' THEN l.action LIKE 'share.%'
                            ELSE l.action LIKE 'session.%' END
                   AND ($6::text IS NULL OR l.action = $6)
                   AND ($7::text IS NULL OR l.actor_kind = $7)
                   AND ($8::text IS NULL OR l.actor = $8
                        OR l.actor IN (SELECT client_id FROM locker.administration_client WHERE administration = $8))
                   AND ($9::text IS NULL OR l.object_id = $9 OR l.detail -> 'documents' ? $9)
                   AND ($10::date IS NULL OR l.at >= ($10::date)::timestamp AT TIME ZONE 'UTC')
                   AND ($11::date IS NULL OR l.at < ($11::date + 1)::timestamp AT TIME ZONE 'UTC')
                 ORDER BY l.at DESC, l.audit_id DESC
                 LIMIT $5) AS e
          LEFT JOIN locker.administration_client c ON e.actor_kind = 'client' AND c.client_id = e.actor
          LEFT JOIN locker.administration a ON a.administration = c.administration
          LEFT JOIN locker.share s ON s.owner = e.owner AND s.share_id = e.object_id
          LEFT JOIN locker.log_entry n ON n.owner = e.owner AND n.audit_id = e.audit_id
         ORDER BY e.at DESC, e.audit_id DESC""",
        owner,
        after.at if after else None,
        UUID(after.row_id) if after else None,
        chosen.of,
        limit,
        chosen.action,
        chosen.by,
        chosen.actor,
        chosen.document,
        chosen.since,
        chosen.until,
    )
    return [msgspec.convert(dict(row), LoggedRow) for row in rows]


async def type_names(tx: Tx, types: Iterable[str]) -> dict[str, dict[str, str]]:
    wanted = sorted(set(types))
    if not wanted:
        return {}
    rows = await tx.fetch("SELECT type, names FROM locker.document_type WHERE type = ANY ($1::text[])", wanted)
    return {row["type"]: row["names"] for row in rows}
