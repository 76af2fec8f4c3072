"""Certificates, CRLs and OCSP responses that a document brings in its DSS dictionaries (EN 319 142-1 §5.4.2).

Each revision's is read: archiving programs replace what earlier ones left, and it was good evidence then.
"""

from collections.abc import Iterator
from typing import Any

import msgspec
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.decode_limits import DecodePurpose

from locker.signatures.document import UNREADABLE, Document

_OF_A_KIND_MAX = 64
_ENTRIES_MAX = 64
_KINDS = {
    "certificates": ("/Certs", "/Cert", DecodePurpose.CERTIFICATE),
    "crls": ("/CRLs", "/CRL", DecodePurpose.CRL),
    "ocsps": ("/OCSPs", "/OCSP", DecodePurpose.OCSP_RESPONSE),
}


class ValidationData(msgspec.Struct, frozen=True, kw_only=True):
    """DER → the revision that brought it, at most 64 of a kind; ``revisions``: those with a DSS dictionary."""

    certificates: dict[bytes, int] = {}
    crls: dict[bytes, int] = {}
    ocsps: dict[bytes, int] = {}
    revisions: tuple[int, ...] = ()


def validation_data(document: Document) -> ValidationData:
    found: dict[str, dict[bytes, int]] = {kind: {} for kind in _KINDS}
    revisions = []
    seen: set[Any] = set()
    previous = None
    for revision in range(document.revisions):
        try:
            resolver = document.reader.get_historical_resolver(revision)
            root = resolver.root
            if "/DSS" not in root:
                continue
            revisions.append(revision)
            dss = _dereferenced(root.raw_get("/DSS"))
            if repr(dss) == previous and "/VRI" not in dss:
                continue
            previous = repr(dss)
            for kind, reference in _references(dss):
                key = (kind, _identity(document, reference, revision))
                if key in seen or len(found[kind]) >= _OF_A_KIND_MAX:
                    continue
                seen.add(key)
                der = _read(reference, _KINDS[kind][2])
                if der is not None:
                    found[kind].setdefault(der, revision)
        except UNREADABLE:
            continue
    return ValidationData(**found, revisions=tuple(revisions))


def _identity(document: Document, reference: Any, revision: int) -> Any:
    """The same number may be another object in another revision."""
    if not isinstance(reference, generic.IndirectObject):
        return id(reference)
    return reference.idnum, str(document.reader.xrefs.get_historical_ref(reference.reference, revision))


def _references(dss: Any) -> Iterator[tuple[str, Any]]:
    """The document's lists first, then those of single signatures (VRI)."""
    for kind, (key, _, _) in _KINDS.items():
        yield from ((kind, reference) for reference in _list(dss, key))
    entries = _dereferenced(dss.raw_get("/VRI")) if "/VRI" in dss else None
    if not isinstance(entries, generic.DictionaryObject):
        return
    for name in list(entries)[:_ENTRIES_MAX]:
        entry = _dereferenced(entries.raw_get(name))
        if isinstance(entry, generic.DictionaryObject):
            for kind, (_, key, _) in _KINDS.items():
                yield from ((kind, reference) for reference in _list(entry, key))


def _list(holder: Any, key: str) -> list[Any]:
    try:
        values = _dereferenced(holder.raw_get(key)) if key in holder else None
    except UNREADABLE:
        return []
    if not isinstance(values, generic.ArrayObject):
        return []
    return [values.raw_get(index) for index in range(min(len(values), _OF_A_KIND_MAX))]


def _dereferenced(value: Any) -> Any:
    return value.get_object() if isinstance(value, generic.IndirectObject) else value  # type: ignore[no-untyped-call]


def _read(reference: Any, purpose: DecodePurpose) -> bytes | None:
    try:
        return bytes(_dereferenced(reference).read_data(purpose))
    except UNREADABLE:
        # One broken entry does not spoil the others: none is trusted before its signature is checked.
        return None
