"""Reads only: the audit belongs to everybody who acts, the client to its registration."""

import datetime as dt
from collections.abc import Sequence
from uuid import UUID

from kit.db import Row, Tx

HISTORY = """
    SELECT a.at, a.audit_id, a.action, a.actor_kind, a.purpose, a.result, a.detail, c.metadata
      FROM idp.audit a
      LEFT JOIN idp.client c
             ON c.client_id = CASE WHEN a.actor_kind = 'client' THEN a.actor
                                   WHEN a.detail ? 'client_id' THEN a.detail ->> 'client_id'
                                   WHEN a.action ~ '^(session|sign-in|password)[.]' THEN a.purpose
                                   ELSE a.object_id END
     WHERE a.owner = $1 AND (a.at, a.audit_id) < ($2, $3) AND ($4::text[] IS NULL OR a.action = ANY ($4))
     ORDER BY a.at DESC, a.audit_id DESC
     LIMIT $5"""
"""One range of the index audit_owner, however long the history is: the mark is a row, not a count (D-12)."""
_TOP = (dt.datetime(9999, 1, 1, tzinfo=dt.UTC), UUID(int=0))


async def history(
    tx: Tx,
    owner: str,
    *,
    before: tuple[dt.datetime, UUID] | None,
    actions: Sequence[str] | None,
    count_max: int,
) -> list[Row]:
    at, audit_id = before or _TOP
    return list(await tx.fetch(HISTORY, owner, at, audit_id, None if actions is None else list(actions), count_max))
