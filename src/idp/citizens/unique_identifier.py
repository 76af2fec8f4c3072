"""The unique identifier: ten digits, random, permanent, with a Verhoeff check digit.

The check catches every single wrong digit and every swap of two neighbours (J. Verhoeff, *Error Detecting Decimal
Codes*, 1969), the two errors that people make most.
"""

import itertools
import secrets

# Multiplication in the dihedral group D5, and Verhoeff's permutation, applied once more at each position.
_TIMES = (
    (0, 1, 2, 3, 4, 5, 6, 7, 8, 9),
    (1, 2, 3, 4, 0, 6, 7, 8, 9, 5),
    (2, 3, 4, 0, 1, 7, 8, 9, 5, 6),
    (3, 4, 0, 1, 2, 8, 9, 5, 6, 7),
    (4, 0, 1, 2, 3, 9, 5, 6, 7, 8),
    (5, 9, 8, 7, 6, 0, 4, 3, 2, 1),
    (6, 5, 9, 8, 7, 1, 0, 4, 3, 2),
    (7, 6, 5, 9, 8, 2, 1, 0, 4, 3),
    (8, 7, 6, 5, 9, 3, 2, 1, 0, 4),
    (9, 8, 7, 6, 5, 4, 3, 2, 1, 0),
)
_PERMUTED = (
    (0, 1, 2, 3, 4, 5, 6, 7, 8, 9),
    (1, 5, 7, 6, 2, 8, 3, 0, 9, 4),
    (5, 8, 0, 3, 7, 9, 6, 1, 4, 2),
    (8, 9, 1, 6, 0, 4, 3, 5, 2, 7),
    (9, 4, 5, 3, 1, 2, 6, 8, 7, 0),
    (4, 2, 8, 6, 5, 7, 3, 9, 0, 1),
    (2, 7, 9, 3, 8, 0, 6, 4, 1, 5),
    (7, 0, 4, 6, 9, 1, 3, 2, 5, 8),
)
_INVERSE = (0, 4, 3, 2, 1, 5, 6, 7, 8, 9)

LENGTH = 10


def check_digit(digits: str) -> str:
    """The digit that makes ``digits`` + it pass ``verhoeff``."""
    return str(_INVERSE[_product("0" + digits[::-1])])


def verhoeff(digits: str) -> bool:
    return _product(digits[::-1]) == 0


def _product(from_the_right: str) -> int:
    product = 0
    for position, digit in enumerate(from_the_right):
        product = _TIMES[product][_PERMUTED[position % 8][int(digit)]]
    return product


def new_uid() -> str:
    """A random identifier, not an easy one. Unique only once the database has accepted it."""
    while True:
        digits = str(secrets.choice(range(2, 10))) + "".join(secrets.choice("0123456789") for _ in range(LENGTH - 2))
        uid = digits + check_digit(digits)
        if not is_easy(uid):
            return uid


def is_uid(text: str) -> bool:
    """Well-formed: says nothing about whether it was ever assigned."""
    return len(text) == LENGTH and text.isascii() and text.isdigit() and text[0] in "23456789" and verhoeff(text)


def is_easy(uid: str) -> bool:
    """Numbers that someone types for trying: four equal digits in a row, a run of five, a repeated part, few digits."""
    steps = [int(b) - int(a) for a, b in itertools.pairwise(uid)]
    return (
        len(set(uid)) < 4
        or any(steps[i : i + 3] == [0, 0, 0] for i in range(len(steps)))
        or any(steps[i : i + 4] in ([1] * 4, [-1] * 4) for i in range(len(steps)))
        or any((uid[:period] * LENGTH).startswith(uid[: LENGTH - 1]) for period in (2, 3, 4))
        or uid[:5] == uid[5:]
    )
