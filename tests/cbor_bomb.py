"""A value in which each list stands ten times in the next one (CBOR tags 28 and 29): small where it is decoded, and a
tenfold of bytes a level where it is encoded again."""

from typing import Any

import cbor2
import pytest

LEVELS = 6
BOMB = bytes([0x80 + LEVELS]) + b"".join(
    b"\xd8\x1c" + (b"\x81\x00" if level == 0 else b"\x8a" + (b"\xd8\x1d" + bytes([level - 1])) * 10)
    for level in range(LEVELS)
)


def written(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The lengths of all that the library encodes from here on."""
    lengths = list[int]()
    dumps = cbor2.dumps

    def measured(value: Any, **options: Any) -> bytes:
        data = dumps(value, **options)
        lengths.append(len(data))
        return data

    monkeypatch.setattr(cbor2, "dumps", measured)
    return lengths
