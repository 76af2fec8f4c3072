"""Changes that archiving programs make, and that change nothing a reader shows."""

from collections.abc import Iterable, Iterator
from typing import Any

from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.generic import Reference
from pyhanko.pdf_utils.reader import HistoricalResolver
from pyhanko.sign.diff_analysis import SuspiciousModification
from pyhanko.sign.diff_analysis.rules_api import Context, ReferenceUpdate, WhitelistRule

_STORE_LISTS = ("/Certs", "/CRLs", "/OCSPs")
_ENTRY_LISTS = ("/Cert", "/CRL", "/OCSP")
_STORE_KEYS = {"/Type", "/VRI", *_STORE_LISTS}
_ENTRY_KEYS = {"/Type", "/TU", "/TS", *_ENTRY_LISTS}


class SecurityStoreRule(WhitelistRule):
    """The DSS dictionary may be rewritten: EN 319 142-1 §5.4 lets archivers drop entries, pyHanko's own rule does not.

    Both the old and the new one must be nothing but a DSS dictionary. Its containers may be replaced when the document
    used them for nothing else; its streams may be added, never replaced.
    """

    def apply(self, old: HistoricalResolver, new: HistoricalResolver) -> Iterable[ReferenceUpdate]:
        if "/DSS" not in new.root:
            if "/DSS" in old.root:
                raise SuspiciousModification("The DSS dictionary was removed.")
            return
        if "/DSS" in old.root:
            # Something else that the signed revision calls DSS could be content in disguise.
            for _ in _parts(old.root.raw_get("/DSS")):
                pass
        old._load_reverse_xref_cache()  # type: ignore[no-untyped-call]
        for reference, is_stream in _parts(new.root.raw_get("/DSS")):
            is_new = old.reader.xrefs.get_historical_ref(reference, old.revision) is None
            usages = old._get_usages_of_ref(reference)
            if is_new and not usages:
                yield ReferenceUpdate(reference)
            elif not is_stream:
                yield from _explained(old, reference, usages, below=("/Root", "/DSS"))


class ReusedStreamNumberRule(WhitelistRule):
    """Some programs number a cross-reference stream, leave it out of its own table, and use the number again.

    The old object cannot be reached through any table, so nothing is replaced.
    """

    def apply(self, old: HistoricalResolver, new: HistoricalResolver) -> Iterable[ReferenceUpdate]:
        xrefs = old.reader.xrefs
        old._load_reverse_xref_cache()  # type: ignore[no-untyped-call]
        for reference in new.explicit_refs_in_revision():  # type: ignore[no-untyped-call]
            usages = old._get_usages_of_ref(reference)
            if usages and xrefs.get_historical_ref(reference, old.revision) is None:
                yield from _explained(old, reference, usages, below=("/AdditionalStreams",))


def _explained(
    old: HistoricalResolver, reference: Reference, usages: Iterable[Any], *, below: tuple[str, ...]
) -> Iterator[ReferenceUpdate]:
    for path in usages:
        if tuple(path.path[: len(below)]) == below:
            yield ReferenceUpdate(reference, context_checked=Context.from_absolute(old, path))


def _parts(store: Any) -> Iterator[tuple[Reference, bool]]:
    """Each indirect object of a DSS dictionary, and whether it is a stream; SuspiciousModification if it is no DSS."""
    yield from _itself(store)
    dss = _dictionary(store, _STORE_KEYS)
    yield from _lists(dss, _STORE_LISTS)
    if "/VRI" not in dss:
        return
    yield from _itself(dss.raw_get("/VRI"))
    entries = _dictionary(dss.raw_get("/VRI"), None)
    for key in entries:
        yield from _itself(entries.raw_get(key))
        entry = _dictionary(entries.raw_get(key), _ENTRY_KEYS)
        yield from _lists(entry, _ENTRY_LISTS)
        if "/TS" in entry:
            yield from _stream(entry.raw_get("/TS"))


def _itself(value: Any) -> Iterator[tuple[Reference, bool]]:
    if isinstance(value, generic.IndirectObject):
        yield value.reference, False


def _dictionary(value: Any, keys: set[str] | None) -> generic.DictionaryObject:
    found = value.get_object()
    if not isinstance(found, generic.DictionaryObject) or isinstance(found, generic.StreamObject):
        raise SuspiciousModification("A part of the DSS dictionary is no dictionary.")
    if keys is not None and not set(found) <= keys:
        raise SuspiciousModification("The DSS dictionary has entries that do not belong there.")
    return found


def _lists(holder: generic.DictionaryObject, keys: Iterable[str]) -> Iterator[tuple[Reference, bool]]:
    for key in keys:
        if key not in holder:
            continue
        value = holder.raw_get(key)
        yield from _itself(value)
        array = value.get_object()
        if not isinstance(array, generic.ArrayObject):
            raise SuspiciousModification("A list of the DSS dictionary is no list.")
        for index in range(len(array)):
            yield from _stream(array.raw_get(index))


def _stream(value: Any) -> Iterator[tuple[Reference, bool]]:
    if not isinstance(value, generic.IndirectObject):
        raise SuspiciousModification("A list of the DSS dictionary does not name streams.")
    found = value.get_object()  # type: ignore[no-untyped-call]
    if isinstance(found, generic.NullObject):
        # A reference that no revision defines.
        return
    if not isinstance(found, generic.StreamObject):
        raise SuspiciousModification("A list of the DSS dictionary names what is no stream.")
    yield value.reference, True
    length = found.raw_get("/Length") if "/Length" in found else None
    if isinstance(length, generic.IndirectObject):
        yield length.reference, True
