"""What changed after a signature: nothing, archive data, further signatures, filled fields, annotations, anything else.

The signed revision and the last one are compared as a reader walks them, from the catalog down. Only the places named
here may differ, and each says what its difference is called.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
from pyhanko.pdf_utils import generic
from pyhanko.sign.fields import FieldMDPSpec

from locker.signatures.compared_objects import Number, TwoRevisions, entry
from locker.signatures.document import UNREADABLE, Document
from locker.signatures.form_fields import Field, form_fields
from locker.signatures.kept_signatures import require_kept_signatures
from locker.signatures.names import clean
from locker.signatures.plain_update import Altered
from locker.signatures.schema import Change

_SEVERITY: list[Change] = ["none", "archive", "signatures", "form-filling", "annotations", "other"]
_PAGES_MAX = 20_000
_PLACES_MAX = 8

# Neither drawn nor read out: validation data, versions, descriptions.
_ARCHIVE_KEYS = {"/DSS", "/Extensions", "/Version", "/Metadata", "/MarkInfo"}
_OWN_RULES = {"/AcroForm", "/Pages", "/StructTreeRoot", "/Names", "/Type"}
_PAGE_NOTES = {"/Annots", "/Parent", "/Tabs", "/LastModified", "/StructParents"}
_SIGNING_KEYS = {"/V", "/AP", "/AS", "/F", "/DA", "/Q", "/Ff", "/Type", "/M", "/MK"}
_FILLING_KEYS = {"/V", "/AP", "/AS", "/I", "/RV", "/M", "/MK", "/DA", "/Q", "/Ff", "/Type"}
_LINK_KEYS = {"/Parent", "/Kids", "/P"}
_HIDDEN = {"/Alt", "/ActualText", "/E", "/A", "/C"}
_LARGE_PART_OF_PAGE = 0.25
_LETTER = 612.0 * 792.0
_DEPTH_MAX = 64
_INHERITED = ("/Resources", "/MediaBox", "/CropBox", "/Rotate")


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """``places``: names of fields, or paths of keys, at most eight. ``replaced``: a field that showed something shows
    something else now; ``locked``: a field changed that the signature's FieldMDP locks; ``covering``: a later signature
    draws over a large part of a page."""

    kind: Change
    places: tuple[str, ...] = ()
    replaced: bool = False
    locked: bool = False
    covering: bool = False


def changes_since(document: Document, revision: int, *, fieldmdp: FieldMDPSpec | None) -> Changes:
    """The worst kind of change in the revisions after ``revision``. What cannot be compared is ``other``."""
    if revision >= document.revisions - 1:
        return Changes(kind="none")
    try:
        comparison = _Comparison(document, TwoRevisions(document, revision), fieldmdp)
        comparison.run()
    except Altered as altered:
        return Changes(kind="other", places=(clean(altered.place),))
    except (*UNREADABLE, RecursionError):
        return Changes(kind="other")
    return comparison.found()


def is_time_stamp(signature: Any) -> bool:
    """A document time stamp, also one that is mistyped as a signature."""
    return bool(signature.get("/Type", "/Sig") == "/DocTimeStamp" or signature.get("/SubFilter") == "/ETSI.RFC3161")


class _Comparison:
    def __init__(self, document: Document, two: TwoRevisions, fieldmdp: FieldMDPSpec | None) -> None:
        self._document = document
        self._two = two
        self._fieldmdp = fieldmdp
        self._kind: Change = "none"
        self._places: dict[str, None] = {}
        self._replaced = self._locked = self._covering = False
        self._new_fields: set[Number] = set()
        self._judged: set[Number] = set()
        self._judged_signatures: set[Number] = set()

    def found(self) -> Changes:
        return Changes(
            kind=self._kind,
            places=tuple(self._places)[:_PLACES_MAX],
            replaced=self._replaced,
            locked=self._locked,
            covering=self._covering,
        )

    def run(self) -> None:
        two = self._two
        require_kept_signatures(self._document, two.revision)
        two.require_same(two.trailer("/Encrypt", then=True), two.trailer("/Encrypt", then=False), "Encrypt")
        old, new = two.root(then=True), two.root(then=False)
        old_form, new_form = two.then(entry(old, "/AcroForm")), two.now(entry(new, "/AcroForm"))
        before = form_fields(old_form, two.then)
        after = form_fields(new_form, two.now)
        pages = list(self._pages(entry(old, "/Pages"), entry(new, "/Pages")))
        two.fields |= before.keys() | after.keys()
        self._new_fields = two.new_fields = after.keys() - before.keys()
        for old_page, new_page in pages:
            two.fields |= set(_numbers(two.then(entry(old_page, "/Annots")))) - two.pages
            two.fields |= set(_numbers(two.now(entry(new_page, "/Annots")))) - two.pages
        self._find_judged(self._document, after)
        self._fields(before, after)
        self._form(old_form, new_form, before)
        for old_page, new_page in pages:
            self._page(old_page, new_page, before, after)
        self._catalog(old, new)
        if not two.same(two.trailer("/Info", then=True), two.trailer("/Info", then=False)):
            self._mark("archive")

    def _mark(self, kind: Change, place: str = "") -> None:
        self._kind = max(self._kind, kind, key=_SEVERITY.index)
        if place:
            self._places.setdefault(clean(place))

    def _catalog(self, old: Any, new: Any) -> None:
        two = self._two
        for key in {*old, *new} - _OWN_RULES:
            if key not in _ARCHIVE_KEYS:
                two.require_same(entry(old, key), entry(new, key), f"Root{key}")
            elif not two.same(entry(old, key), entry(new, key)):
                self._mark("archive")
        self._names(two.then(entry(old, "/Names")), two.now(entry(new, "/Names")))
        self._structure(entry(old, "/StructTreeRoot"), entry(new, "/StructTreeRoot"))

    def _names(self, old: Any, new: Any) -> None:
        """Pictures of annotations may be added; scripts, destinations and files may not."""
        old, new = old or {}, new or {}
        for key in {*old, *new}:
            if key != "/AP":
                self._two.require_same(entry(old, key), entry(new, key), f"Root/Names{key}")
            elif not self._two.same(entry(old, key), entry(new, key)):
                self._mark("annotations", "Root/Names/AP")

    # The form

    def _find_judged(self, document: Document, after: dict[Number, Field]) -> None:
        self._judged = {reference.idnum for _, _, reference in document.signature_fields()}
        for number in self._judged & after.keys():
            signature = entry(after[number].value, "/V")
            if isinstance(signature, generic.IndirectObject):
                self._judged_signatures.add(signature.idnum)

    def _form(self, old: Any, new: Any, before: dict[Number, Field]) -> None:
        if new is None:
            if old is not None:
                raise Altered("Root/AcroForm")
            return
        old = old if old is not None else {}
        for key in {*old, *new} - {"/Fields", "/SigFlags"}:
            one, other = entry(old, key), entry(new, key)
            if key == "/DR":
                self._resources(self._two.then(one), self._two.now(other), before)
            elif key == "/NeedAppearances":
                value = self._two.now(other)
                if value is not None and value.value and not self._two.same(one, other):
                    self._mark("form-filling", "Root/AcroForm/NeedAppearances")
            elif not (key in {"/DA", "/Q"} and one is None):
                self._two.require_same(one, other, f"Root/AcroForm{key}")

    def _resources(self, old: Any, new: Any, before: dict[Number, Field]) -> None:
        """Programs add fonts for what they fill in, and put pictures of signatures there; what was used stays."""
        for category in old or ():
            if category == "/XObject" and all(map(self._brings_resources, before.values())):
                continue
            then, now = self._two.then(old.raw_get(category)), self._two.now(entry(new or {}, category))
            if not isinstance(then, generic.DictionaryObject) or not isinstance(now, generic.DictionaryObject):
                self._two.require_same(then, now, f"Root/AcroForm/DR{category}")
                continue
            for name in then:
                self._two.require_same(then.raw_get(name), entry(now, name), f"Root/AcroForm/DR{category}{name}")

    def _brings_resources(self, field: Field) -> bool:
        """Without its own, a reader may look for the pictures of an appearance in the form's resources."""
        appearances = self._two.then(entry(field.value, "/AP"))
        waiting = [appearances]
        for _ in range(_DEPTH_MAX):
            if not waiting:
                return True
            found = self._two.then(waiting.pop())
            if isinstance(found, generic.StreamObject):
                if "/Resources" not in found:
                    return False
            elif isinstance(found, generic.DictionaryObject):
                waiting += [found.raw_get(state) for state in found]
        return False

    def _fields(self, before: dict[Number, Field], after: dict[Number, Field]) -> None:
        for number, field in before.items():
            if number not in after or after[number].name != field.name or after[number].kind != field.kind:
                raise Altered(f"field {field.name}")
            self._same_parent(field.value, after[number].value, f"field {field.name}")
        filled: set[str] = set()
        drawn: set[str] = set()
        for number, field in after.items():
            if number not in before:
                self._added_field(number, field)
            elif field.kind == "/Sig":
                self._signature_field(number, before[number], field)
            else:
                self._other_field(before[number], field, filled, drawn)
        if drawn - filled:
            # Another picture of the same value.
            self._replaced = True

    def _same_parent(self, old: Any, new: Any, place: str) -> tuple[Any, Any]:
        """What a page or field inherits, readers look for above it, wherever the tree was entered."""
        one, other = entry(old, "/Parent"), entry(new, "/Parent")
        if list(_numbers([one])) != list(_numbers([other])) or (
            not isinstance(one, generic.IndirectObject) and not self._two.same(one, other)
        ):
            raise Altered(place)
        return one, other

    def _added_field(self, number: Number, field: Field) -> None:
        if field.kind != "/Sig" and not (field.kind is None and not field.is_terminal):
            raise Altered(f"field {field.name}")
        if "/A" in field.value or "/AA" in field.value:
            raise Altered(f"field {field.name}")
        if field.kind != "/Sig" or not field.is_terminal:
            if "/AP" in field.value or "/Rect" in field.value:
                # A node that groups fields shows nothing.
                raise Altered(f"field {field.name}")
            return
        self._signed(number, field, draws=self._draws(field.value))
        self._check_lock(field.name)

    def _signed(self, number: Number, field: Field, *, draws: bool) -> None:
        signature = self._two.now(field.signature)
        if signature is None:
            # A field to sign later has an appearance of its own, and no one answers for it.
            self._mark("form-filling", field.name)
        elif not self._is_judged(number, field) or (draws and self._two.then(field.signature) is not None):
            # A picture by nobody: of no signature that is judged, or of one that was there before.
            raise Altered(f"field {field.name}")
        elif not _is_time_stamp(signature, self._two):
            self._mark("signatures", field.name)
        elif draws:
            # A time stamp speaks for no one, so it shows nothing.
            raise Altered(f"field {field.name}")
        else:
            self._mark("archive")

    def _is_judged(self, number: Number, field: Field) -> bool:
        """Whether the signature of this field has a verdict of its own."""
        signature = field.signature
        if isinstance(signature, generic.IndirectObject):
            return signature.idnum in self._judged_signatures
        return number in self._judged

    def _draws(self, widget: Any) -> bool:
        if self._two.now(entry(widget, "/AP")) is None:
            return False
        return any(_sides(self._two, entry(widget, "/Rect"))) or self._is_drawn_beside(widget)

    def _is_drawn_beside(self, widget: Any) -> bool:
        """Of a widget without extent: its picture is scaled to nothing (ISO 32000-2 §12.5.5), but where the picture has
        no extent either there is no scale, and readers draw it as it is."""
        two = self._two
        waiting = [entry(widget, "/AP")]
        for _ in range(_DEPTH_MAX):
            if not waiting:
                return False
            found = two.now(waiting.pop())
            if isinstance(found, generic.StreamObject):
                is_scaled = all(_sides(two, entry(found, "/BBox"))) and "/Matrix" not in found
                if not is_scaled and found.data.strip():
                    return True
            elif isinstance(found, generic.DictionaryObject):
                waiting += [found.raw_get(state) for state in found]
        return True

    def _signature_field(self, number: Number, old: Field, new: Field) -> None:
        changed = self._changed_keys(old, new)
        if not changed:
            return
        if self._two.then(old.signature) is not None:
            # Its picture, or what it says of itself, was replaced.
            raise Altered(f"field {old.name}")
        if changed - _SIGNING_KEYS:
            raise Altered(f"field {old.name}")
        self._signed(number, new, draws="/AP" in changed and self._draws(new.value))

    def _other_field(self, old: Field, new: Field, filled: set[str], drawn: set[str]) -> None:
        changed = self._changed_keys(old, new)
        if not changed:
            return
        if changed - _FILLING_KEYS:
            raise Altered(f"field {old.name}")
        self._mark("form-filling", old.name)
        self._check_lock(old.name)
        if "/V" in changed:
            filled.add(old.name)
            self._replaced = self._replaced or not _is_blank(self._two.then(entry(old.value, "/V")))
        if "/AP" in changed or "/AS" in changed:
            drawn.add(old.name)

    def _changed_keys(self, old: Field, new: Field) -> set[str]:
        return {
            key
            for key in {*old.value, *new.value} - _LINK_KEYS
            if not self._two.same(entry(old.value, key), entry(new.value, key))
        }

    def _check_lock(self, name: str) -> None:
        if self._fieldmdp is not None and self._fieldmdp.is_locked(name):
            self._locked = True

    # Pages

    def _pages(self, old: Any, new: Any) -> Iterator[tuple[Any, Any]]:
        """Each page then and now, in order; their number and order are the signed ones."""
        two = self._two
        waiting = [(old, new)]
        seen = 0
        while waiting:
            seen += 1
            if seen > _PAGES_MAX:
                raise Altered("too many pages")
            old_reference, new_reference = waiting.pop()
            one, other = two.then(old_reference), two.now(new_reference)
            if not isinstance(one, generic.DictionaryObject) or not isinstance(other, generic.DictionaryObject):
                raise Altered("Root/Pages")
            for reference in (old_reference, new_reference):
                if isinstance(reference, generic.IndirectObject):
                    two.pages.add(reference.idnum)
            if "/Kids" not in one:
                yield one, other
                continue
            for key in {*one, *other} - {"/Kids", "/Parent", "/ITXT"}:
                two.require_same(entry(one, key), entry(other, key), f"Root/Pages{key}")
            kids, kids_now = two.then(one.raw_get("/Kids")), two.now(entry(other, "/Kids"))
            if not isinstance(kids_now, generic.ArrayObject) or len(kids) != len(kids_now):
                raise Altered("Root/Pages/Kids")
            waiting += ((kids.raw_get(i), kids_now.raw_get(i)) for i in reversed(range(len(kids))))

    def _page(self, old: Any, new: Any, before: dict[Number, Field], after: dict[Number, Field]) -> None:
        two = self._two
        for key in {*old, *new} - _PAGE_NOTES:
            two.require_same(entry(old, key), entry(new, key), f"page{key}")
        self._inherited(old, new)
        then, now = _list(two.then(entry(old, "/Annots"))), _list(two.now(entry(new, "/Annots")))
        order, order_now = list(_numbers(then)), list(_numbers(now))
        if [n for n in order if n in set(order_now)] != [n for n in order_now if n in set(order)]:
            self._mark("annotations", "page/Annots")
        for number in set(order) - set(order_now):
            if number in before:
                raise Altered(f"field {before[number].name}")
            self._mark("annotations", "page/Annots")
        for number in set(order_now) - set(order):
            if number not in after:
                self._mark("annotations", "page/Annots")
        references = {value.idnum: value for value in then if isinstance(value, generic.IndirectObject)}
        for value in now:
            if not isinstance(value, generic.IndirectObject) or value.idnum in after:
                continue
            annotation = two.now(value)
            if isinstance(annotation, generic.StreamObject):
                raise Altered("page/Annots")
            if value.idnum in references and not self._same_annotation(two.then(references[value.idnum]), annotation):
                self._mark("annotations", "page/Annots")
        direct = [value for value in then if not isinstance(value, generic.IndirectObject)]
        direct_now = [value for value in now if not isinstance(value, generic.IndirectObject)]
        if len(direct) != len(direct_now) or not all(map(two.same, direct, direct_now)):
            self._mark("annotations", "page/Annots")

        self._covered(new, [after[n].value for n in set(order_now) - set(order) if n in after])

    def _inherited(self, old: Any, new: Any) -> None:
        two = self._two
        for _ in range(_DEPTH_MAX):
            above, above_now = self._same_parent(old, new, "page/Parent")
            old, new = two.then(above), two.now(above_now)
            if not isinstance(old, generic.DictionaryObject) or not isinstance(new, generic.DictionaryObject):
                two.require_same(above, above_now, "page/Parent")
                return
            for key in _INHERITED:
                two.require_same(entry(old, key), entry(new, key), f"Root/Pages{key}")
        raise Altered("page/Parent")

    def _covered(self, page: Any, added: list[Any]) -> None:
        two = self._two
        areas = []
        for _ in range(_DEPTH_MAX):
            if not isinstance(page, generic.DictionaryObject):
                break
            areas += [_area(two, entry(page, box)) for box in ("/MediaBox", "/CropBox")]
            page = two.now(entry(page, "/Parent"))
        visible = min(filter(None, areas), default=_LETTER)
        drawn = sum(_area(two, entry(widget, "/Rect")) for widget in added if self._draws(widget))
        beside = any(self._draws(widget) and not _area(two, entry(widget, "/Rect")) for widget in added)
        self._covering = self._covering or beside or drawn > _LARGE_PART_OF_PAGE * visible

    def _same_annotation(self, old: Any, new: Any) -> bool:
        if not isinstance(old, generic.DictionaryObject) or not isinstance(new, generic.DictionaryObject):
            return self._two.same(old, new)
        return all(self._two.same(entry(old, key), entry(new, key)) for key in {*old, *new} - _LINK_KEYS)

    # The structure, which programs read out to those who do not see

    def _structure(self, old: Any, new: Any) -> None:
        """Elements for new signature fields may be added; what is read out stays."""
        two = self._two
        waiting = [(old, new)]
        seen: set[Number] = set()
        while waiting:
            old_reference, new_reference = waiting.pop()
            if isinstance(old_reference, generic.IndirectObject):
                if old_reference.idnum in seen:
                    continue
                seen.add(old_reference.idnum)
                if len(seen) > _PAGES_MAX:
                    raise Altered("too many structure elements")
            one, other = two.then(old_reference), two.now(new_reference)
            if one is None and other is None:
                continue
            if not isinstance(one, generic.DictionaryObject) or not isinstance(other, generic.DictionaryObject):
                two.require_same(old_reference, new_reference, "Root/StructTreeRoot")
                continue
            for key in {*one, *other} - {"/K", "/P", "/Pg", "/Obj", "/ParentTree", "/ParentTreeNextKey"}:
                two.require_same(entry(one, key), entry(other, key), f"Root/StructTreeRoot{key}")
            kids, kids_now = _kids(two.then, one), _kids(two.now, other)
            if len(kids_now) < len(kids):
                raise Altered("Root/StructTreeRoot/K")
            waiting += zip(kids, kids_now, strict=False)
            for added in kids_now[len(kids) :]:
                self._require_silent(added)

    def _require_silent(self, element: Any, depth: int = 0) -> None:
        found = self._two.now(element)
        if depth > 8 or not isinstance(found, generic.DictionaryObject) or _HIDDEN & found.keys():
            raise Altered("Root/StructTreeRoot/K")
        shown = entry(found, "/Obj")
        if shown is not None:
            if not isinstance(shown, generic.IndirectObject) or shown.idnum not in self._new_fields:
                raise Altered("Root/StructTreeRoot/K")
            return
        for kid in _kids(self._two.now, found):
            self._require_silent(kid, depth + 1)


def _kids(get: Any, element: Any) -> list[Any]:
    raw = entry(element, "/K")
    found = get(raw)
    if found is None:
        return []
    return [found.raw_get(i) for i in range(len(found))] if isinstance(found, generic.ArrayObject) else [raw]


def _is_time_stamp(signature: Any, two: TwoRevisions) -> bool:
    return isinstance(signature, generic.DictionaryObject) and (
        two.now(entry(signature, "/Type")) == "/DocTimeStamp"
        or two.now(entry(signature, "/SubFilter")) == "/ETSI.RFC3161"
    )


def _is_blank(value: Any) -> bool:
    return value is None or value == "/Off" or (isinstance(value, (str, bytes, list)) and not len(value))


def _list(value: Any) -> list[Any]:
    return [value.raw_get(i) for i in range(len(value))] if isinstance(value, generic.ArrayObject) else []


def _numbers(values: Iterable[Any] | None) -> Iterator[Number]:
    if isinstance(values, generic.ArrayObject):
        values = _list(values)
    for value in values or ():
        if isinstance(value, generic.IndirectObject):
            yield value.idnum


def _area(two: TwoRevisions, rectangle: Any) -> float:
    width, height = _sides(two, rectangle)
    return width * height


def _sides(two: TwoRevisions, rectangle: Any) -> tuple[float, float]:
    corners = two.now(rectangle)
    if not isinstance(corners, generic.ArrayObject) or len(corners) != 4:
        return 0.0, 0.0
    left, bottom, right, top = (float(two.now(corners.raw_get(i)) or 0) for i in range(4))
    return abs(right - left), abs(top - bottom)
