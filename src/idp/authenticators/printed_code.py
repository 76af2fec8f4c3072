"""Codes on paper: 12 characters of Crockford's base32 (60 random bits), forgiving to whoever types them."""

from kit.ids import CROCKFORD, new_public_id

_READ_AS = str.maketrans({"I": "1", "L": "1", "O": "0"})
_TYPED_MAX = 64


def new_code() -> str:
    """In groups of four: ``7K3M-Q9TV-2XHD``."""
    text = new_public_id(60)
    return "-".join(text[i : i + 4] for i in range(0, len(text), 4))


def as_typed(text: str) -> str:
    """Case, spaces, hyphens and the letters that look like digits do not matter."""
    return "".join(c for c in text[:_TYPED_MAX].upper().translate(_READ_AS) if c in CROCKFORD)
