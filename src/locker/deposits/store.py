from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from kit.counting import count_up_to
from kit.db import Row, Tx
from kit.expired import forget
from locker.deposits.quarantine_state import waiting_state
from locker.deposits.schema import DepositRecord, Intent, Judgement, Part
from locker.documents.record_schema import DocumentState, NewDocument
from locker.signatures.schema import Verdict
from locker.vault import Stored

_SEALED = """document_id, document, object_key, wrapped_key, epoch, fields_sealed, sha256, length, ciphertext_sha256,
                      format"""
# What one attempt took: a deposit's row, or the rows of all its owners.
_TAKEN = "((owner = $1 AND document_id = $2) OR group_id = $3) AND attempt = $4 AND state = 'waiting'"


class IdempotencyRow(msgspec.Struct, frozen=True, kw_only=True):
    request_sha256: bytes
    attempt: UUID
    answer: dict[str, Any] | None


class QuarantineRow(msgspec.Struct, frozen=True, kw_only=True):
    """One that was taken to be judged again. Its document has no verdict yet."""

    document: NewDocument
    attempts: int
    attempt: UUID
    awaits_scan: bool


class LeftQuarantine(msgspec.Struct, frozen=True, kw_only=True):
    document: NewDocument
    revoked: tuple[str | None, str | None]
    """While it waited: why, and by which client."""
    received_at: datetime


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


async def forget_expired_answers(tx: Tx, *, batch_max: int, batches_max: int) -> int:
    return await forget(tx, "locker.idempotency", "expires_at < now()", batch_max=batch_max, batches_max=batches_max)


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


async def take_intents_of(tx: Tx, *, owner: str, since: datetime | None, batch_max: int) -> list[Intent]:
    """Of an owner who is erased: whatever their age, or those that were written at ``since`` or later."""
    rows = await tx.fetch(
        """
        UPDATE locker.deposit_intent SET swept_at = now()
         WHERE (owner, object_key) IN (
               SELECT owner, object_key FROM locker.deposit_intent
                WHERE owner = $1 AND ($2::timestamptz IS NULL OR created_at >= $2)
                LIMIT $3 FOR UPDATE SKIP LOCKED)
        RETURNING owner, object_key, created_at""",
        owner,
        since,
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
    """Which of these an intent or a quarantined deposit still speaks of."""
    rows = await tx.fetch(
        """
        SELECT object_key FROM locker.deposit_intent WHERE object_key = ANY($1::text[])
         UNION ALL
        SELECT object_key FROM locker.quarantine
         WHERE object_key COLLATE "C" = ANY($1::text[]) AND wrapped_key IS NOT NULL
         UNION ALL
        SELECT data_object_key FROM locker.quarantine
         WHERE data_object_key COLLATE "C" = ANY($1::text[]) AND wrapped_key IS NOT NULL""",
        object_keys,
    )
    return {row["object_key"] for row in rows}


async def quarantined_between(tx: Tx, *, after: str, until: str) -> dict[str, str]:
    """object_key → document_id of what waits in quarantine, for keys greater than ``after`` and up to ``until``."""
    rows = await tx.fetch(
        """
        SELECT object_key, document_id FROM locker.quarantine
         WHERE object_key COLLATE "C" > $1 AND object_key COLLATE "C" <= $2 AND wrapped_key IS NOT NULL
         UNION ALL
        SELECT data_object_key, document_id FROM locker.quarantine
         WHERE data_object_key COLLATE "C" > $1 AND data_object_key COLLATE "C" <= $2 AND wrapped_key IS NOT NULL""",
        after,
        until,
    )
    return {row["object_key"]: row["document_id"] for row in rows}


async def deposit_record(tx: Tx, *, document_id: str, administration: str) -> DepositRecord | None:
    row = await tx.fetchrow(
        """
        SELECT d.document_id, d.uri, d.type, d.version,
               CASE WHEN d.state = 'valid' AND d.valid_until < (now() AT TIME ZONE 'UTC')::date
                    THEN 'expired' ELSE d.state END AS state,
               d.state_reason, d.state_changed_at, d.valid_from, d.valid_until, d.deposited_at,
               encode(d.sha256, 'hex') AS sha256, d.length, d.revision, d.replaces, d.replaced_by, d.indication,
               d.level,
               encode(s.sha256, 'hex') AS data_sha256, encode(s.signature_sha256, 'hex') AS data_signature_sha256
          FROM locker.document_uri u JOIN locker.document d USING (owner, document_id)
          LEFT JOIN locker.signed_data s USING (owner, document_id)
         WHERE u.document_id = $1 AND d.administration = $2""",
        document_id,
        administration,
    )
    return DepositRecord(**dict(row)) if row else None


async def quarantine(
    tx: Tx,
    new: NewDocument,
    verdict: Verdict,
    *,
    part: Part,
    awaits_scan: bool = False,
    first_wait_s: int,
    per_administration_max: int,
) -> datetime | None:
    """When it is judged again; None if this administration has as many waiting as one may."""
    stored = new.stored
    due: datetime | None = await tx.fetchval(
        """
        INSERT INTO locker.quarantine
               (owner, document_id, administration, document, object_key, wrapped_key, epoch, fields_sealed, sha256,
                length, ciphertext_sha256, format, next_attempt_at, indication, sub_indication, verdict, judged_part,
                data_object_key, awaits_scan, group_id)
        SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, now() + make_interval(secs => $13), $14, $15, $16,
               $18, $19, $20, $21
         WHERE (SELECT count(*) FROM (SELECT FROM locker.quarantine
                                       WHERE administration = $3 AND state = 'waiting' LIMIT $17) AS waiting) < $17
        RETURNING next_attempt_at""",
        new.owner,
        new.document_id,
        new.administration,
        _without_secrets(new),
        stored.object_key,
        stored.wrapped_key,
        stored.epoch,
        new.fields_sealed,
        stored.plaintext_sha256,
        stored.length,
        stored.ciphertext_sha256,
        stored.format,
        first_wait_s,
        verdict.indication,
        verdict.sub_indication,
        msgspec.to_builtins(verdict),
        per_administration_max,
        part,
        new.data.object_key if new.data else None,
        awaits_scan,
        new.group_id,
    )
    return due


def _without_secrets(new: NewDocument) -> Any:
    """The key and the fields stand in columns of their own, where a refusal can destroy them.

    What is secret of data is sealed under that key.
    """
    bare = msgspec.structs.replace(
        new,
        stored=msgspec.structs.replace(new.stored, wrapped_key=b""),
        fields_sealed=b"",
        verdict={},
        data=msgspec.structs.replace(new.data, verdict={}) if new.data else None,
    )
    return msgspec.to_builtins(bare)


async def take_quarantined(tx: Tx, *, attempt: UUID, lease_s: int) -> QuarantineRow | None:
    """The one that is due longest; of several owners' the first, and the others are taken with it. Who dies over it
    loses nothing: it is due again when the lease ends, and an attempt that nobody ended counts once."""
    row = await tx.fetchrow(
        f"""
        WITH picked AS (
            SELECT owner, document_id, group_id FROM locker.quarantine q
             WHERE state = 'waiting' AND next_attempt_at <= now()
               AND NOT EXISTS (SELECT FROM locker.quarantine f
                                WHERE f.group_id = q.group_id AND f.state = 'waiting' AND f.document_id < q.document_id)
             ORDER BY next_attempt_at LIMIT 1 FOR UPDATE SKIP LOCKED
        ), taken AS (
            UPDATE locker.quarantine
               SET attempts = attempts + CASE WHEN attempt IS NULL THEN 1 ELSE 0 END, attempt = $1,
                   next_attempt_at = now() + make_interval(secs => $2)
             WHERE state = 'waiting' AND document_id IN (
                   SELECT document_id FROM picked
                    UNION
                   SELECT g.document_id FROM locker.quarantine g JOIN picked USING (group_id))
            RETURNING owner, {_SEALED}, attempts, attempt, awaits_scan)
        SELECT taken.* FROM taken JOIN picked USING (owner, document_id)""",
        attempt,
        lease_s,
    )
    if row is None:
        return None
    return QuarantineRow(
        document=_sealed(row), attempts=row["attempts"], attempt=row["attempt"], awaits_scan=row["awaits_scan"]
    )


def _sealed(row: Row) -> NewDocument:
    stored = Stored.of(row)
    bare = msgspec.convert(row["document"], NewDocument)
    return msgspec.structs.replace(bare, stored=stored, fields_sealed=row["fields_sealed"])


async def revoke_waiting(
    tx: Tx, *, document_id: str, administration: str, reason: str, client_id: str
) -> tuple[DocumentState, bool] | None:
    """How it will stand when it becomes a document, by the first revocation; and whether that is this one. Of several
    owners' all are revoked."""
    rows = await tx.fetch(
        """
        WITH named AS (
            SELECT document_id, group_id FROM locker.quarantine
             WHERE document_id = $1 AND administration = $2 AND state = 'waiting'
        ), was AS (
            SELECT q.owner, q.document_id, q.revocation_reason FROM locker.quarantine q
             WHERE q.state = 'waiting' AND q.document_id IN (
                   SELECT document_id FROM named
                    UNION
                   SELECT g.document_id FROM locker.quarantine g JOIN named USING (group_id))
             ORDER BY q.owner, q.document_id FOR UPDATE)
        UPDATE locker.quarantine q
           SET revocation_reason = coalesce(was.revocation_reason, $3), revoked_by = coalesce(q.revoked_by, $4)
          FROM was
         WHERE q.owner = was.owner AND q.document_id = was.document_id
        RETURNING q.owner, q.document_id, q.document, q.revocation_reason, now() AS at,
                  was.revocation_reason IS NULL AS new""",
        document_id,
        administration,
        reason,
        client_id,
    )
    row = next((row for row in rows if row["document_id"] == document_id), None)
    if row is None:
        return None
    state = DocumentState(
        document_id=document_id,
        uri=row["document"]["uri"],
        owner=row["owner"],
        type=row["document"]["type"],
        state="revoked",
        state_reason=row["revocation_reason"],
        state_changed_at=row["at"],
        revision=1,
    )
    return state, row["new"]


async def waiting_owners(tx: Tx, *, group_id: str) -> list[str]:
    """Of a deposit with several, those who are left."""
    rows = await tx.fetch(
        "SELECT owner FROM locker.quarantine WHERE group_id = $1 AND state = 'waiting' ORDER BY owner", group_id
    )
    return [row["owner"] for row in rows]


async def leave_quarantine(
    tx: Tx, *, owner: str, document_id: str, group_id: str | None, attempt: UUID
) -> list[LeftQuarantine]:
    """In the transaction that makes the documents: one for each owner; none for an attempt that was overtaken."""
    rows = await tx.fetch(
        f"""
        DELETE FROM locker.quarantine WHERE {_TAKEN}
        RETURNING {_SEALED}, revocation_reason, revoked_by, received_at""",
        owner,
        document_id,
        group_id,
        attempt,
    )
    return [
        LeftQuarantine(
            document=_sealed(row),
            revoked=(row["revocation_reason"], row["revoked_by"]),
            received_at=row["received_at"],
        )
        for row in rows
    ]


async def wait_on(
    tx: Tx,
    *,
    owner: str,
    document_id: str,
    group_id: str | None = None,
    attempt: UUID,
    wait_s: float,
    verdict: dict[str, Any] | None,
    part: Part = "document",
) -> bool:
    """To be judged again. Without a verdict the attempt does not count."""
    row = await tx.fetchrow(
        f"""
        UPDATE locker.quarantine
           SET next_attempt_at = now() + make_interval(secs => $5), attempt = NULL,
               attempts = attempts - CASE WHEN $6::jsonb IS NULL THEN 1 ELSE 0 END,
               indication = coalesce($6::jsonb ->> 'indication', indication),
               sub_indication = CASE WHEN $6::jsonb IS NULL THEN sub_indication ELSE $6::jsonb ->> 'sub_indication' END,
               judged_part = CASE WHEN $6::jsonb IS NULL THEN judged_part ELSE $7 END,
               verdict = coalesce($6::jsonb, verdict)
         WHERE {_TAKEN}
        RETURNING document_id""",
        owner,
        document_id,
        group_id,
        attempt,
        wait_s,
        verdict,
        part,
    )
    return row is not None


async def refuse(
    tx: Tx,
    *,
    owner: str,
    document_id: str,
    group_id: str | None = None,
    attempt: UUID,
    refusal: str,
    verdict: dict[str, Any] | None,
    part: Part = "document",
) -> list[str]:
    """Their keys are gone, their objects are the sweeper's: which they were; none for an attempt that was overtaken."""
    rows = await tx.fetch(
        f"""
        WITH refused AS (
            UPDATE locker.quarantine
               SET state = 'refused', refusal = $5, decided_at = now(), wrapped_key = NULL, fields_sealed = NULL,
                   indication = coalesce($6::jsonb ->> 'indication', indication),
                   sub_indication = CASE WHEN $6::jsonb IS NULL THEN sub_indication
                                         ELSE $6::jsonb ->> 'sub_indication' END,
                   judged_part = CASE WHEN $6::jsonb IS NULL THEN judged_part ELSE $7 END,
                   verdict = coalesce($6::jsonb, verdict)
             WHERE {_TAKEN}
            RETURNING owner, document_id, object_key, data_object_key
        ), swept AS (
            INSERT INTO locker.deposit_intent (owner, object_key)
            SELECT owner, object_key FROM refused
             UNION ALL
            SELECT owner, data_object_key FROM refused WHERE data_object_key IS NOT NULL)
        SELECT document_id FROM refused""",
        owner,
        document_id,
        group_id,
        attempt,
        refusal,
        verdict,
        part,
    )
    return [row["document_id"] for row in rows]


async def forget_refused(tx: Tx, *, lifetime_s: int, batch_max: int, batches_max: int) -> int:
    return await forget(
        tx,
        "locker.quarantine",
        "state = 'refused' AND decided_at < now() - make_interval(secs => $1)",
        float(lifetime_s),
        batch_max=batch_max,
        batches_max=batches_max,
    )


async def count_quarantined(tx: Tx) -> int:
    return await count_up_to(tx, "locker.quarantine WHERE state = 'waiting'")


async def quarantine_record(tx: Tx, *, document_id: str, administration: str) -> DepositRecord | None:
    row = await tx.fetchrow(
        """
        SELECT document, state, received_at, decided_at, sha256, length, attempts, next_attempt_at, indication,
               sub_indication, verdict, refusal, judged_part
          FROM locker.quarantine WHERE document_id = $1 AND administration = $2""",
        document_id,
        administration,
    )
    if row is None:
        return None
    new = msgspec.convert(row["document"], NewDocument)
    refused = row["state"] == "refused"
    return DepositRecord(
        document_id=new.document_id,
        uri=new.uri,
        type=new.type,
        version=new.version,
        state="refused" if refused else waiting_state(passed=row["indication"] == "TOTAL-PASSED"),
        state_reason=row["refusal"],
        state_changed_at=row["decided_at"] or row["received_at"],
        valid_from=new.valid_from,
        valid_until=new.valid_until,
        deposited_at=row["received_at"],
        sha256=row["sha256"].hex(),
        length=row["length"],
        data_sha256=new.data_sha256,
        data_signature_sha256=new.data_signature_sha256,
        replaces=new.replaces,
        replaced_by=None,
        indication=row["indication"],
        level=new.level,
        judgement=Judgement(
            attempts=row["attempts"],
            next_attempt_at=None if refused else row["next_attempt_at"],
            sub_indication=row["sub_indication"],
            reasons=row["verdict"].get("reasons", []),
            refusal=row["refusal"],
            part=row["judged_part"],
        ),
    )
