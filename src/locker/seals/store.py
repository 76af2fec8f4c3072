from collections.abc import Sequence
from typing import Any
from uuid import UUID

from kit.db import Tx
from locker.seals.schema import Level, SealingRow, SealRow, VersionRow
from locker.vault import Stored

_SEAL = """administration, seal_id, request_sha256, attempt, wanted, level, pending, version, sealed_at, expires_at"""


async def enable(tx: Tx, *, administration: str, sha256: bytes, certificate: bytes, chain: Sequence[bytes]) -> bool:
    """False where this certificate is not registered for the administration."""
    row = await tx.fetchrow(
        """
        INSERT INTO locker.sealing (administration, certificate_sha256, certificate, chain)
        SELECT $1, $2, $3, $4 FROM locker.seal_certificate
         WHERE administration = $1 AND sha256 = $2 AND withdrawn_at IS NULL
        ON CONFLICT (administration) DO UPDATE
           SET certificate_sha256 = excluded.certificate_sha256, certificate = excluded.certificate,
               chain = excluded.chain, enabled_at = now(), disabled_at = NULL
        RETURNING administration""",
        administration,
        sha256,
        certificate,
        list(chain),
    )
    return row is not None


async def disable(tx: Tx, *, administration: str) -> bool:
    row = await tx.fetchrow(
        """
        UPDATE locker.sealing SET disabled_at = now() WHERE administration = $1 AND disabled_at IS NULL
        RETURNING administration""",
        administration,
    )
    return row is not None


async def sealing(tx: Tx, *, administration: str) -> SealingRow | None:
    row = await tx.fetchrow(
        """
        SELECT s.administration, s.certificate, s.chain,
               EXISTS (SELECT FROM locker.seal_certificate c
                        WHERE c.administration = s.administration AND c.sha256 = s.certificate_sha256
                          AND c.withdrawn_at IS NULL) AS registered
          FROM locker.sealing s WHERE s.administration = $1 AND s.disabled_at IS NULL""",
        administration,
    )
    if row is None:
        return None
    return SealingRow(
        administration=row["administration"],
        certificate=row["certificate"],
        chain=tuple(row["chain"]),
        registered=row["registered"],
    )


async def begin(
    tx: Tx,
    *,
    administration: str,
    seal_id: str,
    client_id: str,
    key: str,
    request_sha256: bytes,
    attempt: UUID,
    wanted: Level,
    lease_s: int,
    lifetime_s: int,
) -> SealRow | None:
    """Take the key, or the row of who has it. An attempt of the same request that outlived its lease is taken over.

    None: taken by somebody else after this statement's snapshot, so it is in flight there.
    """
    row = await tx.fetchrow(
        f"""
        WITH taken AS (
            INSERT INTO locker.seal AS s (administration, seal_id, client_id, idempotency_key, request_sha256, attempt,
                                          wanted, expires_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, now() + make_interval(secs => $9))
            ON CONFLICT (client_id, idempotency_key) DO UPDATE
               SET attempt = excluded.attempt, started_at = now(), expires_at = excluded.expires_at
             WHERE s.level IS NULL AND s.request_sha256 = excluded.request_sha256
               AND s.started_at < now() - make_interval(secs => $8)
            RETURNING {_SEAL})
        SELECT {_SEAL} FROM taken
        UNION ALL
        SELECT {_SEAL} FROM locker.seal
         WHERE client_id = $3 AND idempotency_key = $4 AND NOT EXISTS (SELECT FROM taken)""",
        administration,
        seal_id,
        client_id,
        key,
        request_sha256,
        attempt,
        wanted,
        float(lease_s),
        float(lifetime_s),
    )
    return _seal(row) if row else None


async def release(tx: Tx, *, administration: str, seal_id: str, attempt: UUID) -> None:
    """Nothing came of it: the next request with this key starts anew."""
    await tx.execute(
        "DELETE FROM locker.seal WHERE administration = $1 AND seal_id = $2 AND attempt = $3 AND level IS NULL",
        administration,
        seal_id,
        attempt,
    )


async def reach(
    tx: Tx,
    *,
    administration: str,
    seal_id: str,
    attempt: UUID,
    from_version: int,
    level: Level,
    pending: Level | None,
    certificate_sha256: bytes | None,
) -> SealRow | None:
    """The one statement by which a seal gets its next version. None for an attempt that was overtaken."""
    row = await tx.fetchrow(
        f"""
        UPDATE locker.seal
           SET level = $5, pending = $6, version = $4 + 1, sealed_at = coalesce(sealed_at, now()),
               certificate_sha256 = coalesce($7, certificate_sha256),
               next_try_at = CASE WHEN $6::text IS NULL THEN NULL ELSE now() END
         WHERE administration = $1 AND seal_id = $2 AND attempt = $3 AND version = $4
        RETURNING {_SEAL}""",
        administration,
        seal_id,
        attempt,
        from_version,
        level,
        pending,
        certificate_sha256,
    )
    return _seal(row) if row else None


async def give_up(tx: Tx, *, administration: str, seal_id: str, attempt: UUID) -> bool:
    """What it has is all that it will have."""
    row = await tx.fetchrow(
        """
        UPDATE locker.seal SET pending = NULL, next_try_at = NULL
         WHERE administration = $1 AND seal_id = $2 AND attempt = $3 AND pending IS NOT NULL
        RETURNING seal_id""",
        administration,
        seal_id,
        attempt,
    )
    return row is not None


async def add_version(tx: Tx, *, administration: str, seal_id: str, version: VersionRow) -> None:
    stored = version.stored
    await tx.execute(
        """
        INSERT INTO locker.seal_version (administration, seal_id, version, level, indication, sub_indication,
               object_key, wrapped_key, epoch, sha256, length, ciphertext_sha256, format)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)""",
        administration,
        seal_id,
        version.version,
        version.level,
        version.indication,
        version.sub_indication,
        stored.object_key,
        stored.wrapped_key,
        stored.epoch,
        stored.plaintext_sha256,
        stored.length,
        stored.ciphertext_sha256,
        stored.format,
    )


async def find(tx: Tx, *, administration: str, seal_id: str) -> SealRow | None:
    row = await tx.fetchrow(
        f"SELECT {_SEAL} FROM locker.seal WHERE administration = $1 AND seal_id = $2 AND expires_at > now()",
        administration,
        seal_id,
    )
    return _seal(row) if row else None


async def version(tx: Tx, *, administration: str, seal_id: str, version: int) -> VersionRow | None:
    row = await tx.fetchrow(
        """
        SELECT version, level, indication, sub_indication, object_key, wrapped_key, epoch, sha256, length,
               ciphertext_sha256, format
          FROM locker.seal_version WHERE administration = $1 AND seal_id = $2 AND version = $3""",
        administration,
        seal_id,
        version,
    )
    if row is None:
        return None
    return VersionRow(
        version=row["version"],
        level=row["level"],
        indication=row["indication"],
        sub_indication=row["sub_indication"],
        stored=Stored.of(row),
    )


async def count_pending(tx: Tx, *, administration: str, up_to: int) -> int:
    count: int = await tx.fetchval(
        """
        SELECT count(*) FROM (
            SELECT 1 FROM locker.seal WHERE administration = $1 AND pending IS NOT NULL LIMIT $2) AS waiting""",
        administration,
        up_to,
    )
    return count


async def take_due(tx: Tx, *, attempt: UUID, lease_s: float, wait_max_s: float, batch_max: int) -> list[SealRow]:
    """Pending ones whose turn it is; nobody else gets them before the lease ends, which grows with each try."""
    rows = await tx.fetch(
        f"""
        UPDATE locker.seal
           SET attempt = $1, tries = tries + 1,
               next_try_at = now() + make_interval(secs => least($3, $2 * power(2, least(tries, 20))))
         WHERE (administration, seal_id) IN (
               SELECT administration, seal_id FROM locker.seal
                WHERE pending IS NOT NULL AND next_try_at <= now() AND expires_at > now()
                ORDER BY next_try_at LIMIT $4 FOR UPDATE SKIP LOCKED)
        RETURNING {_SEAL}""",
        attempt,
        float(lease_s),
        float(wait_max_s),
        batch_max,
    )
    return [_seal(row) for row in rows]


async def forget_expired(tx: Tx, *, batch_max: int) -> list[tuple[str, str]]:
    """Administration and object_key of what was forgotten: the keys are gone, the objects are noise now. With its
    versions a seal goes too, in one statement: nobody finds it without them."""
    rows = await tx.fetch(
        """
        WITH expired AS (
            SELECT administration, seal_id FROM locker.seal
             WHERE expires_at < now() ORDER BY expires_at LIMIT $1 FOR UPDATE SKIP LOCKED
        ), seals AS (
            DELETE FROM locker.seal s USING expired e
             WHERE s.administration = e.administration AND s.seal_id = e.seal_id)
        DELETE FROM locker.seal_version v USING expired e
         WHERE v.administration = e.administration AND v.seal_id = e.seal_id
        RETURNING v.administration, v.object_key""",
        batch_max,
    )
    return [(row["administration"], row["object_key"]) for row in rows]


async def with_objects(tx: Tx, *, object_keys: list[str]) -> set[str]:
    rows = await tx.fetch("SELECT object_key FROM locker.seal_version WHERE object_key = ANY($1::text[])", object_keys)
    return {row["object_key"] for row in rows}


async def promised_between(tx: Tx, *, after: str, until: str) -> dict[str, str]:
    rows = await tx.fetch(
        """
        SELECT object_key, seal_id FROM locker.seal_version
         WHERE object_key COLLATE "C" > $1 AND object_key COLLATE "C" <= $2""",
        after,
        until,
    )
    return {row["object_key"]: row["seal_id"] for row in rows}


def _seal(row: Any) -> SealRow:
    return SealRow(**dict(row))
