"""Who sees a page, written over the whole of it, in whatever script the name is."""

import datetime as dt
import functools
import unicodedata

import pypdfium2
from PIL import Image

from locker.paper.fonts import faces
from locker.paper.sheet import HEIGHT, Sheet, Style, width

_SIZE = 11.0
_LEADING = 16.0
_SCALE = 2.0
_MARGIN = 30
_LINES_MAX, _CHARACTERS_MAX = 4, 80
_ROOM = 420.0
"""Points: a line of wide letters is cut there, or a crop of the page could lie between two marks."""
_INK = (120, 20, 20)
_OPACITY = 84


def marked(image: Image.Image, lines: tuple[str, ...]) -> Image.Image:
    """The lines, repeated on a slant over the whole page, so that no crop is without them."""
    tile = _tile(tuple(_drawable(line) for line in lines[:_LINES_MAX]))
    overlay = Image.new("RGBA", image.size, (0, 0, 0, 0))
    # Rows reach into each other's empty corners.
    for row, y in enumerate(range(-tile.height // 2, image.height, max(1, tile.height * 2 // 3))):
        for x in range(-(tile.width // 2) * (row % 2), image.width, max(1, tile.width)):
            overlay.alpha_composite(tile, (max(0, x), max(0, y)), (max(0, -x), max(0, -y)))
    return Image.alpha_composite(image.convert("RGBA"), overlay).convert("RGB")


@functools.lru_cache(maxsize=8)
def _tile(lines: tuple[str, ...]) -> Image.Image:
    """The lines once, on nothing. Set as the sheets are (shaped by HarfBuzz), then drawn by pdfium like any page."""
    sheet = Sheet(title="", subject="", author="", lang="en", created=dt.datetime.fromtimestamp(0, dt.UTC))
    wide = 1.0
    for number, line in enumerate(lines):
        if not line:
            continue
        lang = "ar" if _is_rtl(line) else "en"
        line = _cut(line, lang)
        sheet.text(
            (1, HEIGHT - _LEADING * (number + 1)), line, lang, style=Style(size=_SIZE, colour=(0, 0, 0), align="left")
        )
        wide = max(wide, width(line, lang, size=_SIZE))
    document = pypdfium2.PdfDocument(sheet.pdf())
    try:
        drawn = document[0].render(scale=_SCALE, rev_byteorder=True).to_pil().convert("L")
    finally:
        document.close()
    ink = drawn.crop((0, 0, int((wide + 2) * _SCALE), int((len(lines) + 0.6) * _LEADING * _SCALE)))
    stencil = ink.point(lambda darkness: (255 - darkness) * _OPACITY // 255)
    tile = Image.new("RGBA", (ink.width + 2 * _MARGIN, ink.height + 2 * _MARGIN), (*_INK, 0))
    coloured = Image.new("RGBA", ink.size, (*_INK, 0))
    coloured.putalpha(stencil)
    tile.paste(coloured, (_MARGIN, _MARGIN))
    return tile.rotate(24, expand=True, resample=Image.Resampling.BILINEAR)


def _drawable(line: str) -> str:
    """A letter that no font of ours has is a question mark; the reference still finds the opening."""
    chain = faces("regular")
    return "".join(
        character if any(face.has(character) for face in chain) else "?"
        for character in unicodedata.normalize("NFC", line)[:_CHARACTERS_MAX]
    )


def _cut(line: str, lang: str) -> str:
    while width(line, lang, size=_SIZE) > _ROOM:
        line = line[:-1]
    return line


def _is_rtl(line: str) -> bool:
    """By the first letter that has a direction (UAX #9, P2 and P3)."""
    strong = (unicodedata.bidirectional(character) for character in line)
    return next((kind != "L" for kind in strong if kind in ("L", "R", "AL")), False)
