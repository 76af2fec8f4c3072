"""The one writer of ``locker.reference``."""

from datetime import datetime

import msgspec

from kit.db import Tx
from locker.references.schema import LetGo, ReferenceRow


async def insert(tx: Tx, *, owner: str, document_id: str, url_sealed: bytes, confirmed_at: datetime | None) -> None:
    await tx.execute(
        """
        INSERT INTO locker.reference (owner, document_id, url_sealed, confirmed_at)
        VALUES ($1, $2, $3, coalesce($4, now()))""",
        owner,
        document_id,
        url_sealed,
        confirmed_at,
    )


async def find(tx: Tx, *, owner: str, document_id: str, retry_s: float) -> ReferenceRow | None:
    row = await tx.fetchrow(
        """
        SELECT r.url_sealed, r.confirmed_at, r.cached, r.removed, r.copied_at, r.failure,
               greatest(0, floor(extract(epoch FROM now() - r.confirmed_at)))::int AS age_s,
               coalesce(r.failed_at > now() - make_interval(secs => $3), false) AS failed_lately,
               d.object_key, d.ciphertext_sha256
          FROM locker.reference r JOIN locker.document d USING (owner, document_id)
         WHERE r.owner = $1 AND r.document_id = $2""",
        owner,
        document_id,
        retry_s,
    )
    return None if row is None else msgspec.convert(dict(row), ReferenceRow)


async def claim(tx: Tx, *, owner: str, document_id: str, lease_s: float) -> datetime | None:
    """One at a time, on any node: the lease, which fences what its holder writes. None while somebody else is at it."""
    lease: datetime | None = await tx.fetchval(
        """
        UPDATE locker.reference SET lease_until = clock_timestamp() + make_interval(secs => $3)
         WHERE owner = $1 AND document_id = $2 AND lease_until < now()
        RETURNING lease_until""",
        owner,
        document_id,
        lease_s,
    )
    return lease


async def confirm(tx: Tx, *, owner: str, document_id: str, lease: datetime) -> bool:
    """False: the lease ended, and somebody else fetches it or let it go. Whoever is told so writes nothing."""
    row = await tx.fetchrow(
        """
        UPDATE locker.reference
           SET confirmed_at = now(), cached = true, removed = false, failure = NULL, failed_at = NULL,
               lease_until = '-infinity'
         WHERE owner = $1 AND document_id = $2 AND lease_until = $3
        RETURNING document_id""",
        owner,
        document_id,
        lease,
    )
    return row is not None


async def fail(tx: Tx, *, owner: str, document_id: str, lease: datetime, failure: str | None) -> bool:
    """The lease ends; without a ``failure`` that is all. False where it had ended."""
    row = await tx.fetchrow(
        """
        UPDATE locker.reference
           SET failure = coalesce($4, failure), failed_at = CASE WHEN $4::text IS NULL THEN failed_at ELSE now() END,
               lease_until = '-infinity'
         WHERE owner = $1 AND document_id = $2 AND lease_until = $3
        RETURNING document_id""",
        owner,
        document_id,
        lease,
        failure,
    )
    return row is not None


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


async def let_go(tx: Tx, *, older_than_s: int, batch_max: int) -> list[LetGo]:
    """From here on no row promises these objects, and who fetches one of them again makes another object of it."""
    rows = await tx.fetch(
        """
        UPDATE locker.reference r SET cached = false, removed = true, lease_until = '-infinity'
          FROM locker.document d
         WHERE (r.owner, r.document_id) IN (
               SELECT owner, document_id FROM locker.reference
                WHERE copied_at IS NULL AND NOT removed AND lease_until < now()
                  AND confirmed_at < now() - make_interval(secs => $1)
                ORDER BY confirmed_at LIMIT $2 FOR UPDATE SKIP LOCKED)
           AND d.owner = r.owner AND d.document_id = r.document_id
        RETURNING r.owner, d.object_key""",
        float(older_than_s),
        batch_max,
    )
    return [LetGo(**dict(row)) for row in rows]
