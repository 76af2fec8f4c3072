"""All writes to documents. What pages and lists read stands in ``read_store.py``."""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from kit.db import Row, Tx
from kit.expired import forget
from kit.ids import new_id
from locker.documents.record_schema import DocumentState, Member, NewDocument, Predecessor, State

_STATE = "d.document_id, d.uri, d.owner, d.type, d.state, d.state_reason, d.state_changed_at, d.revision"


# What its issuer keeps has an object while it is cached.
_HAS_OBJECT = """(NOT document.by_reference OR EXISTS (
               SELECT 1 FROM locker.reference r
                WHERE r.owner = document.owner AND r.document_id = document.document_id AND r.cached))"""


async def insert(tx: Tx, new: NewDocument) -> datetime:
    """When it was deposited, by the database's clock."""
    stored = new.stored
    deposited_at: datetime = await tx.fetchval(
        """
        WITH routed AS (
            INSERT INTO locker.document_uri (document_id, uri, owner, group_id) VALUES ($2, $3, $1, $28)),
        grouped AS (
            INSERT INTO locker.document_group (document_id, group_id) SELECT $2, $28 WHERE $28 IS NOT NULL)
        INSERT INTO locker.document
               (owner, document_id, uri, administration, type, type_version, valid_from, valid_until, deposited_by,
                chain_id, version, replaces, object_key, wrapped_key, epoch, fields_sealed, sha256, length,
                ciphertext_sha256, format, pages, indication, level, signer, signed_at, verdict, trust_version,
                by_reference)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22,
                $23, $24, $25, $26, $27, $29)
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
        new.group_id,
        new.url_sealed is not None,
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


async def has_room(tx: Tx, *, owner: str, length: int, documents_max: int, bytes_max: int) -> bool:
    """What ``count_in`` would say, and nothing is counted."""
    found: bool = await tx.fetchval(
        """
        SELECT coalesce((SELECT documents < $3 AND bytes + $2 <= $4 FROM locker.holding WHERE owner = $1),
                        $3 >= 1 AND $2 <= $4)""",
        owner,
        length,
        documents_max,
        bytes_max,
    )
    return found


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


async def supersede(tx: Tx, *, owner: str, document_id: str, reason: str | None) -> bool:
    """Before its successor is inserted: of two successors one wins. False if it is no longer a current version."""
    row = await tx.fetchrow(
        """
        UPDATE locker.document SET state = 'superseded', state_reason = $3, state_changed_at = now(),
                                   revision = revision + 1
         WHERE owner = $1 AND document_id = $2 AND state IN ('valid', 'suspended')
        RETURNING document_id""",
        owner,
        document_id,
        reason,
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
    members: Sequence[Member],
    *,
    administration: str,
    before: Sequence[State],
    after: State,
    reason: str | None,
) -> list[DocumentState]:
    """One statement: of racing changes, each finds the state that the one before it left. Those that changed.

    Locked in one order, whoever's address was named, so that two changes of one deposit never wait for each other.
    """
    rows = await tx.fetch(
        f"""
        WITH held AS (
            SELECT d.owner, d.document_id
              FROM locker.document d
              JOIN unnest($1::text[], $2::text[]) AS member (owner, document_id) USING (owner, document_id)
             WHERE d.administration = $3 AND d.state = ANY($4::text[])
             ORDER BY d.owner, d.document_id FOR UPDATE OF d)
        UPDATE locker.document d
           SET state = $5, state_reason = $6, state_changed_at = now(), revision = d.revision + 1
          FROM held
         WHERE d.owner = held.owner AND d.document_id = held.document_id
        RETURNING {_STATE}""",
        [member.owner for member in members],
        [member.document_id for member in members],
        administration,
        list(before),
        after,
        reason,
    )
    return [_state(row) for row in rows]


async def hold(tx: Tx, members: Sequence[Member], *, administration: str) -> None:
    """Nobody changes them before this transaction ends; in the order in which ``change_state`` locks them."""
    await tx.fetch(
        """
        SELECT FROM locker.document d
          JOIN unnest($1::text[], $2::text[]) AS member (owner, document_id) USING (owner, document_id)
         WHERE d.administration = $3
         ORDER BY d.owner, d.document_id FOR UPDATE OF d""",
        [member.owner for member in members],
        [member.document_id for member in members],
        administration,
    )


async def state_of(tx: Tx, *, owner: str, document_id: str, administration: str) -> DocumentState | None:
    row = await tx.fetchrow(
        f"SELECT {_STATE} FROM locker.document d WHERE owner = $1 AND document_id = $2 AND administration = $3",
        owner,
        document_id,
        administration,
    )
    return _state(row) if row else None


async def members(tx: Tx, *, document_id: str) -> list[Member]:
    """The document, first, and those that were deposited with it for other owners; none where there is no document.

    Of one whose owner was erased, those that are left: what its administration says of it is of all of them.
    """
    rows = await tx.fetch(
        """
        SELECT owner, document_id FROM locker.document_uri WHERE document_id = $1
         UNION ALL
        SELECT m.owner, m.document_id
          FROM locker.document_group g JOIN locker.document_uri m ON m.group_id = g.group_id
         WHERE g.document_id = $1 AND m.document_id <> $1""",
        document_id,
    )
    return [Member(owner=row["owner"], document_id=row["document_id"]) for row in rows]


async def begin_request(tx: Tx, *, client_id: str, key: str, request_sha256: bytes) -> tuple[bytes, Any] | None:
    """None for the first; else the digest and the answer of who was. Waits for one that is not over yet."""
    first = await tx.fetchval(
        """
        INSERT INTO locker.state_request (client_id, key, request_sha256) VALUES ($1, $2, $3)
        ON CONFLICT DO NOTHING RETURNING true""",
        client_id,
        key,
        request_sha256,
    )
    if first:
        return None
    row = await tx.fetchrow(
        "SELECT request_sha256, answer FROM locker.state_request WHERE client_id = $1 AND key = $2", client_id, key
    )
    return (row["request_sha256"], row["answer"]) if row else (b"", None)


async def answer_request(tx: Tx, *, client_id: str, key: str, answer: Any) -> None:
    await tx.execute(
        "UPDATE locker.state_request SET answer = $3 WHERE client_id = $1 AND key = $2", client_id, key, answer
    )


async def forget_requests(tx: Tx, *, lifetime_s: int, batch_max: int, batches_max: int) -> int:
    return await forget(
        tx,
        "locker.state_request",
        "created_at < now() - make_interval(secs => $1)",
        float(lifetime_s),
        batch_max=batch_max,
        batches_max=batches_max,
    )


async def bind_reference(
    tx: Tx, *, administration: str, reference: str, document_id: str
) -> tuple[str | None, str | None] | None:
    """The document now has this name. Why and by whom it was revoked before it came; None if another has the name."""
    row = await tx.fetchrow(
        """
        INSERT INTO locker.deposit_reference AS r (administration, reference_sha256, document_id) VALUES ($1, $2, $3)
        ON CONFLICT (administration, reference_sha256) DO UPDATE SET document_id = excluded.document_id
              WHERE r.document_id IS NULL
        RETURNING revocation_reason, revoked_by""",
        administration,
        _named(administration, reference),
        document_id,
    )
    return (row["revocation_reason"], row["revoked_by"]) if row else None


async def reference_is_taken(tx: Tx, *, administration: str, reference: str) -> bool:
    found: bool = await tx.fetchval(
        """
        SELECT EXISTS (SELECT 1 FROM locker.deposit_reference
                        WHERE administration = $1 AND reference_sha256 = $2 AND document_id IS NOT NULL)""",
        administration,
        _named(administration, reference),
    )
    return found


async def revoke_reference(
    tx: Tx, *, administration: str, reference: str, reason: str, client_id: str, awaited_max: int
) -> tuple[str | None, str, bool] | None:
    """The document of this name, if there is one; the reason that counts, which is the first; and whether it is this
    one. None where this administration already awaits as many as one may."""
    row = await tx.fetchrow(
        """
        INSERT INTO locker.deposit_reference AS r (administration, reference_sha256, revocation_reason, revoked_by)
        SELECT $1, $2, $3, $4
         WHERE EXISTS (SELECT 1 FROM locker.deposit_reference WHERE administration = $1 AND reference_sha256 = $2)
            OR (SELECT count(*) FROM (SELECT 1 FROM locker.deposit_reference
                                       WHERE administration = $1 AND document_id IS NULL LIMIT $5) AS awaited) < $5
        ON CONFLICT (administration, reference_sha256) DO UPDATE
           SET revocation_reason = coalesce(r.revocation_reason, excluded.revocation_reason),
               revoked_by = coalesce(r.revoked_by, excluded.revoked_by)
        RETURNING document_id, revocation_reason, xmax = 0 AS new""",
        administration,
        _named(administration, reference),
        reason,
        client_id,
        awaited_max,
    )
    return (row["document_id"], row["revocation_reason"], row["new"]) if row else None


def _named(administration: str, reference: str) -> bytes:
    """It may name a person, so only this is kept of it."""
    return hashlib.sha256(f"{administration}|{reference}".encode()).digest()


async def append_to_outbox(tx: Tx, *, owner: str, topic: str, body: dict[str, Any]) -> None:
    await tx.execute(
        "INSERT INTO locker.outbox (owner, outbox_id, topic, body) VALUES ($1, $2, $3, $4)",
        owner,
        new_id(),
        topic,
        body,
    )


async def take_outbox(tx: Tx, *, count_max: int) -> Sequence[Row]:
    return await tx.fetch(
        """
        UPDATE locker.outbox SET delivered_at = now()
         WHERE (owner, outbox_id) IN (SELECT owner, outbox_id FROM locker.outbox WHERE delivered_at IS NULL
                                       ORDER BY created_at LIMIT $1 FOR UPDATE SKIP LOCKED)
        RETURNING owner, topic, body, created_at""",
        count_max,
    )


async def forget_outbox(tx: Tx, *, lifetime_s: int, batch_max: int, batches_max: int) -> int:
    return await forget(
        tx,
        "locker.outbox",
        "created_at < now() - make_interval(secs => $1)",
        float(lifetime_s),
        batch_max=batch_max,
        batches_max=batches_max,
    )


async def reseal(tx: Tx, *, owner: str, document_id: str, object_key: str, ciphertext_sha256: bytes) -> None:
    await tx.execute(
        """
        UPDATE locker.document SET object_key = $3, ciphertext_sha256 = $4
         WHERE owner = $1 AND document_id = $2 AND by_reference""",
        owner,
        document_id,
        object_key,
        ciphertext_sha256,
    )


async def with_objects(tx: Tx, *, object_keys: Sequence[str]) -> set[str]:
    """Which of these objects a document promises."""
    rows = await tx.fetch(
        f"""
        SELECT object_key FROM locker.document
         WHERE object_key COLLATE "C" = ANY($1::text[]) AND wrapped_key IS NOT NULL AND {_HAS_OBJECT}""",
        list(object_keys),
    )
    return {row["object_key"] for row in rows}


async def promised_between(tx: Tx, *, after: str, until: str) -> dict[str, str]:
    """object_key → document_id, for keys greater than ``after`` and up to ``until``."""
    rows = await tx.fetch(
        f"""
        SELECT object_key, document_id FROM locker.document
         WHERE object_key COLLATE "C" > $1 AND object_key COLLATE "C" <= $2 AND wrapped_key IS NOT NULL
           AND {_HAS_OBJECT}""",
        after,
        until,
    )
    return {row["object_key"]: row["document_id"] for row in rows}


def _state(row: Any) -> DocumentState:
    return msgspec.convert(dict(row), DocumentState)
