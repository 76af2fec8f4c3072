"""A PDF opened for judging: its revisions, its pages, what it brings along."""

import hashlib
import re
import struct
import zlib
from collections.abc import Iterator
from io import BytesIO
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.x509 import InvalidVersion
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.crypt import AuthStatus
from pyhanko.pdf_utils.decode_limits import (
    DEFAULT_PURPOSE_LIMITS,
    DecodeLimits,
    DocumentDecodeBudget,
    StreamDecodeLimits,
)
from pyhanko.pdf_utils.misc import PdfError
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko_certvalidator.errors import ValidationError

from locker.signatures.fast_reader import FastReader
from locker.signatures.signature_fields import signature_fields

_MIB = 1024 * 1024
READING_LIMITS = DecodeLimits(
    per_stream=StreamDecodeLimits(max_ratio=100, ratio_floor=_MIB, max_output_size=32 * _MIB),
    per_purpose=DEFAULT_PURPOSE_LIMITS,
    document_budget=DocumentDecodeBudget(base_allowance=64 * _MIB, max_ratio=4),
)
_WHITE_SPACE = b" \t\r\n\f\x00"
_SPACE = re.compile(rb"[ \t\r\n\f\x00]*")
_OBJECT = re.compile(rb"obj(?<!endobj)(?![A-Za-z0-9])")
_HEAD = re.compile(rb"[0-9]+[ \t\r\n\f\x00]+[0-9]+[ \t\r\n\f\x00]+\Z")
_NO_HEAD_YET = re.compile(rb"[ \t\r\n\f\x000-9]*[ \t\r\n\f\x00]\Z")
"""So much space that the numbers before ``obj`` are further away than is looked."""
_HEAD_MAX = 128
_OBJECTS_LOOKED_AT_MAX = 5_000
_SEARCHED_WHILE_ONE_IS_READ = 50_000
"""Bytes; measured roughly."""

# What hostile files were seen to make parsers raise. MemoryError is not among them: it ends the worker.
UNREADABLE = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    InvalidVersion,
    LookupError,
    OSError,
    PdfError,
    RuntimeError,
    TypeError,
    UnsupportedAlgorithm,
    ValidationError,
    ValueError,
    struct.error,
    zlib.error,
)


class Document:
    """Raises what the parser raises (``UNREADABLE``)."""

    def __init__(self, pdf: bytes) -> None:
        self.pdf = pdf
        # Not strict: files of other makers bend small rules. What is signed and shown is checked by us.
        self.reader = FastReader(BytesIO(pdf), READING_LIMITS)
        self.encrypted = self.reader.encrypted
        if self.encrypted:
            # Many encrypted files open without a password.
            self.locked = self.reader.decrypt(b"").status is AuthStatus.FAILED
        else:
            self.locked = False
        self.revisions: int = self.reader.xrefs.total_revisions
        self._prefix: tuple[int, Any] = (0, hashlib.sha256())
        self._written_in: dict[int, set[int]] = {}
        self.edges: dict[int, list[tuple[str, Any]]] = {}
        """What each object refers to, filled by who compares revisions."""
        self.plain: set[int] = set()
        """Places of objects that are plainly written, filled by the same."""

    def sha256(self, first_end: int, second_start: int, end: int) -> bytes:
        """Of ``[0, first_end)`` and ``[second_start, end)``; what several digests begin with is read once."""
        view = memoryview(self.pdf)
        known_end, known = self._prefix
        if known_end > first_end:
            known_end, known = 0, hashlib.sha256()
        state = known.copy()
        state.update(view[known_end:first_end])
        if first_end > self._prefix[0]:
            self._prefix = first_end, state.copy()
        state.update(view[second_start:end])
        return bytes(state.digest())

    def whole_sha256(self) -> str:
        known_end, known = self._prefix
        state = known.copy()
        state.update(memoryview(self.pdf)[known_end:])
        return str(state.hexdigest())

    def end_of(self, revision: int) -> int:
        """Where what comes after this revision begins. In a linearized file the newest section stands first."""
        xrefs = self.reader.xrefs
        return max(int(xrefs.get_xref_container_info(number).end_location) for number in range(revision + 1))

    def written_in(self, revision: int) -> set[int]:
        """Numbers of the objects that this revision writes or frees."""
        if revision not in self._written_in:
            data = self.reader.xrefs.get_xref_data(revision)
            written: set[int] = set()
            for part in (data, data.hybrid.xref_data if data.hybrid else None):
                if part is not None:
                    written |= part.standard_xrefs.keys() | part.xrefs_in_objstm.keys() | part.freed.keys()
            self._written_in[revision] = written
        return self._written_in[revision]

    def has_unlisted_objects(self, start: int, revision: int) -> bool:
        """Does an object begin at or after ``start`` that no table of this revision or a later one names?"""
        listed: set[int] | None = None
        for found in _OBJECT.finditer(self.pdf, start):
            before = max(start, found.start() - _HEAD_MAX)
            words = self.pdf[before : found.start()]
            head = _HEAD.search(words)
            if head is None and not _NO_HEAD_YET.match(words):
                continue
            if listed is None:
                listed = self._listed(revision)
            if head is None or before + head.start() not in listed:
                return True
        return False

    def _listed(self, first_revision: int) -> set[int]:
        xrefs = self.reader.xrefs
        places: set[int] = set()
        for revision in range(first_revision, self.revisions):
            data = xrefs.get_xref_data(revision)
            # A stream that is a table need not name itself.
            places.add(xrefs.get_xref_container_info(revision).start_location)
            if data.hybrid:
                places.add(data.hybrid.meta_info.start_location)
            for part in (data, data.hybrid.xref_data if data.hybrid else None):
                if part is not None:
                    places |= {offset for _, offset in part.standard_xrefs.values()}
        return {found.end() for place in places if (found := _SPACE.match(self.pdf, place))}

    @property
    def bytes_after_end(self) -> bool:
        """Is there more than white space after the last end mark?"""
        return bool(self.pdf[self.pdf.rfind(b"%%EOF") + 5 :].strip(_WHITE_SPACE))

    def page_count(self) -> int:
        """As the page tree claims, if it leads to at least one page."""
        pages = self.reader.root["/Pages"]
        count = int(pages["/Count"])
        node = pages
        for _ in range(64):
            if "/Kids" not in node:
                break
            kids = node["/Kids"]
            if not len(kids):
                return 0
            node = kids[0]
        return count if node["/Type"] == "/Page" else 0

    def signature_fields(self) -> Iterator[tuple[str, Any, Any]]:
        """Filled ones: name, reference of the signature dictionary (or the dictionary), field."""
        return signature_fields(self.reader)

    def active_content(self) -> tuple[frozenset[str], bool]:
        """What can act or show otherwise than the pages, and whether all of the document was looked at."""
        objects = sum(len(self.written_in(revision)) for revision in range(self.revisions))
        searching_is_cheaper = len(self.pdf) < objects * _SEARCHED_WHILE_ONE_IS_READ
        if not self.encrypted and searching_is_cheaper and _certainly_passive(self.pdf):
            return frozenset(), True
        return _Walk(self.reader).active_content()


_ACTIVE_NAMES = re.compile(
    rb"/(JavaScript|JS|Launch|OpenAction|AA|XFA|RichMedia|EmbeddedFile|EmbeddedFiles|Filespec|SubmitForm|ImportData|"
    rb"Movie|Sound|Screen|Rendition|3D|GoToR|GoToE)\b"
)
# A name may be written with #xx, and objects may be compressed: then only the parser sees them.
_HIDDEN_NAMES = re.compile(rb"/ObjStm\b|/[A-Za-z0-9]*#[0-9A-Fa-f]{2}")


def _certainly_passive(pdf: bytes) -> bool:
    return not _HIDDEN_NAMES.search(pdf) and not _ACTIVE_NAMES.search(pdf)


_ACTIONS = {
    "/JavaScript": "javascript",
    "/Launch": "launch",
    "/SubmitForm": "submit-form",
    "/ImportData": "submit-form",
    "/GoToR": "launch",
    "/GoToE": "launch",
    "/Rendition": "multimedia",
    "/Movie": "multimedia",
    "/Sound": "multimedia",
    "/RichMediaExecute": "rich-media",
}
_ANNOTATIONS = {
    "/RichMedia": "rich-media",
    "/3D": "3d",
    "/Movie": "multimedia",
    "/Sound": "multimedia",
    "/Screen": "multimedia",
    "/FileAttachment": "embedded-file",
}
_PASSIVE_ACTIONS = {"/GoTo", "/URI", "/Named"}


class _Walk:
    """Each object that the catalog reaches, once, up to a number of them."""

    def __init__(self, reader: PdfFileReader) -> None:
        self._reader = reader
        self._found: set[str] = set()

    def active_content(self) -> tuple[frozenset[str], bool]:
        seen: set[Any] = set()
        waiting: list[Any] = [self._reader.root]
        looked_at = 0
        complete = True
        while waiting:
            if looked_at >= _OBJECTS_LOOKED_AT_MAX:
                return frozenset(self._found), False
            value = waiting.pop()
            if isinstance(value, generic.IndirectObject):
                if value.reference in seen:
                    continue
                seen.add(value.reference)
                looked_at += 1
                try:
                    value = value.get_object()  # type: ignore[no-untyped-call]
                except UNREADABLE:
                    complete = False
                    continue
            if isinstance(value, generic.DictionaryObject):
                self._look(value)
                waiting.extend(value.raw_get(key, decrypt=generic.EncryptedObjAccess.RAW) for key in value)
            elif isinstance(value, generic.ArrayObject):
                waiting.extend(
                    value.raw_get(index, decrypt=generic.EncryptedObjAccess.RAW) for index in range(len(value))
                )
        return frozenset(self._found), complete

    def _look(self, value: generic.DictionaryObject) -> None:
        keys = value.keys()
        if "/JS" in keys:
            self._found.add("javascript")
        if "/XFA" in keys:
            self._found.add("xfa")
        if "/EF" in keys or "/EmbeddedFiles" in keys:
            self._found.add("embedded-file")
        action = _name(value, "/S")
        if action in _ACTIONS:
            self._found.add(_ACTIONS[action])
        annotation = _name(value, "/Subtype")
        if annotation in _ANNOTATIONS:
            self._found.add(_ANNOTATIONS[annotation])
        if "/OpenAction" in keys or "/AA" in keys:
            self._opening(value)

    def _opening(self, value: generic.DictionaryObject) -> None:
        action = _read(value, "/OpenAction")
        # A destination is an array; GoTo shows a page. Anything else acts when the document is opened.
        if isinstance(action, generic.DictionaryObject) and _name(action, "/S") not in _PASSIVE_ACTIONS:
            self._found.add("open-action")
        if "/AA" in value:
            self._found.add("open-action")


def _name(value: generic.DictionaryObject, key: str) -> str | None:
    found = _read(value, key)
    return found if isinstance(found, str) else None


def _read(value: generic.DictionaryObject, key: str) -> Any:
    """What stands there or where it leads: ``get`` would give a reference, behind which a name hides (U-10)."""
    try:
        return value[key]
    except UNREADABLE:
        return None
