"""Reads only: the audit belongs to everybody who acts, the client to its registration."""

import datetime as dt
from uuid import UUID

from kit.db import Row, Tx


async def history(tx: Tx, owner: str, *, before: tuple[dt.datetime, UUID] | None, count_max: int) -> list[Row]:
    at, audit_id = before or (None, None)
    return list(
        await tx.fetch(
            """
            SELECT a.at, a.audit_id, a.action, a.result, a.detail, a.purpose, c.metadata
              FROM idp.audit a
              LEFT JOIN idp.client c ON c.client_id IN (a.purpose, a.object_id)
             WHERE a.owner = $1 AND ($2::timestamptz IS NULL OR (a.at, a.audit_id) < ($2, $3))
             ORDER BY a.at DESC, a.audit_id DESC
             LIMIT $4""",
            owner,
            at,
            audit_id,
            count_max,
        )
    )
