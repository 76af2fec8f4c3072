"""What is refused before a parser sees it: 0.25 ms for 100 kB."""

import re
from collections import Counter

from locker.signatures.schema import Policy

_OBJECTS_MAX = 500_000
# All that is counted has an e: what comes before it is looked at where there is one, in one pass over the file.
_COUNTED = re.compile(
    rb"e(?:(?<=startxre)(f)|(?<=/ByteRange)()|(?<=/Size)\s+(\d{1,20})|(?<=/Inde)x\s*\[([\d\s]{1,100000}))"
)
_STARTXREF, _BYTE_RANGE, _SIZE, _INDEX = 1, 2, 3, 4
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
    counts, claims_too_much = Counter[int | None](), False
    for found in _COUNTED.finditer(pdf):
        counts[found.lastindex] += 1
        if found.lastindex == _SIZE and int(found[_SIZE]) > _OBJECTS_MAX:
            claims_too_much = claims_too_much or not _of_embedded_file(pdf, found.start())
        elif found.lastindex == _INDEX and not claims_too_much:
            # A table that is shorter than it says is read on to its end as if nothing were missing.
            claims_too_much = any(int(word[:20]) > _OBJECTS_MAX for word in found[_INDEX].split())
    if counts[_STARTXREF] > policy.revisions_max:
        return "too-many-revisions"
    if counts[_BYTE_RANGE] > policy.signatures_max:
        return "too-many-signatures"
    if claims_too_much:
        return "too-many-objects"
    return None


def _of_embedded_file(pdf: bytes, at: int) -> bool:
    """Its /Params has a /Size too, in bytes. Who hides a trailer's there meets the worker's limits instead."""
    return b"/Params" in pdf[max(0, at - 200) : at]
