"""The one writer of ``locker.upload``, ``upload_holding`` and ``share_upload``."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec

from kit.counting import count_up_to
from kit.db import Tx
from locker.access.cursor import Position
from locker.uploads.schema import HeldUpload, NewUpload, PendingScan
from locker.vault import Stored

_HELD = """u.owner, u.upload_id, u.uploaded_at, u.uploaded_by, u.media_type, u.pages, u.name_sealed, u.scan,
           u.binned_at, u.purge_at, u.request_sha256, u.object_key, u.wrapped_key, u.epoch, u.sha256, u.length,
           u.ciphertext_sha256, u.format"""
_GONE = """wrapped_key = NULL, name_sealed = NULL, idempotency_key = NULL, next_scan_at = NULL, gone_at = now(),
               sha256 = '', request_sha256 = ''"""
"""Nor a digest: with it, who has a file could ask whether this citizen had it too."""
SERVED = "u.gone_at IS NULL AND u.binned_at IS NULL AND u.scan IN ('none', 'clean')"


async def insert(tx: Tx, new: NewUpload, *, quarantine_days: int) -> HeldUpload | None:
    """None where its idempotency key has an upload already: this transaction must not commit."""
    stored = new.stored
    row = await tx.fetchrow(
        f"""
        INSERT INTO locker.upload AS u
               (owner, upload_id, uploaded_by, media_type, pages, idempotency_key, request_sha256, object_key,
                wrapped_key, epoch, name_sealed, sha256, length, ciphertext_sha256, format, scan, scan_signature,
                scanned_at, next_scan_at, purge_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17,
                CASE WHEN $16 IN ('clean', 'infected') THEN now() END,
                CASE WHEN $16 = 'pending' THEN now() END,
                CASE WHEN $16 = 'infected' THEN now() + make_interval(days => $18) END)
        ON CONFLICT (owner, uploaded_by, idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING
        RETURNING {_HELD}""",
        new.owner,
        new.upload_id,
        new.uploaded_by,
        new.media_type,
        new.pages,
        new.idempotency_key,
        new.request_sha256,
        stored.object_key,
        stored.wrapped_key,
        stored.epoch,
        new.name_sealed,
        stored.plaintext_sha256,
        stored.length,
        stored.ciphertext_sha256,
        stored.format,
        new.scan,
        new.scan_signature,
        quarantine_days,
    )
    return _held(row) if row else None


async def of_key(tx: Tx, *, owner: str, uploaded_by: str, idempotency_key: str) -> HeldUpload | None:
    row = await tx.fetchrow(
        f"""
        SELECT {_HELD} FROM locker.upload u
         WHERE u.owner = $1 AND u.uploaded_by = $2 AND u.idempotency_key = $3 AND u.gone_at IS NULL""",
        owner,
        uploaded_by,
        idempotency_key,
    )
    return _held(row) if row else None


async def count_in(tx: Tx, *, owner: str, length: int, uploads_max: int, bytes_max: int) -> bool:
    """False if the citizen would hold more than one may."""
    if length > bytes_max:
        return False
    row = await tx.fetchrow(
        """
        INSERT INTO locker.upload_holding AS h (owner, uploads, bytes) VALUES ($1, 1, $2)
        ON CONFLICT (owner) DO UPDATE SET uploads = h.uploads + 1, bytes = h.bytes + excluded.bytes
         WHERE h.uploads < $3 AND h.bytes + excluded.bytes <= $4
        RETURNING owner""",
        owner,
        length,
        uploads_max,
        bytes_max,
    )
    return row is not None


async def holding(tx: Tx, *, owner: str) -> tuple[int, int]:
    """Uploads and bytes, those in the bin included."""
    row = await tx.fetchrow("SELECT uploads, bytes FROM locker.upload_holding WHERE owner = $1", owner)
    return (row["uploads"], row["bytes"]) if row else (0, 0)


async def listed(tx: Tx, *, owner: str, binned: bool, after: Position | None, limit: int) -> list[HeldUpload]:
    """Newest first."""
    rows = await tx.fetch(
        f"""
        SELECT {_HELD} FROM locker.upload u
         WHERE u.owner = $1 AND u.gone_at IS NULL AND (u.binned_at IS NOT NULL) = $2
           AND ($3::timestamptz IS NULL OR (u.uploaded_at, u.upload_id) < ($3, $4::text))
         ORDER BY u.uploaded_at DESC, u.upload_id DESC
         LIMIT $5""",
        owner,
        binned,
        after.at if after else None,
        after.row_id if after else None,
        limit,
    )
    return [_held(row) for row in rows]


async def find(tx: Tx, *, owner: str, upload_id: str) -> HeldUpload | None:
    row = await tx.fetchrow(
        f"SELECT {_HELD} FROM locker.upload u WHERE u.owner = $1 AND u.upload_id = $2 AND u.gone_at IS NULL",
        owner,
        upload_id,
    )
    return _held(row) if row else None


async def to_bin(tx: Tx, *, owner: str, upload_id: str, days: int) -> bool:
    """False: it is not there, or in the bin already. A quarantined one is not kept longer for it."""
    row = await tx.fetchrow(
        """
        UPDATE locker.upload
           SET binned_at = now(), purge_at = least(purge_at, now() + make_interval(days => $3))
         WHERE owner = $1 AND upload_id = $2 AND gone_at IS NULL AND binned_at IS NULL
        RETURNING upload_id""",
        owner,
        upload_id,
        days,
    )
    return row is not None


async def restore(tx: Tx, *, owner: str, upload_id: str) -> bool:
    """False: it is not in the bin, or its time there is over."""
    row = await tx.fetchrow(
        """
        UPDATE locker.upload
           SET binned_at = NULL, purge_at = CASE WHEN scan = 'infected' THEN purge_at END
         WHERE owner = $1 AND upload_id = $2 AND gone_at IS NULL AND binned_at IS NOT NULL AND purge_at > now()
        RETURNING upload_id""",
        owner,
        upload_id,
    )
    return row is not None


class Gone(msgspec.Struct, frozen=True, kw_only=True):
    owner: str
    upload_id: str
    object_key: str
    length: int


async def destroy(tx: Tx, *, owner: str, upload_id: str) -> list[Gone]:
    """One that is in the bin: its key is gone, its object is the sweeper's."""
    return await _destroyed(
        tx,
        f"""
        UPDATE locker.upload u
           SET {_GONE}
         WHERE u.owner = $1 AND u.upload_id = $2 AND u.gone_at IS NULL AND u.binned_at IS NOT NULL
        RETURNING u.owner, u.upload_id, u.object_key, u.length""",
        owner,
        upload_id,
    )


async def destroy_due(tx: Tx, *, batch_max: int) -> list[Gone]:
    """Those whose time in the bin, or in quarantine, is over."""
    return await _destroyed(
        tx,
        f"""
        UPDATE locker.upload u
           SET {_GONE}
         WHERE (u.owner, u.upload_id) IN (
               SELECT owner, upload_id FROM locker.upload
                WHERE gone_at IS NULL AND purge_at <= now()
                ORDER BY purge_at LIMIT $1 FOR UPDATE SKIP LOCKED)
        RETURNING u.owner, u.upload_id, u.object_key, u.length""",
        batch_max,
    )


async def _destroyed(tx: Tx, sql: str, *arguments: Any) -> list[Gone]:
    gone = [Gone(**dict(row)) for row in await tx.fetch(sql, *arguments)]
    # In one order, so that two sweeps do not wait for each other's rows.
    for one in sorted(gone, key=lambda gone: gone.owner):
        await tx.execute(
            "UPDATE locker.upload_holding SET uploads = uploads - 1, bytes = bytes - $2 WHERE owner = $1",
            one.owner,
            one.length,
        )
    return gone


async def take_pending(tx: Tx, *, attempt: UUID, lease_s: float) -> PendingScan | None:
    """The one that is due longest. Who dies over it loses nothing: it is due again when the lease ends."""
    row = await tx.fetchrow(
        f"""
        UPDATE locker.upload u
           SET scan_attempt = $1, scan_attempts = u.scan_attempts + 1,
               next_scan_at = now() + make_interval(secs => $2)
         WHERE (u.owner, u.upload_id) = (SELECT owner, upload_id FROM locker.upload
                                          WHERE next_scan_at <= now()
                                          ORDER BY next_scan_at LIMIT 1 FOR UPDATE SKIP LOCKED)
        RETURNING {_HELD}, u.scan_attempts""",
        attempt,
        lease_s,
    )
    if row is None:
        return None
    columns = dict(row)
    attempts = columns.pop("scan_attempts")
    return PendingScan(upload=_held(columns), attempt=attempt, attempts=attempts)


async def scanned(
    tx: Tx, *, owner: str, upload_id: str, attempt: UUID, signature: str | None, quarantine_days: int
) -> bool:
    """False for an attempt that was overtaken, and for what is gone."""
    row = await tx.fetchrow(
        """
        UPDATE locker.upload
           SET scan = CASE WHEN $4::text IS NULL THEN 'clean' ELSE 'infected' END, scan_signature = $4,
               scanned_at = now(), next_scan_at = NULL,
               purge_at = CASE WHEN $4::text IS NULL THEN purge_at
                               ELSE least(purge_at, now() + make_interval(days => $5)) END
         WHERE owner = $1 AND upload_id = $2 AND scan_attempt = $3 AND scan = 'pending' AND gone_at IS NULL
        RETURNING upload_id""",
        owner,
        upload_id,
        attempt,
        signature,
        quarantine_days,
    )
    return row is not None


async def scan_later(tx: Tx, *, owner: str, upload_id: str, attempt: UUID, wait_s: float) -> None:
    await tx.execute(
        """
        UPDATE locker.upload SET next_scan_at = now() + make_interval(secs => $4)
         WHERE owner = $1 AND upload_id = $2 AND scan_attempt = $3 AND scan = 'pending' AND gone_at IS NULL""",
        owner,
        upload_id,
        attempt,
        wait_s,
    )


async def count_pending(tx: Tx) -> int:
    return await count_up_to(tx, "locker.upload WHERE next_scan_at IS NOT NULL")


async def with_objects(tx: Tx, *, object_keys: list[str]) -> set[str]:
    rows = await tx.fetch(
        """
        SELECT object_key FROM locker.upload
         WHERE object_key COLLATE "C" = ANY($1::text[]) AND gone_at IS NULL""",
        object_keys,
    )
    return {row["object_key"] for row in rows}


async def promised_between(tx: Tx, *, after: str, until: str) -> dict[str, str]:
    rows = await tx.fetch(
        """
        SELECT object_key, upload_id FROM locker.upload
         WHERE object_key COLLATE "C" > $1 AND object_key COLLATE "C" <= $2 AND gone_at IS NULL""",
        after,
        until,
    )
    return {row["object_key"]: row["upload_id"] for row in rows}


async def share(tx: Tx, *, owner: str, share_id: str, upload_ids: Sequence[str]) -> int:
    """How many of them this citizen holds and may open, each now part of the share."""
    done = await tx.execute(
        f"""
        INSERT INTO locker.share_upload (owner, share_id, upload_id, position)
        SELECT u.owner, $2, u.upload_id, wanted.position
          FROM unnest($3::text[]) WITH ORDINALITY AS wanted (upload_id, position)
          JOIN locker.upload u ON u.owner = $1 AND u.upload_id = wanted.upload_id
         WHERE {SERVED} FOR KEY SHARE OF u""",
        owner,
        share_id,
        list(upload_ids),
    )
    return int(done.rsplit(" ", 1)[1])


async def shared(tx: Tx, *, owner: str, share_id: str, upload_id: str | None = None) -> list[HeldUpload]:
    """Of a share, or one of it: what its owner could open now. What went to the bin since is not among them."""
    rows = await tx.fetch(
        f"""
        SELECT {_HELD}
          FROM locker.share_upload su
          JOIN locker.upload u ON u.owner = su.owner AND u.upload_id = su.upload_id
         WHERE su.owner = $1 AND su.share_id = $2 AND ($3::text IS NULL OR su.upload_id = $3) AND {SERVED}
         ORDER BY su.position""",
        owner,
        share_id,
        upload_id,
    )
    return [_held(row) for row in rows]


async def chosen(tx: Tx, *, owner: str, upload_ids: Sequence[str]) -> list[HeldUpload]:
    """Those of ``upload_ids`` that this citizen could open now, in the order asked."""
    rows = await tx.fetch(
        f"""
        SELECT {_HELD}
          FROM unnest($2::text[]) WITH ORDINALITY AS wanted (upload_id, position)
          JOIN locker.upload u ON u.owner = $1 AND u.upload_id = wanted.upload_id
         WHERE {SERVED} ORDER BY wanted.position""",
        owner,
        list(upload_ids),
    )
    return [_held(row) for row in rows]


def _held(row: Any) -> HeldUpload:
    columns = dict(row)
    stored = Stored(
        object_key=columns.pop("object_key"),
        wrapped_key=columns.pop("wrapped_key"),
        epoch=columns.pop("epoch"),
        plaintext_sha256=columns.pop("sha256"),
        ciphertext_sha256=columns.pop("ciphertext_sha256"),
        length=columns.pop("length"),
        format=columns.pop("format"),
    )
    return HeldUpload(**columns, stored=stored)
