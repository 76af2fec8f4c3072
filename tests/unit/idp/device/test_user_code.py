import pytest
from hypothesis import given
from hypothesis import strategies as st

from idp.device.user_code import ALPHABET, new_user_code, readings, shown


def test_a_code_has_eight_letters_and_at_least_34_bits_rfc8628_6_1() -> None:
    code = new_user_code()
    assert len(code) == 8
    assert set(code) <= set(ALPHABET)
    assert len(ALPHABET) ** 8 >= 2**34
    assert not set("AEIOUY01") & set(ALPHABET)


@pytest.mark.parametrize(
    "typed",
    [
        "WDJB-MJHT",
        "wdjb mjht",
        " w d j b m j h t ",
        "WDJBMJHT",
        "wdjb–mjht",
        "\u200fWDJB-MJHT\u200e",
        "ＷＤＪＢＭＪＨＴ",
    ],
)
def test_case_spaces_and_dashes_are_forgiven(typed: str) -> None:
    assert readings(typed) == ("WDJBMJHT",)


def test_a_keyboard_left_in_arabic_is_forgiven() -> None:
    # The keys W D J B M J H T.
    assert "WDJBMJHT" in readings("صيتلا-ةتاف")
    # A French keyboard has Z where others have W.
    assert {"WDJBMJHT", "ZDJBMJHT"} == set(readings("صيتلا-ةتاف"))


def test_lam_and_alef_are_one_key_or_two_as_the_length_says() -> None:
    assert readings("بببببببلا") == ("FFFFFFFB",)
    assert readings("ببببببلا") == ("FFFFFFGH",)


@pytest.mark.parametrize("typed", ["", "WDJBMJH", "WDJBMJHTT", "WDJBMJHA", "12345678", "لا" * 40, "x" * 10_000])
def test_what_is_no_code_means_none(typed: str) -> None:
    assert readings(typed) == ()


def test_it_is_shown_in_two_halves() -> None:
    assert shown("WDJBMJHT") == "WDJB-MJHT"


_KEYS = dict(zip("BCDFGHJKLMNPQRSTVWXZ", ["لا", *"ؤيبلاتنمةىحضقسفرصءئ"], strict=True))
codes = st.text(st.sampled_from(ALPHABET), min_size=8, max_size=8)


@given(codes)
def test_every_code_is_read_as_it_is_shown_and_as_an_arabic_keyboard_writes_it(code: str) -> None:
    assert readings(shown(code)) == (code,)
    written = "".join(_KEYS[letter] for letter in code)
    assert code in readings(written)


@given(st.text(max_size=100))
def test_whatever_is_typed_is_read_in_bounded_time_as_a_few_codes(typed: str) -> None:
    found = readings(typed)
    assert len(found) <= 8
    assert all(len(code) == 8 and set(code) <= set(ALPHABET) for code in found)
