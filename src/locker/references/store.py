"""The one writer of ``locker.reference``."""

import msgspec

from kit.db import Tx
from locker.references.schema import ReferenceRow, StaleObject


async def insert(tx: Tx, *, owner: str, document_id: str, url_sealed: bytes) -> None:
    await tx.execute(
        "INSERT INTO locker.reference (owner, document_id, url_sealed) VALUES ($1, $2, $3)",
        owner,
        document_id,
        url_sealed,
    )


async def find(tx: Tx, *, owner: str, document_id: str, retry_s: float) -> ReferenceRow | None:
    row = await tx.fetchrow(
        """
        SELECT url_sealed, confirmed_at, cached, copied_at, failure,
               floor(extract(epoch FROM now() - confirmed_at))::int AS age_s,
               coalesce(failed_at > now() - make_interval(secs => $3), false) AS failed_lately
          FROM locker.reference WHERE owner = $1 AND document_id = $2""",
        owner,
        document_id,
        retry_s,
    )
    return None if row is None else msgspec.convert(dict(row), ReferenceRow)


async def claim(tx: Tx, *, owner: str, document_id: str, lease_s: float) -> bool:
    """One at a time, on any node. False while somebody else is at it."""
    row = await tx.fetchrow(
        """
        UPDATE locker.reference SET lease_until = now() + make_interval(secs => $3)
         WHERE owner = $1 AND document_id = $2 AND lease_until < now()
        RETURNING document_id""",
        owner,
        document_id,
        lease_s,
    )
    return row is not None


async def confirm(tx: Tx, *, owner: str, document_id: str) -> None:
    await tx.execute(
        """
        UPDATE locker.reference
           SET confirmed_at = now(), cached = true, removed = false, failure = NULL, failed_at = NULL,
               lease_until = '-infinity'
         WHERE owner = $1 AND document_id = $2""",
        owner,
        document_id,
    )


async def fail(tx: Tx, *, owner: str, document_id: str, failure: str | None) -> None:
    """The lease ends; without a ``failure`` that is all."""
    await tx.execute(
        """
        UPDATE locker.reference
           SET failure = coalesce($3, failure), failed_at = CASE WHEN $3::text IS NULL THEN failed_at ELSE now() END,
               lease_until = '-infinity'
         WHERE owner = $1 AND document_id = $2""",
        owner,
        document_id,
        failure,
    )


async def copy(tx: Tx, *, owner: str, document_id: str) -> bool:
    """True for the first time."""
    row = await tx.fetchrow(
        """
        UPDATE locker.reference SET copied_at = now()
         WHERE owner = $1 AND document_id = $2 AND copied_at IS NULL AND cached
        RETURNING document_id""",
        owner,
        document_id,
    )
    return row is not None


async def take_stale(tx: Tx, *, older_than_s: int, lease_s: float, batch_max: int) -> list[StaleObject]:
    """Their rows promise no object from here on; taken again after somebody who died."""
    rows = await tx.fetch(
        """
        UPDATE locker.reference r SET cached = false, lease_until = now() + make_interval(secs => $2)
          FROM locker.document d
         WHERE (r.owner, r.document_id) IN (
               SELECT owner, document_id FROM locker.reference
                WHERE copied_at IS NULL AND NOT removed AND lease_until < now()
                  AND confirmed_at < now() - make_interval(secs => $1)
                ORDER BY confirmed_at LIMIT $3 FOR UPDATE SKIP LOCKED)
           AND d.owner = r.owner AND d.document_id = r.document_id
        RETURNING r.owner, r.document_id, d.object_key""",
        float(older_than_s),
        lease_s,
        batch_max,
    )
    return [StaleObject(**dict(row)) for row in rows]


async def removed(tx: Tx, stale: StaleObject) -> None:
    await tx.execute(
        """
        UPDATE locker.reference SET removed = true, lease_until = '-infinity'
         WHERE owner = $1 AND document_id = $2 AND NOT cached""",
        stale.owner,
        stale.document_id,
    )
