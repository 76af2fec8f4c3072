from typing import Any
from uuid import UUID

import msgspec

from kit.db import Tx
from locker.deposits.schema import DepositRecord, Intent


class IdempotencyRow(msgspec.Struct, frozen=True, kw_only=True):
    request_sha256: bytes
    attempt: UUID
    answer: dict[str, Any] | None


async def need_not_last(tx: Tx) -> None:
    """First in a transaction whose loss in a crash of the database would harm nobody: its commit waits for no disk."""
    await tx.execute("SET LOCAL synchronous_commit TO off")


async def begin(
    tx: Tx, *, client_id: str, key: str, request_sha256: bytes, attempt: UUID, lease_s: int, lifetime_s: int
) -> IdempotencyRow:
    """Take the key, or the row of who has it. An attempt of the same request that outlived its lease is taken over.

    Committed without waiting for the disk: a row that a crash loses leaves an attempt that can no longer answer.
    """
    row = await tx.fetchrow(
        """
        WITH taken AS (
            INSERT INTO locker.idempotency AS i (client_id, key, request_sha256, attempt, expires_at)
            VALUES ($1, $2, $3, $4, now() + make_interval(secs => $6))
            ON CONFLICT (client_id, key) DO UPDATE
               SET request_sha256 = excluded.request_sha256, attempt = excluded.attempt, started_at = now(),
                   answer = NULL, expires_at = excluded.expires_at
             WHERE i.expires_at < now()
                OR (i.answer IS NULL AND i.request_sha256 = excluded.request_sha256
                    AND i.started_at < now() - make_interval(secs => $5))
            RETURNING i.request_sha256, i.attempt, i.answer)
        SELECT request_sha256, attempt, answer, set_config('synchronous_commit', 'off', true) FROM taken
        UNION ALL
        SELECT request_sha256, attempt, answer, '' FROM locker.idempotency
         WHERE client_id = $1 AND key = $2 AND NOT EXISTS (SELECT FROM taken)""",
        client_id,
        key,
        request_sha256,
        attempt,
        lease_s,
        lifetime_s,
    )
    if row is None:
        # Inserted by somebody else after this statement's snapshot: it is in flight there.
        return IdempotencyRow(request_sha256=request_sha256, attempt=UUID(int=0), answer=None)
    return IdempotencyRow(request_sha256=row["request_sha256"], attempt=row["attempt"], answer=row["answer"])


async def answer(tx: Tx, *, client_id: str, key: str, attempt: UUID, answer: dict[str, Any]) -> bool:
    """False for an attempt that was overtaken: its transaction must not commit."""
    row = await tx.fetchrow(
        """
        UPDATE locker.idempotency SET answer = $4
         WHERE client_id = $1 AND key = $2 AND attempt = $3 AND answer IS NULL
        RETURNING attempt""",
        client_id,
        key,
        attempt,
        answer,
    )
    return row is not None


async def release(tx: Tx, *, client_id: str, key: str, attempt: UUID) -> None:
    """Nothing happened under this key: the next request with it starts anew."""
    await tx.execute(
        "DELETE FROM locker.idempotency WHERE client_id = $1 AND key = $2 AND attempt = $3 AND answer IS NULL",
        client_id,
        key,
        attempt,
    )


async def forget_expired_answers(tx: Tx, *, batch_max: int) -> int:
    rows = await tx.fetch(
        """
        DELETE FROM locker.idempotency
         WHERE (client_id, key) IN (SELECT client_id, key FROM locker.idempotency
                                     WHERE expires_at < now() ORDER BY expires_at LIMIT $1)
        RETURNING 1""",
        batch_max,
    )
    return len(rows)


async def intend(tx: Tx, *, owner: str, object_key: str) -> None:
    await tx.execute("INSERT INTO locker.deposit_intent (owner, object_key) VALUES ($1, $2)", owner, object_key)


async def fulfil(tx: Tx, *, owner: str, object_key: str) -> bool:
    """False if the sweeper has it: the object is gone or going."""
    row = await tx.fetchrow(
        """
        DELETE FROM locker.deposit_intent
         WHERE owner = $1 AND object_key = $2 AND swept_at IS NULL
        RETURNING object_key""",
        owner,
        object_key,
    )
    return row is not None


async def overdue_intents(tx: Tx, *, grace_s: int, limit: int) -> list[Intent]:
    rows = await tx.fetch(
        """
        SELECT owner, object_key, created_at FROM locker.deposit_intent
         WHERE created_at < now() - make_interval(secs => $1) ORDER BY created_at LIMIT $2""",
        grace_s,
        limit,
    )
    return [Intent(**dict(row)) for row in rows]


async def take_overdue_intents(tx: Tx, *, grace_s: int, batch_max: int) -> list[Intent]:
    """From here on no deposit can finish on them. Taken again after a sweeper that died."""
    rows = await tx.fetch(
        """
        UPDATE locker.deposit_intent SET swept_at = now()
         WHERE (owner, object_key) IN (
               SELECT owner, object_key FROM locker.deposit_intent
                WHERE created_at < now() - make_interval(secs => $1)
                ORDER BY created_at LIMIT $2 FOR UPDATE SKIP LOCKED)
        RETURNING owner, object_key, created_at""",
        grace_s,
        batch_max,
    )
    return [Intent(**dict(row)) for row in rows]


async def forget_intent(tx: Tx, *, owner: str, object_key: str) -> None:
    """Its object was deleted."""
    await tx.execute(
        "DELETE FROM locker.deposit_intent WHERE owner = $1 AND object_key = $2 AND swept_at IS NOT NULL",
        owner,
        object_key,
    )


async def intended(tx: Tx, *, object_keys: list[str]) -> set[str]:
    """Which of these an intent still speaks of."""
    rows = await tx.fetch(
        "SELECT object_key FROM locker.deposit_intent WHERE object_key = ANY($1::text[])", object_keys
    )
    return {row["object_key"] for row in rows}


async def deposit_record(tx: Tx, *, document_id: str, administration: str) -> DepositRecord | None:
    row = await tx.fetchrow(
        """
        SELECT d.document_id, d.uri, d.type, d.version,
               CASE WHEN d.state = 'valid' AND d.valid_until < (now() AT TIME ZONE 'UTC')::date
                    THEN 'expired' ELSE d.state END AS state,
               d.state_reason, d.state_changed_at, d.valid_from, d.valid_until, d.deposited_at,
               encode(d.sha256, 'hex') AS sha256, d.length, d.replaces, d.replaced_by, d.indication, d.level
          FROM locker.document_uri u JOIN locker.document d USING (owner, document_id)
         WHERE u.document_id = $1 AND d.administration = $2""",
        document_id,
        administration,
    )
    return DepositRecord(**dict(row)) if row else None
