"""What is refused before a parser sees it: 0.25 ms for 100 kB."""

import re

from locker.signatures.schema import Policy

_OBJECTS_MAX = 500_000
_SIZE = re.compile(rb"/Size\s+(\d{1,20})")
_EOF_WITHIN = 2048


def pre_gate(pdf: bytes, policy: Policy) -> str | None:
    """The reason code of what is wrong, or None."""
    if len(pdf) > policy.size_max_bytes:
        return "too-large"
    if not pdf.startswith(b"%PDF-"):
        # Also where a header comes later: what stands before it could be another format.
        return "not-a-pdf"
    if b"%%EOF" not in pdf[-_EOF_WITHIN:]:
        return "no-end-of-file"
    if pdf.count(b"startxref") > policy.revisions_max:
        return "too-many-revisions"
    if pdf.count(b"/ByteRange") > policy.signatures_max:
        return "too-many-signatures"
    if any(
        int(claimed[1]) > _OBJECTS_MAX and not _of_embedded_file(pdf, claimed.start())
        for claimed in _SIZE.finditer(pdf)
    ):
        return "too-many-objects"
    return None


def _of_embedded_file(pdf: bytes, at: int) -> bool:
    """Its /Params has a /Size too, in bytes. Who hides a trailer's there meets the worker's limits instead."""
    return b"/Params" in pdf[max(0, at - 200) : at]
