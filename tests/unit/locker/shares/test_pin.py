import pytest

from locker.shares.pin import Pins, normalised


@pytest.mark.parametrize(
    ("typed", "pin"),
    [
        ("248163", "248163"),
        (" 248 163 ", "248163"),
        ("٢٤٨١٦٣", "248163"),
        ("۲۴۸۱", "2481"),
        ("123", None),
        ("1" * 13, None),
        ("12a4", None),
        ("", None),
        ("²²²²", None),
    ],
)
def test_a_pin_is_digits_however_they_are_typed(typed: str, pin: str | None) -> None:
    assert normalised(typed) == pin


def test_one_pin_of_two_shares_leaves_two_digests() -> None:
    pins = Pins(b"k" * 32)
    assert pins.mac("1234", share_id="A") != pins.mac("1234", share_id="B")
    assert pins.mac("1234", share_id="A") != Pins(b"x" * 32).mac("1234", share_id="A")
