"""The signature fields of a form, within bounds: whoever sends a file shapes its tree."""

from collections.abc import Iterator
from typing import Any, cast

import msgspec
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.reader import PdfFileReader

_FILLED_MAX = 2_000
_NODES_MAX = 10_000
"""Each as often as it is reached: a node that names the same kid twice doubles all that is below."""
_DEPTH_MAX = 64


class _Level(msgspec.Struct, frozen=True):
    """Fields of one node that are still to be looked at, with what they inherit and the nodes above them."""

    fields: Iterator[Any]
    name: str
    kind: Any
    above: frozenset[Any]


def signature_fields(reader: PdfFileReader) -> Iterator[tuple[str, Any, Any]]:
    """Filled ones, in the order and by the rules of pyHanko's ``enumerate_sig_fields``, which takes a tree of any
    shape and for each field looks at all those above: name, reference of the signature dictionary (or the dictionary),
    field.

    Raises ValueError for too many, too deep, or below itself; what came before that has been given.
    """
    try:
        roots = reader.root["/AcroForm"]["/Fields"]
    except KeyError:
        return
    levels = [_Level(_each(roots), "", None, frozenset())]
    looked_at = filled = 0
    while levels:
        level = levels[-1]
        reference = next(level.fields, None)
        if reference is None:
            levels.pop()
            continue
        looked_at += 1
        if looked_at > _NODES_MAX:
            raise ValueError("too many form fields")
        if reference.reference in level.above:
            raise ValueError("a form field below itself")
        field = reference.get_object()
        partial = _entry(field, "/T") if isinstance(field, generic.DictionaryObject) else None
        if partial is None:
            # A picture of the field above.
            continue
        name = f"{level.name}.{partial}" if level.name else partial
        own = _entry(field, "/FT")
        kind = level.kind if own is None else own
        if kind == "/Sig" and (value := field.get("/V")):
            filled += 1
            if filled > _FILLED_MAX:
                raise ValueError("too many signature fields")
            # A name that is a number or a list names nothing.
            yield cast("str", name) if isinstance(name, str | bytes) else "", value, reference
        kids = _entry(field, "/Kids")
        if kids is not None:
            if len(levels) >= _DEPTH_MAX:
                raise ValueError("form fields too deep")
            levels.append(_Level(_each(kids), name, kind, level.above | {reference.reference}))


def _each(fields: Any) -> Iterator[Any]:
    if not isinstance(fields, generic.ArrayObject):
        return iter(())
    return (field for field in fields if isinstance(field, generic.IndirectObject))


def _entry(dictionary: Any, name: str) -> Any:
    try:
        return dictionary[name]
    except KeyError:
        return None
