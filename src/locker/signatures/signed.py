"""A filled signature field, opened, and held to what covers a file."""

import functools
import re
from typing import Any

from asn1crypto import cms, core
from pyhanko.sign.validation.generic_cms import extract_tst_data_iter
from pyhanko.sign.validation.status import SignatureCoverageLevel

from locker.signatures.byte_range import SignedBytes, signed_bytes
from locker.signatures.cms_signature import Finding, SignedData, digest_of, failed
from locker.signatures.document import UNREADABLE, Document
from locker.signatures.embedded_signature import EmbeddedSignature

_WHITE_SPACE = b" \t\r\n\f\x00"
_TIME_STAMPS_MAX = 4
_UPDATE = re.compile(rb"[ \t\r\n\f\x00]*(?:\d+[ \t\r\n]+\d+[ \t\r\n]+obj|xref|%|\Z)")


class Signed:
    """A filled signature field, opened. Raises what parsing raises."""

    def __init__(self, document: Document, name: str, field: Any, *, certificates_max: int) -> None:
        self.document = document
        self.name = name
        self.embedded = EmbeddedSignature(document.reader, field, name)
        self.object = self.embedded.sig_object
        self.subfilter = str(self.object.get("/SubFilter", ""))
        self.cms = SignedData(self.embedded.signed_data, certificates_max=certificates_max)
        self.range: SignedBytes | None = signed_bytes(
            document.pdf, self.embedded.byte_range, self.embedded.pkcs7_content
        )
        if self.range:
            # A linearized file is two cross-reference sections, which pyHanko counts as revisions.
            self.embedded.signed_revision = _last_revision_within(document, self.embedded, self.range.end)
        self.revision: int = self.embedded.signed_revision

    def digest(self, algorithm: str) -> bytes | None:
        if self.range is None:
            return None
        if algorithm == "sha256":
            return self.document.sha256(self.range.first_end, self.range.second_start, self.range.end)
        view = memoryview(self.document.pdf)
        return digest_of(algorithm, view[: self.range.first_end], view[self.range.second_start : self.range.end])

    @functools.cached_property
    def tokens(self) -> list[cms.SignedData]:
        """Signature time stamps, at most four."""
        found: list[cms.SignedData] = []
        try:
            for token in extract_tst_data_iter(self.cms.signer_info, signed=False):
                found.append(token)
                if len(found) >= _TIME_STAMPS_MAX:
                    break
        except UNREADABLE:
            pass
        return found

    def content(self) -> bytes | None:
        """What the container encloses; a PDF's signatures are over the file, and enclose nothing or its digest."""
        content = self.cms.asn1["encap_content_info"]["content"]
        return None if content is core.VOID else bytes(content.native or b"")

    def against_structure(self) -> Finding | None:
        """Byte range, coverage, and bytes that no revision explains."""
        if self.range is None:
            return failed("FORMAT_FAILURE", "byte-range")
        coverage = self.embedded.evaluate_signature_coverage()
        if coverage not in (SignatureCoverageLevel.ENTIRE_FILE, SignatureCoverageLevel.ENTIRE_REVISION):
            return failed("FORMAT_FAILURE", "not-whole-revision")
        if self.document.bytes_after_end:
            return failed("FORMAT_FAILURE", "bytes-after-end")
        # What was appended once, and hidden by an update after it.
        if not _UPDATE.match(self.document.pdf, self.range.end):
            return failed("FORMAT_FAILURE", "bytes-after-end")
        # Each later revision has one startxref. More: an update that our reader, and not every reader, passes over.
        later = self.document.revisions - 1 - self.revision
        if self.document.pdf.count(b"startxref", self.range.end) != later:
            return failed("FORMAT_FAILURE", "unreferenced-update")
        if later == 0 and not self.covers_whole_file:
            return failed("FORMAT_FAILURE", "unreferenced-update")
        # And each object of it is named by a table: a reader that mends broken tables shows the others too.
        if self.document.has_unlisted_objects(self.range.end, self.revision + 1):
            return failed("FORMAT_FAILURE", "unreferenced-update")
        return None

    @property
    def covers_whole_file(self) -> bool:
        return self.range is not None and not self.document.pdf[self.range.end :].strip(_WHITE_SPACE)


def _last_revision_within(document: Document, embedded: EmbeddedSignature, end: int) -> int:
    revision: int = embedded.signed_revision
    xrefs = document.reader.xrefs
    while revision + 1 < document.revisions and xrefs.get_xref_container_info(revision + 1).end_location <= end:
        revision += 1
    return revision
