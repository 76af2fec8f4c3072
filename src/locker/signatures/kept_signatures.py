"""Signatures of later revisions that are still there: an update may add one, and takes none away."""

import re
from bisect import bisect_right
from typing import Any

from pyhanko.pdf_utils import generic

from locker.signatures.document import Document
from locker.signatures.plain_update import Altered

_BYTE_RANGE = re.compile(rb"/ByteRange\b")


def require_kept_signatures(document: Document, revision: int) -> None:
    """Raises Altered where a revision after ``revision`` holds a signature that no field leads to any more.

    Cutting the file off before it leaves the document as it was signed; an update that hides it does not.
    """
    reader: Any = document.reader
    xrefs = reader.xrefs
    written: dict[int, tuple[int, int]] = {}
    now: dict[int, int] = {}
    for number in range(revision + 1, document.revisions):
        data = xrefs.get_xref_data(number)
        places = {object_number: offset for object_number, (_, offset) in data.standard_xrefs.items()}
        for gone in document.written_in(number) - places.keys():
            now.pop(gone, None)
        now |= places
        written |= {offset: (object_number, number) for object_number, offset in places.items()}
    offsets = sorted(written)
    reached: set[int] | None = None
    for found in _BYTE_RANGE.finditer(document.pdf, document.end_of(revision)):
        index = bisect_right(offsets, found.start()) - 1
        if index < 0:
            continue
        offset = offsets[index]
        object_number, in_revision = written[offset]
        if reached is None:
            reached = {
                value.idnum if isinstance(value, generic.IndirectObject) else field.idnum
                for _, value, field in document.signature_fields()
            }
        if object_number in reached and now.get(object_number) == offset:
            continue
        if _holds_signature(reader.get_object(generic.Reference(object_number, 0, reader), revision=in_revision)):
            raise Altered("signature")


def _holds_signature(found: Any) -> bool:
    """A signature, or a field that holds one: usage rights stand in the catalog and are written again with it."""
    if not isinstance(found, generic.DictionaryObject):
        return False
    value = found.raw_get("/V") if "/V" in found else found
    return isinstance(value, generic.DictionaryObject) and "/ByteRange" in value
