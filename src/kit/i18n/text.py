"""Text as people type it, made safe to show beside other text."""

import unicodedata

# Embeddings, overrides and isolates (U+202A-202E, U+2066-2069) can make a name read as another one.
_BIDI_CONTROLS = frozenset(map(chr, (*range(0x202A, 0x202F), *range(0x2066, 0x206A))))
_DIGITS = {
    ord(digit): str(value)
    for zero in ("٠", "۰")
    for value, digit in enumerate(map(chr, range(ord(zero), ord(zero) + 10)))
}


def strip_controls(text: str) -> str:
    """``text`` without C0 and C1 controls and without the bidi controls that reorder their surroundings.

    ZWJ, ZWNJ and the direction marks stay: names in Arabic script need them and they reorder nothing else.
    """
    return "".join(c for c in text if c not in _BIDI_CONTROLS and unicodedata.category(c) != "Cc")


def ascii_digits(text: str) -> str:
    """Arabic-Indic and Extended Arabic-Indic digits as 0-9; the rest unchanged."""
    return text.translate(_DIGITS)
