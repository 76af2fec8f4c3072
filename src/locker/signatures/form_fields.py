"""The fields of a form in one revision, by the number of their object."""

from collections.abc import Callable
from typing import Any

import msgspec
from pyhanko.pdf_utils import generic

from locker.signatures.compared_objects import Number, entry
from locker.signatures.plain_update import Altered

_FIELDS_MAX = 10_000


class Field(msgspec.Struct, frozen=True):
    """A node of the field tree: ``name`` is its full one, ``kind`` its (inherited) /FT; a widget has its field's name.

    ``signature`` is the raw /V, its own or inherited.
    """

    name: str
    kind: str | None
    value: Any
    signature: Any
    is_terminal: bool


def form_fields(form: Any, get: Callable[[Any], Any]) -> dict[Number, Field]:
    """``get`` reads a reference in the revision. Raises Altered for a form that cannot be followed."""
    found: dict[Number, Field] = {}
    if not isinstance(form, generic.DictionaryObject):
        return found
    roots = get(entry(form, "/Fields"))
    waiting: list[tuple[Any, str, str | None, Any]] = []
    if isinstance(roots, generic.ArrayObject):
        waiting = [(roots.raw_get(index), "", None, None) for index in range(len(roots))]
    while waiting:
        reference, name, kind, signature = waiting.pop()
        if not isinstance(reference, generic.IndirectObject):
            raise Altered("Root/AcroForm/Fields")
        if reference.idnum in found:
            continue
        if len(found) >= _FIELDS_MAX:
            raise Altered("too many fields")
        value = get(reference)
        if value is None:
            continue
        if not isinstance(value, generic.DictionaryObject) or isinstance(value, generic.StreamObject):
            raise Altered("Root/AcroForm/Fields")
        partial = get(entry(value, "/T"))
        if isinstance(partial, str):
            name = f"{name}.{partial}" if name else partial
        own = get(entry(value, "/FT"))
        kind = str(own) if own is not None else kind
        signature = entry(value, "/V") if "/V" in value else signature
        kids = get(entry(value, "/Kids"))
        below = [kids.raw_get(index) for index in range(len(kids))] if isinstance(kids, generic.ArrayObject) else []
        found[reference.idnum] = Field(name, kind, value, signature, is_terminal=not below)
        waiting += ((kid, name, kind, signature) for kid in below)
    return found
