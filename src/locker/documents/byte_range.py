"""Range requests (RFC 9110 §14), one slice at a time."""

import re

import msgspec

from kit.errors import Refusal

_RANGE = re.compile(r"\s*bytes\s*=\s*(\d{0,19})-(\d{0,19})\s*", re.ASCII | re.IGNORECASE)


class RangeNotSatisfiable(Refusal):
    code, status, title = "range-not-satisfiable", 416, "This part of the document does not exist."

    def __init__(self, length: int) -> None:
        super().__init__(headers={"Content-Range": f"bytes */{length}"})


class Slice(msgspec.Struct, frozen=True):
    start: int
    end: int
    """Exclusive."""
    whole: bool = False

    def content_range(self, length: int) -> str:
        return f"bytes {self.start}-{self.end - 1}/{length}"


def wanted(header: str | None, length: int) -> Slice:
    """The slice that ``header`` asks for of ``length`` bytes.

    Several ranges, another unit and nonsense are ignored, as §14.2 allows: the whole is sent, once. That bounds the
    work of a thousand overlapping ranges.
    """
    whole = Slice(0, length, whole=True)
    match = _RANGE.fullmatch(header or "")
    if match is None or match[0].strip().endswith("=-"):
        return whole
    first, last = match[1], match[2]
    if not first:
        suffix = int(last)
        if suffix == 0 or length == 0:
            raise RangeNotSatisfiable(length)
        return Slice(max(0, length - suffix), length)
    start = int(first)
    if last and int(last) < start:
        return whole  # An invalid range is no range (§14.1.1).
    if start >= length:
        raise RangeNotSatisfiable(length)
    return Slice(start, min(length, int(last) + 1) if last else length)
