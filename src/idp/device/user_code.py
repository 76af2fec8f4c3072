"""Eight letters that a person carries from one screen to another (RFC 8628 §6.1): 34.5 bits, no vowels, no digits, so
that no word and no mix-up of 0 and O comes of it. Typing is forgiven: case, spaces, dashes, and a keyboard that was
left in Arabic."""

import secrets as random
import unicodedata
from collections.abc import Iterator

ALPHABET = "BCDFGHJKLMNPQRSTVWXZ"
LETTERS = 8
_TYPED_MAX = 64
_CANDIDATES_MAX = 8

# The keys of an Arabic keyboard by the Latin letter that they bear; a French one has W and Z the other way round.
_ARABIC_KEYS = dict(zip("ضصثقفغعهخحشسيبلاتنمكئءؤرىة", "QWERTYUIOPASDFGHJKLMZXCVNM", strict=True))
_ARABIC_KEYS |= {"أ": "H", "إ": "H", "آ": "H"}
_FRENCH = str.maketrans("WZA", "ZWQ")
_ONE_KEY_TWO_LETTERS = "لا"
"""The key of B writes lam and alef, which are also the keys of G and H."""


def new_user_code() -> str:
    return "".join(random.choice(ALPHABET) for _ in range(LETTERS))


def shown(user_code: str) -> str:
    """``WDJB-MJHT``"""
    half = LETTERS // 2
    return f"{user_code[:half]}-{user_code[half:]}"


def readings(typed: str) -> tuple[str, ...]:
    """The codes that the typed text can mean: one, a few for Arabic letters, none for what is no code."""
    letters = "".join(c for c in unicodedata.normalize("NFKC", typed[:_TYPED_MAX]) if c.isalpha() and c != "ـ").upper()
    found: dict[str, None] = {}
    for spelled in _spellings(letters):
        for code in (spelled, spelled.translate(_FRENCH)) if letters.isascii() is False else (spelled,):
            if len(code) == LETTERS and set(code) <= set(ALPHABET):
                found[code] = None
    return tuple(found)[:_CANDIDATES_MAX]


def _spellings(letters: str) -> Iterator[str]:
    """Each pair of lam and alef is one key or two; the length says how many were one."""
    parts = letters.split(_ONE_KEY_TWO_LETTERS)
    pairs = len(parts) - 1
    if pairs > LETTERS:
        return
    for choice in range(2**pairs):
        text = parts[0]
        for number, part in enumerate(parts[1:]):
            text += ("B" if choice >> number & 1 else _ONE_KEY_TWO_LETTERS) + part
        if len(text) == LETTERS:
            yield "".join(_ARABIC_KEYS.get(letter, letter) for letter in text)
