"""The picture of no picture."""

from html import escape


def placeholder(sentence: str, direction: str) -> bytes:
    """An SVG in the shape of a page. No script, no reference; ``sentence`` is in the reader's language."""
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 595 420" width="595" height="420">'
        '<rect width="595" height="420" fill="#f4f1e8" stroke="#8a8674"/>'
        f'<text x="297" y="215" text-anchor="middle" direction="{escape(direction)}" font-family="sans-serif" '
        f'font-size="22" fill="#3b3a33">{escape(sentence)}</text></svg>'
    ).encode()
