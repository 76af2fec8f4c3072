"""The deposited fields as text: what the page pictures say, for those who cannot see pictures."""

from typing import Any

import msgspec

from locker.documents.schema import FieldRow, HeldDocument
from locker.vault import Vault

_ROWS_MAX = 200
_DEPTH_MAX = 4


async def open_fields(vault: Vault, document: HeldDocument) -> dict[str, Any]:
    """Raises BlobDamaged, Erased."""
    sealed = await vault.open_part(
        document.stored,
        owner=document.owner,
        document_id=document.document_id,
        version=document.version,
        part="fields",
        sealed=document.fields_sealed,
    )
    return msgspec.json.decode(sealed, type=dict[str, Any])


def rows(fields: dict[str, Any], schema: dict[str, Any]) -> list[FieldRow]:
    """In the order of the type's schema; an object's members stand under its own label."""
    return _rows(fields, schema, prefix={}, depth=0)[:_ROWS_MAX]


def _rows(fields: dict[str, Any], schema: dict[str, Any], *, prefix: dict[str, str], depth: int) -> list[FieldRow]:
    properties = schema.get("properties", {})
    if not isinstance(properties, dict):
        properties = {}
    found: list[FieldRow] = []
    for key in [*(key for key in properties if key in fields), *(key for key in fields if key not in properties)]:
        described = properties.get(key)
        described = described if isinstance(described, dict) else {}
        named = labels(key, described, prefix)
        value = fields[key]
        if isinstance(value, dict) and depth < _DEPTH_MAX:
            found += _rows(value, described, prefix=named, depth=depth + 1)
        elif value is not None:
            found.append(FieldRow(named, _text(value)))
    return found


def labels(key: str, described: dict[str, Any], prefix: dict[str, str] | None = None) -> dict[str, str]:
    """What the type's schema calls a field, in each of our languages."""
    names = described.get("names")
    title = described.get("title")
    if not isinstance(names, dict):
        names = {}
    fallback = title if isinstance(title, str) else key.replace("_", " ")
    found = {}
    for tag in ("ar", "fr", "zgh", "en"):
        own = names.get(tag)
        label = own if isinstance(own, str) else fallback
        found[tag] = f"{prefix[tag]} · {label}" if prefix else label
    return found


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "✓" if value else "✗"
    if isinstance(value, list):
        return " · ".join(_text(member) for member in value[:_ROWS_MAX])
    if isinstance(value, dict):
        return " · ".join(f"{key}: {_text(member)}" for key, member in list(value.items())[:_ROWS_MAX])
    return str(value)
