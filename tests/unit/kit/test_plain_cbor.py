"""CBOR that is walked through before it is built, beside a library that builds all of it."""

from typing import Any

import cbor2
import pytest

from kit.plain_cbor import LEVELS_MAX, NotPlain, end_of
from tests.cbor_bomb import BOMB


def nested(levels: int) -> bytes:
    return b"\x81" * (levels - 1) + b"\x00"


NUMBERS = (0, 23, 24, 255, 256, 65_535, 65_536, 2**32 - 1, 2**32, 2**64 - 1, -1, -24, -25, -(2**64))
OTHERS: tuple[Any, ...] = (True, False, None, "", "é" * 20, b"", b"x" * 300)
LISTS: tuple[Any, ...] = ([], list(range(30)), {}, {1: 2, -1: [{"a": None}, b"x"], "f": {}})


@pytest.mark.parametrize("value", [*NUMBERS, *OTHERS, *LISTS], ids=repr)
def test_an_item_ends_where_the_library_ends_it(value: Any) -> None:
    data = cbor2.dumps(value)
    assert end_of(data) == len(data)
    assert end_of(b"\xff" + data + data, 1) == 1 + len(data)
    for shorter in range(len(data)):
        with pytest.raises(NotPlain):
            end_of(data[:shorter])


@pytest.mark.parametrize(
    "data",
    [
        b"\xd8\x1c\x81\xd8\x1d\x00",
        b"\xc2\x41\x01",
        b"\x81\xd2\x00",
        b"\xa1\x00\xc0\x00",
        b"\x9f\xff",
        b"\x5f\x41x\xff",
        b"\xff",
        b"\xf9\x7e\x00",
        b"\xfb" + bytes(8),
        b"\xf7",
        b"\xf8\x20",
        b"\x18\x17",
        b"\x19\x00\xff",
        b"\x58\x01x",
        b"\x1c",
        b"\x9b" + b"\xff" * 8,
        b"\xbb" + b"\xff" * 8,
        b"\x5b" + b"\xff" * 8,
        nested(LEVELS_MAX + 1),
    ],
    ids=bytes.hex,
)
def test_tags_floats_open_and_too_long_lengths_are_not_plain(data: bytes) -> None:
    with pytest.raises(NotPlain):
        end_of(data)


def test_as_deep_as_may_be_is_plain() -> None:
    assert end_of(nested(LEVELS_MAX)) == LEVELS_MAX


def test_what_grows_where_it_is_written_again_is_not_plain() -> None:
    assert len(BOMB) < 200
    assert len(cbor2.dumps(cbor2.loads(BOMB))) > 200_000
    with pytest.raises(NotPlain):
        end_of(BOMB)
