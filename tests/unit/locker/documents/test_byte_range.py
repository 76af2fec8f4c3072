import pytest
from hypothesis import given
from hypothesis import strategies as st

from locker.documents.byte_range import RangeNotSatisfiable, wanted


@given(st.text(max_size=60), st.integers(0, 10**12))
def test_no_header_makes_a_slice_outside_the_document(header: str, length: int) -> None:
    try:
        part = wanted(header, length)
    except RangeNotSatisfiable:
        return
    assert 0 <= part.start <= part.end <= length


@given(st.integers(0, 999), st.integers(0, 2_000))
def test_a_slice_is_what_it_says_rfc9110_14(first: int, last: int) -> None:
    part = wanted(f"bytes={first}-{last}", 1_000)
    if last < first:
        assert part.whole
    else:
        assert (part.start, part.end) == (first, min(last + 1, 1_000))


def test_a_suffix_counts_from_the_end() -> None:
    assert (wanted("bytes=-5", 100).start, wanted("bytes=-500", 100).start) == (95, 0)


@pytest.mark.parametrize("header", ["bytes=100-", "bytes=-0", "bytes=100-200"])
def test_what_begins_behind_the_end_cannot_be_given(header: str) -> None:
    with pytest.raises(RangeNotSatisfiable):
        wanted(header, 100)


@pytest.mark.parametrize("header", [None, "", "bytes=", "bytes=-", "lines=1-2", "bytes=1-2,4-5", "bytes=١-٢"])
def test_what_is_no_single_range_is_the_whole(header: str | None) -> None:
    assert wanted(header, 100).whole
