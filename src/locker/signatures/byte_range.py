"""The byte range of a signature, held to what ISO 32000-2 §12.8.1 means: the file around one /Contents, from byte 0."""

from collections.abc import Sequence
from typing import Any

import msgspec

_WHITE_SPACE = b" \t\r\n\f\x00"


class SignedBytes(msgspec.Struct, frozen=True):
    """``[0, first_end)`` and ``[second_start, end)`` are signed."""

    first_end: int
    second_start: int
    end: int


def signed_bytes(pdf: bytes, byte_range: Sequence[Any], contents: bytes) -> SignedBytes | None:
    """None unless the gap is exactly ``<…>``, the hex string of the parsed ``contents``.

    Lengths alone do not say where the gap is: a wrapped signature keeps its lengths and shows other content.
    """
    if len(byte_range) != 4 or not all(type(number) is not bool and isinstance(number, int) for number in byte_range):
        return None
    start, first_length, second_start, second_length = (int(number) for number in byte_range)
    if start != 0 or first_length <= 0 or second_length <= 0:
        return None
    end = second_start + second_length
    if not first_length < second_start < end <= len(pdf):
        return None
    gap = pdf[first_length:second_start]
    if gap[:1] != b"<" or gap[-1:] != b">":
        return None
    digits = gap[1:-1].translate(None, _WHITE_SPACE)
    try:
        parsed = bytes.fromhex((digits + b"0" * (len(digits) % 2)).decode("ascii"))
    except ValueError:
        return None
    if not contents or parsed != contents:
        return None
    # The key before the gap: a hex string elsewhere with the same value is not this signature.
    if not pdf[max(0, first_length - 64) : first_length].rstrip(_WHITE_SPACE).endswith(b"/Contents"):
        return None
    return SignedBytes(first_end=first_length, second_start=second_start, end=end)
