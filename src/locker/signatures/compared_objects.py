"""Two revisions of one document, object by object: what a reader reaches from the catalog, then and now.

Whatever a reader shows, it reaches from the catalog; so what is equal there is shown alike, however it was written.
"""

from collections.abc import Iterator
from typing import Any

from pyhanko.pdf_utils import generic

from locker.signatures.document import Document
from locker.signatures.plain_update import Altered, require_plain_updates

_OBJECTS_MAX = 200_000

# Keys under which fields and annotations are named without being drawn. What is reached by another key is compared like
# everything else, though it may be a field too. A page is drawn as a page only.
_LINKS = frozenset({"/Parent", "/Kids", "/Annots", "/Fields", "/P", "/Pg", "/Obj", "/Popup", "/IRT", "/CO"})

Number = int
"""An object's number. Generations are not told apart: readers do not agree on what they mean."""


class TwoRevisions:
    """``document`` at ``revision``, and now."""

    def __init__(self, document: Document, revision: int) -> None:
        self._document = document
        self._reader: Any = document.reader
        self.revision = revision
        self._edges = document.edges
        self._old: dict[Number, Any] = {}
        self._seen: set[tuple[Number, Number]] = set()
        self.pages: set[Number] = set()
        self.fields: set[Number] = set()
        """Pages, and fields with annotations, which their own rules compare."""
        self.new_fields: set[Number] = set()
        self._reader.read_strictly()
        require_plain_updates(document, revision)
        self._catalogs = {self._root_reference(then).idnum for then in (True, False)}
        self.touched = self._touched()

    def _touched(self) -> set[Number]:
        """Numbers that a later revision writes or frees."""
        xrefs = self._reader.xrefs
        touched: set[Number] = set()
        for revision in range(self.revision + 1, xrefs.total_revisions):
            touched |= self._document.written_in(revision)
        for revision in range(self.revision + 1):
            if not touched.isdisjoint(ref.idnum for ref in xrefs.object_streams_used_in(revision)):
                # Objects of the signed revision would be read out of another container.
                raise Altered("object stream")
        return touched

    def then(self, value: Any) -> Any:
        """What ``value`` was, if it is a reference: an object, or None for null."""
        if isinstance(value, generic.IndirectObject):
            if value.idnum not in self.touched:
                return self.now(value)
            if value.idnum not in self._old:
                self._old[value.idnum] = self._reader.get_object(value.reference, revision=self.revision)
            value = self._old[value.idnum]
        return None if isinstance(value, generic.NullObject) else value

    def now(self, value: Any) -> Any:
        if isinstance(value, generic.IndirectObject):
            if value.idnum in self.touched and not self._is_current(value):
                return None
            value = self._reader.get_object(value.reference)
        return None if isinstance(value, generic.NullObject) else value

    def _is_current(self, reference: Any) -> bool:
        """The last word on this number: in use, and with this generation."""
        xrefs = self._reader.xrefs
        for revision in range(xrefs.total_revisions - 1, self.revision, -1):
            data = xrefs.get_xref_data(revision)
            for part in (data, data.hybrid.xref_data if data.hybrid else None):
                if part is None:
                    continue
                if reference.idnum in part.xrefs_in_objstm:
                    return bool(reference.generation == 0)
                if reference.idnum in part.standard_xrefs:
                    return bool(part.standard_xrefs[reference.idnum][0] == reference.generation)
                if reference.idnum in part.freed:
                    return False
        return True

    def root(self, *, then: bool) -> Any:
        reference = self._root_reference(then)
        return self.then(reference) if then else self.now(reference)

    def _root_reference(self, then: bool) -> Any:
        return self._reader.trailer.raw_get("/Root", revision=self.revision if then else None)

    def trailer(self, key: str, *, then: bool) -> Any:
        try:
            return self._reader.trailer.raw_get(key, revision=self.revision if then else None)
        except KeyError:
            return None

    def require_same(self, old: Any, new: Any, place: str) -> None:
        """Raises Altered unless both lead to equal objects, all the way down."""
        seen: set[tuple[Number, Number]] = set()
        self._compare(old, new, place, seen)
        # Only now: what was on the way when a difference was found was not compared.
        self._seen |= seen

    def _compare(self, old: Any, new: Any, place: str, seen: set[tuple[Number, Number]]) -> None:
        known = self._seen
        waiting: list[tuple[Any, Any, str]] = [(old, new, "/" + place.rpartition("/")[2])]
        while waiting:
            if len(known) + len(seen) > _OBJECTS_MAX:
                raise Altered("too many objects")
            one, other, key = waiting.pop()
            reference = isinstance(one, generic.IndirectObject) and isinstance(other, generic.IndirectObject)
            if reference and (one.idnum, one.generation) == (other.idnum, other.generation):
                pair = (one.idnum, one.idnum)
                if pair in known or pair in seen or self._has_own_rule(one.idnum, key):
                    continue
                seen.add(pair)
                if one.idnum not in self.touched:
                    waiting += ((child, child, name) for name, child in self._children(one))
                    continue
            elif reference:
                pair = (one.idnum, other.idnum)
                if pair in known or pair in seen:
                    continue
                seen.add(pair)
            waiting += self._parts(self.then(one), self.now(other), key, place)

    def same(self, old: Any, new: Any) -> bool:
        try:
            self.require_same(old, new, "")
        except Altered:
            return False
        return True

    def _has_own_rule(self, number: Number, key: str) -> bool:
        return (
            number in self.pages
            # A name in a resource dictionary may be one of these too: what was nothing then must be nothing now.
            or (number in self.fields and key in _LINKS and number not in self.new_fields)
            # What a signature's DocMDP and FieldMDP are about (ISO 32000-2 table 256).
            or (number in self._catalogs and key == "/Data")
        )

    def _parts(self, one: Any, other: Any, key: str, place: str) -> list[tuple[Any, Any, str]]:
        """What must be equal for these two to be; raises Altered when they differ themselves."""
        match one, other:
            case generic.DictionaryObject(), generic.DictionaryObject():
                if _content(one) != _content(other):
                    raise Altered(f"{place} … {key}")
                return [(entry(one, name), entry(other, name), name) for name in {*one, *other}]
            case generic.ArrayObject(), generic.ArrayObject() if len(one) == len(other):
                return [(one.raw_get(index), other.raw_get(index), key) for index in range(len(one))]
            case _ if _equal(one, other):
                return []
        raise Altered(f"{place} … {key}")

    def _children(self, reference: Any) -> list[tuple[str, Any]]:
        """Each reference in an object that did not change, with the key it stands under."""
        known = self._edges.get(reference.idnum)
        if known is None:
            known = self._edges[reference.idnum] = list(_references(self._reader.get_object(reference.reference)))
        return known


def entry(dictionary: Any, key: str) -> Any:
    """The raw value, None where there is none."""
    return dictionary.raw_get(key) if key in dictionary else None


def _content(dictionary: Any) -> bytes | None:
    return dictionary.encoded_data if isinstance(dictionary, generic.StreamObject) else None


def _references(value: Any) -> Iterator[tuple[str, Any]]:
    waiting = [("", value)]
    while waiting:
        key, value = waiting.pop()
        if isinstance(value, generic.IndirectObject):
            yield key, value
        elif isinstance(value, generic.DictionaryObject):
            waiting += ((name, value.raw_get(name)) for name in value)
        elif isinstance(value, generic.ArrayObject):
            waiting += ((key, value.raw_get(index)) for index in range(len(value)))


def _equal(one: Any, other: Any) -> bool:
    if one is other:
        return True
    strings = (generic.TextStringObject, generic.ByteStringObject)
    if isinstance(one, strings) and isinstance(other, strings):
        return bool(one.original_bytes == other.original_bytes)
    numbers = (generic.NumberObject, generic.FloatObject)
    if isinstance(one, numbers) and isinstance(other, numbers):
        return bool(one == other)
    if isinstance(one, generic.BooleanObject) and isinstance(other, generic.BooleanObject):
        return bool(one.value == other.value)
    return isinstance(one, generic.NameObject) and isinstance(other, generic.NameObject) and str(one) == str(other)
