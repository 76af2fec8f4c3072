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
    written_in: dict[int, int] = {}
    containers: set[int] | None = None
    for revision in range(document.revisions):
        written = document.written_in(revision)
        written_in.update(dict.fromkeys(written, revision))
        try:
            root = document.reader.get_historical_resolver(revision).root
            if "/DSS" not in root:
                containers = None
                continue
            revisions.append(revision)
            reference = root.raw_get("/DSS")
            number = reference.idnum if isinstance(reference, generic.IndirectObject) else None
            if containers and number in containers and written.isdisjoint(containers):
                # The same dictionary, unchanged.
                continue
            containers = set()
            for kind, stream in _references(reference, containers):
                if not isinstance(stream, generic.IndirectObject):
                    continue
                # The same number may be another object in another revision.
                key = (kind, stream.idnum, written_in.get(stream.idnum))
                if key in seen or len(found[kind]) >= _OF_A_KIND_MAX:
                    continue
                seen.add(key)
                der = _read(stream, _KINDS[kind][2])
                if der is not None:
                    found[kind].setdefault(der, revision)
        except UNREADABLE:
            continue
    return ValidationData(**found, revisions=tuple(revisions))


def _references(reference: Any, containers: set[int]) -> Iterator[tuple[str, Any]]:
    """The document's lists first, then those of single signatures (VRI); the numbers of what holds them go into
    ``containers``."""
    dss = _dereferenced(reference, containers)
    for kind, (key, _, _) in _KINDS.items():
        yield from ((kind, value) for value in _list(dss, key, containers))
    entries = _dereferenced(dss.raw_get("/VRI"), containers) if "/VRI" in dss else None
    if not isinstance(entries, generic.DictionaryObject):
        return
    for name in list(entries)[:_ENTRIES_MAX]:
        entry = _dereferenced(entries.raw_get(name), containers)
        if isinstance(entry, generic.DictionaryObject):
            for kind, (_, key, _) in _KINDS.items():
                yield from ((kind, value) for value in _list(entry, key, containers))


def _list(holder: Any, key: str, containers: set[int]) -> list[Any]:
    try:
        values = _dereferenced(holder.raw_get(key), containers) if key in holder else None
    except UNREADABLE:
        return []
    if not isinstance(values, generic.ArrayObject):
        return []
    return [values.raw_get(index) for index in range(min(len(values), _OF_A_KIND_MAX))]


def _dereferenced(value: Any, containers: set[int]) -> Any:
    if not isinstance(value, generic.IndirectObject):
        return value
    containers.add(value.idnum)
    return value.get_object()  # type: ignore[no-untyped-call]


def _read(reference: Any, purpose: DecodePurpose) -> bytes | None:
    try:
        return bytes(reference.get_object().read_data(purpose))
    except UNREADABLE:
        # One broken entry does not spoil the others: none is trusted before its signature is checked.
        return None
