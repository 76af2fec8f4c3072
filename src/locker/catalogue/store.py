from typing import Any

import msgspec

from kit.db import Tx
from locker.administrations.schema import Names
from locker.catalogue.schema import DocumentType, SignatureRequirement, TypeRegistration

_COLUMNS = """t.type, t.version, t.names, t.category, t.fields_schema, t.level_min, t.active_content,
              t.validity_days, t.retention_days"""


async def upsert(tx: Tx, registration: TypeRegistration) -> DocumentType:
    """The version moves only with the schema of the fields."""
    row = await tx.fetchrow(
        f"""
        INSERT INTO locker.document_type AS t
               (type, names, category, fields_schema, level_min, active_content, validity_days, retention_days)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        ON CONFLICT (type) DO UPDATE SET
            version = t.version + (t.fields_schema <> excluded.fields_schema)::int,
            names = excluded.names, category = excluded.category, fields_schema = excluded.fields_schema,
            level_min = excluded.level_min, active_content = excluded.active_content,
            validity_days = excluded.validity_days, retention_days = excluded.retention_days, changed_at = now()
        RETURNING {_COLUMNS}""",
        registration.type,
        msgspec.to_builtins(registration.names),
        registration.category,
        msgspec.json.encode(registration.fields).decode(),
        registration.signature.level_min,
        sorted(registration.signature.active_content),
        registration.validity_days,
        registration.retention_days,
    )
    return _type(row)


async def entitled(tx: Tx, *, administration: str, type_: str) -> DocumentType | None:
    row = await tx.fetchrow(
        f"""
        SELECT {_COLUMNS}
          FROM locker.entitlement e JOIN locker.document_type t USING (type)
         WHERE e.administration = $1 AND e.type = $2""",
        administration,
        type_,
    )
    return _type(row) if row else None


async def find(tx: Tx, type_: str) -> DocumentType | None:
    row = await tx.fetchrow(f"SELECT {_COLUMNS} FROM locker.document_type t WHERE t.type = $1", type_)
    return _type(row) if row else None


async def listed(tx: Tx, *, after: str, limit: int) -> list[DocumentType]:
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM locker.document_type t WHERE t.type > $1 ORDER BY t.type LIMIT $2", after, limit
    )
    return [_type(row) for row in rows]


def _type(row: Any) -> DocumentType:
    return DocumentType(
        type=row["type"],
        version=row["version"],
        names=msgspec.convert(row["names"], Names),
        category=row["category"],
        fields=msgspec.json.decode(row["fields_schema"]),
        signature=SignatureRequirement(level_min=row["level_min"], active_content=frozenset(row["active_content"])),
        validity_days=row["validity_days"],
        retention_days=row["retention_days"],
    )
