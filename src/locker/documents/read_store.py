"""Reads of what a citizen holds. Writes stand in the stores of the slices that make and change documents."""

from collections.abc import Sequence
from typing import Any

import msgspec

from kit.db import Tx
from locker.access.cursor import Position
from locker.documents.schema import HeldDocument, ListedDocument
from locker.vault import Stored

# The database's day decides. UTC, as the deposit wrote it.
STANDING = """CASE WHEN d.state = 'valid' AND d.valid_until < (now() AT TIME ZONE 'UTC')::date
                   THEN 'expired' ELSE d.state END"""

_LISTED = f"""d.document_id, d.uri, d.type, t.names AS type_names, d.administration, a.names AS administration_names,
              {STANDING} AS standing, d.state_reason, d.state_changed_at, d.valid_from, d.valid_until, d.deposited_at,
              d.pages, d.length"""
_FROM = """locker.document d
           JOIN locker.document_type t ON t.type = d.type
           JOIN locker.administration a ON a.administration = d.administration"""
HELD = f"""{_LISTED}, d.owner, d.version, d.replaces, d.replaced_by, (now() AT TIME ZONE 'UTC')::date AS today,
           t.fields_schema, d.fields_sealed, d.object_key, d.wrapped_key, d.epoch, d.sha256, d.ciphertext_sha256,
           d.format, d.media_type, d.by_reference, d.indication, d.level, d.signer, d.signed_at"""
HELD_FROM = _FROM


async def listed(
    tx: Tx, *, owner: str, after: Position | None, limit: int, attention: bool = False
) -> list[ListedDocument]:
    """Newest first. ``attention``: only what ends within 30 days or was stopped within the last 30."""
    rows = await tx.fetch(
        f"""
        SELECT {_LISTED}
          FROM {_FROM}
         WHERE d.owner = $1
           AND ($2::timestamptz IS NULL OR (d.deposited_at, d.document_id) < ($2, $3::text))
           AND (NOT $5::boolean
                OR (d.state = 'valid' AND d.valid_until BETWEEN (now() AT TIME ZONE 'UTC')::date
                                                            AND (now() AT TIME ZONE 'UTC')::date + 30)
                OR (d.state IN ('suspended', 'revoked') AND d.state_changed_at > now() - interval '30 days'))
         ORDER BY d.deposited_at DESC, d.document_id DESC
         LIMIT $4""",
        owner,
        after.at if after else None,
        after.row_id if after else None,
        limit,
        attention,
    )
    return [msgspec.convert(dict(row), ListedDocument) for row in rows]


async def chosen(tx: Tx, *, owner: str, document_ids: Sequence[str]) -> list[ListedDocument]:
    """Those of ``document_ids`` that this citizen holds, in the order asked."""
    rows = await tx.fetch(
        f"""
        SELECT {_LISTED}
          FROM unnest($2::text[]) WITH ORDINALITY AS wanted (document_id, position)
          JOIN {_FROM.replace("locker.document d", "locker.document d ON d.document_id = wanted.document_id", 1)}
         WHERE d.owner = $1
         ORDER BY wanted.position""",
        owner,
        list(document_ids),
    )
    return [msgspec.convert(dict(row), ListedDocument) for row in rows]


async def find(tx: Tx, *, owner: str, document_id: str) -> HeldDocument | None:
    row = await tx.fetchrow(f"SELECT {HELD} FROM {_FROM} WHERE d.owner = $1 AND d.document_id = $2", owner, document_id)
    return held(row) if row else None


async def verdict(tx: Tx, *, owner: str, document_id: str) -> dict[str, Any]:
    """The judge's whole report at deposit."""
    found = await tx.fetchval(
        "SELECT verdict FROM locker.document WHERE owner = $1 AND document_id = $2", owner, document_id
    )
    return found if isinstance(found, dict) else {}


def held(row: Any) -> HeldDocument:
    columns = dict(row)
    stored = Stored(
        object_key=columns.pop("object_key"),
        # A destroyed key opens nothing; the vault says so when it is asked.
        wrapped_key=columns.pop("wrapped_key") or b"",
        epoch=columns.pop("epoch"),
        plaintext_sha256=columns["sha256"],
        ciphertext_sha256=columns.pop("ciphertext_sha256"),
        length=columns["length"],
        format=columns.pop("format"),
    )
    schema = msgspec.json.decode(columns.pop("fields_schema"))
    return msgspec.convert({**columns, "stored": stored, "fields_schema": schema}, HeldDocument)
