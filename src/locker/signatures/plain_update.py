"""Updates after a signature that every reader reads alike: what one reader repairs, another shows otherwise.

A reader that finds a cross-reference section broken looks for objects itself, and takes the last one of each number in
the file, whether or not a section names it.
"""

import re
from io import BytesIO
from typing import Any

from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.xref import XRefSectionType, parse_xref_table

from locker.signatures.document import Document
from locker.signatures.plain_syntax import is_plain

# Bounded, so that a file of comments costs no more than another.
_SPACE = rb"(?:[ \t\r\n\f\x00]|%[^\r\n]{0,80}[\r\n]){1,16}"
_OBJECT = re.compile(rb"(?<!\d)(\d{1,10})" + _SPACE + rb"(\d{1,10})" + _SPACE + rb"obj\b")
_WHITE_SPACE = re.compile(rb"[ \t\r\n\f\x00]*")
_GENERATION_MAX = 0xFFFF


class Altered(Exception):
    """Something else than what may change did. ``place`` is where, as a path of keys."""

    def __init__(self, place: str) -> None:
        super().__init__(place)
        self.place = place


def require_plain_updates(document: Document, revision: int) -> None:
    """Raises Altered unless each later section is where it is said to be, names each object once, where it is and
    plainly written, brings none back that an earlier one replaced, and none is left out.

    ``document`` is read strictly.
    """
    reader: Any = document.reader
    xrefs = reader.xrefs
    trailers = reader.trailer._trailer_revisions
    places: set[int] = set()
    newest = xrefs.total_revisions - 1
    written = (max(document.written_in(number), default=0) for number in range(newest + 1))
    if xrefs.get_xref_container_info(newest).size <= max(written):
        # Readers forget what is beyond.
        raise Altered("trailer/Size")
    for number in range(revision + 1, newest + 1):
        section = xrefs.get_xref_container_info(number)
        if "/Root" not in trailers[newest - number]:
            raise Altered("trailer/Root")
        places |= _places(document, number, section)
    for found in _OBJECT.finditer(document.pdf, document.end_of(revision)):
        if found.start() not in places:
            raise Altered(f"object {int(found[1])}")


def _places(document: Document, number: int, section: Any) -> set[int]:
    pdf = document.pdf
    reader: Any = document.reader
    trailer = generic.TrailerReference(reader)  # type: ignore[no-untyped-call]
    places: set[int] = set()
    declared = _WHITE_SPACE.match(pdf, section.declared_startxref).end()  # type: ignore[union-attr]
    if section.xref_section_type is XRefSectionType.STANDARD:
        if pdf[declared : declared + 4] != b"xref":
            raise Altered("startxref")
        entries = list(parse_xref_table(BytesIO(pdf[section.start_location : section.end_location + 16]), strict=True))
        if len({entry.idnum for entry in entries}) < len(entries) or any(
            entry.generation > _GENERATION_MAX for entry in entries
        ):
            raise Altered("xref")
        _require_plain(document, "trailer", section.end_location, pdf, section.end_location)
        # Raises for a key that stands twice.
        generic.DictionaryObject.read_from_stream(_from(pdf, section.end_location), trailer)
    elif section.xref_section_type is XRefSectionType.STREAM:
        header = _OBJECT.match(pdf, declared)
        if not header:
            raise Altered("startxref")
        start = _WHITE_SPACE.match(pdf, header.end()).end()  # type: ignore[union-attr]
        _require_plain(document, "trailer", declared, pdf, start)
        generic.DictionaryObject.read_from_stream(_from(pdf, start), trailer)
        places.add(declared)
    else:
        # Readers do not agree on which of both parts is right.
        raise Altered("XRefStm")
    for object_number, (generation, offset) in reader.xrefs.get_xref_data(number).standard_xrefs.items():
        begin = _WHITE_SPACE.match(pdf, offset).end()  # type: ignore[union-attr]
        header = _OBJECT.match(pdf, begin)
        if header is None or (int(header[1]), int(header[2])) != (object_number, generation):
            raise Altered(f"object {object_number}")
        places.add(begin)
        _require_plain(document, f"object {object_number}", begin, pdf, header.end())
    for container in reader.xrefs.object_streams_used_in(number):
        stream = reader.object_stream_data(container.idnum)
        _require_plain(document, f"object {container.idnum}", -container.idnum, stream, 0)
    _require_nothing_back(document, number)
    return places


def _require_plain(document: Document, what: str, place: int, data: bytes, start: int) -> None:
    """``place`` is what it is remembered by: each signature asks for what came after it."""
    if place not in document.plain:
        if not is_plain(data, start):
            raise Altered(what)
        document.plain.add(place)


def _require_nothing_back(document: Document, number: int) -> None:
    """What a section names stands in its own update, or is what was in force before it."""
    reader: Any = document.reader
    xrefs = reader.xrefs
    data = xrefs.get_xref_data(number)
    began = document.end_of(number - 1)

    def before(object_number: int, generation: int) -> Any:
        return xrefs.get_historical_ref(generic.Reference(object_number, generation, pdf=reader), number - 1)

    for object_number, (generation, offset) in data.standard_xrefs.items():
        if offset < began and before(object_number, generation) != offset:
            raise Altered(f"object {object_number}")
    for object_number, place in data.xrefs_in_objstm.items():
        _, stream = data.standard_xrefs.get(place.obj_stream_id, (0, 0))
        if stream < began and before(object_number, 0) != place:
            raise Altered(f"object {object_number}")


def _from(pdf: bytes, place: int) -> BytesIO:
    """Without a copy of what may be large."""
    source = BytesIO(pdf)
    source.seek(place)
    return source
