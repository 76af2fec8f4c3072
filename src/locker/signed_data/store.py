from collections.abc import Sequence

import msgspec

from kit.db import Tx
from locker.signed_data.schema import NewSignedData, SignedData

_PROMISING = """locker.signed_data s JOIN locker.document d USING (owner, document_id)"""


async def insert(tx: Tx, new: NewSignedData, *, owner: str, document_id: str) -> None:
    await tx.execute(
        """
        INSERT INTO locker.signed_data
               (owner, document_id, object_key, key_sealed, epoch, sha256, length, ciphertext_sha256, format,
                media_type, signature_sealed, signature_sha256, indication, level, signer, signed_at, verdict,
                trust_version)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)""",
        owner,
        document_id,
        new.object_key,
        new.key_sealed,
        new.epoch,
        new.sha256,
        new.length,
        new.ciphertext_sha256,
        new.format,
        new.media_type,
        new.signature_sealed,
        new.signature_sha256,
        new.indication,
        new.level,
        new.signer,
        new.signed_at,
        new.verdict,
        new.trust_version,
    )


async def find(tx: Tx, *, owner: str, document_id: str) -> SignedData | None:
    row = await tx.fetchrow(
        """
        SELECT object_key, key_sealed, epoch, sha256, length, ciphertext_sha256, format, media_type, signature_sealed,
               signature_sha256, indication, level, signer, signed_at
          FROM locker.signed_data WHERE owner = $1 AND document_id = $2""",
        owner,
        document_id,
    )
    return msgspec.convert(dict(row), SignedData) if row else None


async def with_objects(tx: Tx, *, object_keys: Sequence[str]) -> set[str]:
    """Which of these objects a document's data promises."""
    rows = await tx.fetch(
        f"""
        SELECT s.object_key FROM {_PROMISING}
         WHERE s.object_key COLLATE "C" = ANY($1::text[]) AND d.wrapped_key IS NOT NULL""",
        list(object_keys),
    )
    return {row["object_key"] for row in rows}


async def promised_between(tx: Tx, *, after: str, until: str) -> dict[str, str]:
    rows = await tx.fetch(
        f"""
        SELECT s.object_key, s.document_id FROM {_PROMISING}
         WHERE s.object_key COLLATE "C" > $1 AND s.object_key COLLATE "C" <= $2 AND d.wrapped_key IS NOT NULL""",
        after,
        until,
    )
    return {row["object_key"]: row["document_id"] for row in rows}
