from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from locker.administrations.schema import Names, TypeCode

Level = Literal["B-B", "B-T", "B-LT", "B-LTA"]
Days = Annotated[int, Meta(gt=0, le=365 * 200)]


class SignatureRequirement(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    level_min: Level = "B-T"
    active_content: frozenset[Literal["embedded-file", "open-action"]] = frozenset()
    """Kinds that a document of this type may have. What runs or fetches (JavaScript, launch, XFA …) none may."""


class TypeRegistration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    type: TypeCode
    names: Names
    category: Annotated[str, Meta(pattern=r"^[a-z][a-z-]{1,31}$")]
    """Groups types in the wallet, as ``civil-status``."""
    fields: dict[str, Any]
    """JSON Schema (2020-12) of an object. ``names`` beside ``type`` in a property says it in four languages; ``$ref``
    stays inside."""
    signature: SignatureRequirement = SignatureRequirement()
    validity_days: Days | None = None
    """For a deposit that says no ``valid_until``."""
    retention_days: Days | None = None


class DocumentType(msgspec.Struct, frozen=True, kw_only=True):
    type: str
    version: int
    """Moves when the schema of the fields changes; a document remembers the one that it was checked against."""
    names: Names
    category: str
    fields: dict[str, Any]
    signature: SignatureRequirement
    validity_days: int | None
    retention_days: int | None
