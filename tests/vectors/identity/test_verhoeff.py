"""Verhoeff check digits (J. Verhoeff, 1969): published examples, and the two errors that it must catch."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idp.citizens.unique_identifier import check_digit, is_easy, is_uid, new_uid, verhoeff


@pytest.mark.parametrize(
    ("digits", "check"),
    [("236", "3"), ("12345", "1"), ("142857", "0"), ("123456789012", "0"), ("8473643095483728456789", "2")],
)
def test_published_check_digits(digits: str, check: str) -> None:
    assert check_digit(digits) == check
    assert verhoeff(digits + check)


@given(st.text("0123456789", min_size=1, max_size=20))
def test_every_single_wrong_digit_is_caught(digits: str) -> None:
    number = digits + check_digit(digits)
    for position, other in itertools.product(range(len(number)), "0123456789"):
        if other != number[position]:
            assert not verhoeff(number[:position] + other + number[position + 1 :])


@given(st.text("0123456789", min_size=1, max_size=20))
def test_every_swap_of_neighbours_is_caught(digits: str) -> None:
    number = digits + check_digit(digits)
    for i in range(len(number) - 1):
        if number[i] != number[i + 1]:
            assert not verhoeff(number[:i] + number[i + 1] + number[i] + number[i + 2 :])


def test_every_identifier_is_well_formed_not_easy_and_new() -> None:
    uids = [new_uid() for _ in range(5_000)]
    assert all(is_uid(uid) and not is_easy(uid) for uid in uids)
    # Two of 5,000 among 8·10⁸ are the same once in 64 runs, three pairs never: the database refuses the second.
    assert len(set(uids)) >= len(uids) - 2
    assert {uid[0] for uid in uids} == set("23456789")


@pytest.mark.parametrize(
    "uid",
    ["2222222222", "2345678901", "9876543210", "4444123579", "2727272727", "2312312312", "5432154321", "2212121221"],
)
def test_easy_numbers_are_refused(uid: str) -> None:
    assert is_easy(uid)


@pytest.mark.parametrize("text", ["", "123", "1234567890", "23456789012", "٢٣٤٥٦٧٨٩٠١", "23456 8901", "0345678901"])
def test_other_texts_are_no_identifiers(text: str) -> None:
    assert not is_uid(text)
