"""All writes to documents. What pages and lists read stands in ``read_store.py``."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from kit.db import Tx
from kit.ids import new_id
from locker.documents.record_schema import DocumentState, NewDocument, Predecessor, State

_STATE = "document_id, uri, owner, type, state, state_reason, state_changed_at"


async def insert(tx: Tx, new: NewDocument) -> datetime:
    """When it was deposited, by the database's clock."""
    stored = new.stored
    deposited_at: datetime = await tx.fetchval(
        """
        WITH routed AS (
            INSERT INTO locker.document_uri (document_id, uri, owner) VALUES ($2, $3, $1))
        INSERT INTO locker.document
               (owner, document_id, uri, administration, type, type_version, valid_from, valid_until, deposited_by,
                chain_id, version, replaces, object_key, wrapped_key, epoch, fields_sealed, sha256, length,
                ciphertext_sha256, format, pages, indication, level, signer, signed_at, verdict, trust_version)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22,
                $23, $24, $25, $26, $27)
        RETURNING deposited_at""",
        new.owner,
        new.document_id,
        new.uri,
        new.administration,
        new.type,
        new.type_version,
        new.valid_from,
        new.valid_until,
        new.deposited_by,
        new.chain_id,
        new.version,
        new.replaces,
        stored.object_key,
        stored.wrapped_key,
        stored.epoch,
        new.fields_sealed,
        stored.plaintext_sha256,
        stored.length,
        stored.ciphertext_sha256,
        stored.format,
        new.pages,
        new.indication,
        new.level,
        new.signer,
        new.signed_at,
        new.verdict,
        new.trust_version,
    )
    return deposited_at


async def count_in(tx: Tx, *, owner: str, length: int, documents_max: int, bytes_max: int) -> bool:
    """Add one document to what the owner holds; False if that is more than one may hold."""
    row = await tx.fetchrow(
        """
        INSERT INTO locker.holding AS h (owner, documents, bytes)
        SELECT $1, 1, $2::bigint WHERE $3::bigint >= 1 AND $4::bigint >= $2::bigint
        ON CONFLICT (owner) DO UPDATE SET documents = h.documents + 1, bytes = h.bytes + $2::bigint
             WHERE h.documents < $3::bigint AND h.bytes + $2::bigint <= $4::bigint
        RETURNING documents""",
        owner,
        length,
        documents_max,
        bytes_max,
    )
    return row is not None


async def predecessor(tx: Tx, *, owner: str, document_id: str, administration: str, type_: str) -> Predecessor | None:
    row = await tx.fetchrow(
        """
        SELECT document_id, chain_id, version FROM locker.document
         WHERE owner = $1 AND document_id = $2 AND administration = $3 AND type = $4
           AND state IN ('valid', 'suspended')""",
        owner,
        document_id,
        administration,
        type_,
    )
    return Predecessor(**dict(row)) if row else None


async def supersede(tx: Tx, *, owner: str, document_id: str) -> bool:
    """Before its successor is inserted: of two successors one wins. False if it is no longer a current version."""
    row = await tx.fetchrow(
        """
        UPDATE locker.document SET state = 'superseded', state_reason = NULL, state_changed_at = now()
         WHERE owner = $1 AND document_id = $2 AND state IN ('valid', 'suspended')
        RETURNING document_id""",
        owner,
        document_id,
    )
    return row is not None


async def link_successor(tx: Tx, *, owner: str, document_id: str, replaced_by: str) -> None:
    await tx.execute(
        "UPDATE locker.document SET replaced_by = $3 WHERE owner = $1 AND document_id = $2",
        owner,
        document_id,
        replaced_by,
    )


async def change_state(
    tx: Tx,
    *,
    owner: str,
    document_id: str,
    administration: str,
    before: Sequence[State],
    after: State,
    reason: str | None,
) -> DocumentState | None:
    """One statement: of racing changes, each finds the state that the one before it left. None: not in ``before``."""
    row = await tx.fetchrow(
        f"""
        UPDATE locker.document SET state = $5, state_reason = $6, state_changed_at = now()
         WHERE owner = $1 AND document_id = $2 AND administration = $3 AND state = ANY($4::text[])
        RETURNING {_STATE}""",
        owner,
        document_id,
        administration,
        list(before),
        after,
        reason,
    )
    return _state(row) if row else None


async def state_of(tx: Tx, *, owner: str, document_id: str, administration: str) -> DocumentState | None:
    row = await tx.fetchrow(
        f"SELECT {_STATE} FROM locker.document WHERE owner = $1 AND document_id = $2 AND administration = $3",
        owner,
        document_id,
        administration,
    )
    return _state(row) if row else None


async def owner_of(tx: Tx, *, document_id: str) -> str | None:
    owner: str | None = await tx.fetchval("SELECT owner FROM locker.document_uri WHERE document_id = $1", document_id)
    return owner


async def append_to_outbox(tx: Tx, *, owner: str, topic: str, body: dict[str, Any]) -> None:
    await tx.execute(
        "INSERT INTO locker.outbox (owner, outbox_id, topic, body) VALUES ($1, $2, $3, $4)",
        owner,
        new_id(),
        topic,
        body,
    )


async def forget_outbox(tx: Tx, *, lifetime_s: int, batch_max: int) -> int:
    rows = await tx.fetch(
        """
        DELETE FROM locker.outbox
         WHERE (owner, outbox_id) IN (SELECT owner, outbox_id FROM locker.outbox
                                       WHERE created_at < now() - make_interval(secs => $1) LIMIT $2)
        RETURNING 1""",
        lifetime_s,
        batch_max,
    )
    return len(rows)


async def with_objects(tx: Tx, *, object_keys: Sequence[str]) -> set[str]:
    """Which of these objects a document promises."""
    rows = await tx.fetch(
        """
        SELECT object_key FROM locker.document
         WHERE object_key COLLATE "C" = ANY($1::text[]) AND wrapped_key IS NOT NULL""",
        list(object_keys),
    )
    return {row["object_key"] for row in rows}


async def promised_between(tx: Tx, *, after: str, until: str) -> dict[str, str]:
    """object_key → document_id, for keys greater than ``after`` and up to ``until``."""
    rows = await tx.fetch(
        """
        SELECT object_key, document_id FROM locker.document
         WHERE object_key COLLATE "C" > $1 AND object_key COLLATE "C" <= $2 AND wrapped_key IS NOT NULL""",
        after,
        until,
    )
    return {row["object_key"]: row["document_id"] for row in rows}


def _state(row: Any) -> DocumentState:
    return msgspec.convert(dict(row), DocumentState)
