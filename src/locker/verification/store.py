"""Reads: what was deposited, and whose seals are registered."""

import datetime as dt

import msgspec

from kit.db import Tx
from locker.documents.read_store import STANDING
from locker.verification.schema import Deposited
from locker.verification.standing_at import ACTS, standing_at

_SAME_BYTES_MAX = 100
_BEST_FIRST = ("valid", "expired", "superseded", "suspended", "revoked", "unknown", "not-yet")

# As the document or as the data that was deposited with it: both stand and fall together.
_OF_THESE_BYTES = """(SELECT owner, document_id FROM locker.document WHERE sha256 = $1
                       UNION
                      SELECT owner, document_id FROM locker.signed_data WHERE sha256 = $1) AS found
                     JOIN locker.document d USING (owner, document_id)"""


async def deposited(tx: Tx, *, sha256: bytes) -> Deposited | None:
    """Of several deposits of the same bytes, the one that stands best."""
    row = await tx.fetchrow(
        f"""
        SELECT d.owner, d.document_id, d.uri, d.type, t.names AS type_names, d.administration,
               a.names AS administration_names, {STANDING} AS standing, d.valid_from, d.valid_until,
               (now() AT TIME ZONE 'UTC')::date AS today, d.sha256 <> $1 AS as_data,
               (a.state = 'active' AND EXISTS (SELECT 1 FROM locker.entitlement e
                                                WHERE e.administration = d.administration AND e.type = d.type))
                   AS entitled
          FROM {_OF_THESE_BYTES}
          JOIN locker.document_type t ON t.type = d.type
          JOIN locker.administration a ON a.administration = d.administration
         ORDER BY array_position(ARRAY['valid', 'superseded', 'suspended', 'revoked'], d.state), d.deposited_at DESC
         LIMIT 1""",
        sha256,
    )
    return None if row is None else msgspec.convert(dict(row), Deposited)


async def deposited_at(tx: Tx, *, sha256: bytes, at: dt.datetime) -> Deposited | None:
    """The same as it was at a moment of the past, by the record of acts."""
    rows = await tx.fetch(
        f"""
        SELECT d.owner, d.document_id, d.uri, d.type, t.names AS type_names, d.administration,
               a.names AS administration_names, d.valid_from, d.valid_until, d.deposited_at, d.sha256 <> $1 AS as_data,
               (SELECT e.action FROM locker.audit e
                 WHERE e.owner = d.owner AND e.object_id = d.document_id AND e.action = ANY ($3::text[])
                   AND e.result = 'ok' AND e.at <= $2
                 ORDER BY e.at DESC, (e.action = 'document.deposited'), e.audit_id DESC LIMIT 1) AS last_act
          FROM {_OF_THESE_BYTES}
          JOIN locker.document_type t ON t.type = d.type
          JOIN locker.administration a ON a.administration = d.administration
         ORDER BY d.deposited_at DESC
         LIMIT $4""",
        sha256,
        at,
        list(ACTS),
        _SAME_BYTES_MAX,
    )
    found = []
    for row in rows:
        values = dict(row)
        last_act, when = values.pop("last_act"), values.pop("deposited_at")
        standing = standing_at(at, deposited_at=when, last_act=last_act, valid_until=values["valid_until"])
        found.append(
            msgspec.convert(
                {**values, "standing": standing, "entitled": None, "today": at.astimezone(dt.UTC).date()}, Deposited
            )
        )
    return min(found, key=lambda one: _BEST_FIRST.index(one.standing), default=None)


async def sealed_by(tx: Tx, *, certificate_sha256: bytes) -> dict[str, str] | None:
    """Names of the administration for which this certificate is registered."""
    row = await tx.fetchrow(
        """
        SELECT a.names
          FROM locker.seal_certificate c JOIN locker.administration a ON a.administration = c.administration
         WHERE c.sha256 = $1 AND c.withdrawn_at IS NULL AND a.state = 'active'
         LIMIT 1""",
        certificate_sha256,
    )
    return None if row is None else dict(row["names"])
