"""Reads: what was deposited, and whose seals are registered."""

import datetime as dt
from collections.abc import Sequence

import msgspec

from kit.db import Tx
from locker.documents.read_store import STANDING
from locker.documents.schema import Standing
from locker.verification.schema import PublicDocument


class Deposited(msgspec.Struct, frozen=True, kw_only=True):
    owner: str
    document_id: str
    uri: str
    type: str
    type_names: dict[str, str]
    administration: str
    administration_names: dict[str, str]
    standing: Standing
    valid_from: dt.date | None
    valid_until: dt.date | None
    entitled: bool
    today: dt.date


async def deposited(tx: Tx, *, sha256: bytes) -> Deposited | None:
    """Of several deposits of the same bytes, the one that stands best."""
    row = await tx.fetchrow(
        f"""
        SELECT d.owner, d.document_id, d.uri, d.type, t.names AS type_names, d.administration,
               a.names AS administration_names, {STANDING} AS standing, d.valid_from, d.valid_until,
               (now() AT TIME ZONE 'UTC')::date AS today,
               (a.state = 'active' AND EXISTS (SELECT 1 FROM locker.entitlement e
                                                WHERE e.administration = d.administration AND e.type = d.type))
                   AS entitled
          FROM locker.document d
          JOIN locker.document_type t ON t.type = d.type
          JOIN locker.administration a ON a.administration = d.administration
         WHERE d.sha256 = $1
         ORDER BY array_position(ARRAY['valid', 'superseded', 'suspended', 'revoked'], d.state), d.deposited_at DESC
         LIMIT 1""",
        sha256,
    )
    return None if row is None else msgspec.convert(dict(row), Deposited)


async def sealed_by(tx: Tx, *, certificates_sha256: Sequence[bytes]) -> dict[str, str] | None:
    """Names of the administration for which one of these certificates is registered."""
    row = await tx.fetchrow(
        """
        SELECT a.names
          FROM locker.seal_certificate c JOIN locker.administration a ON a.administration = c.administration
         WHERE c.sha256 = ANY ($1::bytea[]) AND c.withdrawn_at IS NULL AND a.state = 'active'
         LIMIT 1""",
        list(certificates_sha256),
    )
    return None if row is None else dict(row["names"])


async def public_document(tx: Tx, *, document_id: str, uri: str | None) -> PublicDocument | None:
    row = await tx.fetchrow(
        """
        SELECT d.uri, d.type, t.names AS type_names, d.administration, a.names AS administration_names
          FROM locker.document_uri u
          JOIN locker.document d ON d.owner = u.owner AND d.document_id = u.document_id
          JOIN locker.document_type t ON t.type = d.type
          JOIN locker.administration a ON a.administration = d.administration
         WHERE u.document_id = $1 AND ($2::text IS NULL OR u.uri = $2)""",
        document_id,
        uri,
    )
    return None if row is None else msgspec.convert(dict(row), PublicDocument)
