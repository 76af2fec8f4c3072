"""A visible seal: Arabic and Latin lines and a QR code, drawn as outlines, so that no reader needs a font for it."""

import functools
import re
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import msgspec
import segno
import uharfbuzz
from fontTools.pens.basePen import BasePen
from fontTools.ttLib import TTFont
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.generic import pdf_name

import kit
from locker.signatures.seal_request import Stamp

_FONTS = Path(kit.__file__).parent / "static" / "fonts"
_LATIN, _ARABIC = "noto-sans-latin-400.woff2", "noto-sans-arabic-400.woff2"
_PADDING = 4.0
_LEADING = 1.45
_INK = "0.06 0.24 0.20"
# In a line of Arabic: what is read from left to right, spaces inside it included.
_LEFT_TO_RIGHT = re.compile(r"[0-9A-Za-z\u00c0-\u024f](?:[^\u0600-\u06ff\u0750-\u077f]*[0-9A-Za-z\u00c0-\u024f])?")
_ARABIC_LETTER = re.compile(r"[\u0600-\u06ff\u0750-\u077f]")


class StampStyle:
    """What pyHanko's embedder wants of an appearance."""

    def __init__(self, stamp: Stamp) -> None:
        self._stamp = stamp

    def create_stamp(self, writer: Any, box: Any, _: Any) -> "_Appearance":
        return _Appearance(writer, draw(self._stamp, width=float(box.width), height=float(box.height)), box)


class _Appearance:
    def __init__(self, writer: Any, content: bytes, box: Any) -> None:
        self._writer = writer
        self._content = content
        self._box = box

    def apply_appearance(self, annotation: Any) -> None:
        made: Any = generic
        edges = [made.FloatObject(edge) for edge in (0, 0, self._box.width, self._box.height)]
        form = made.StreamObject(
            {
                pdf_name("/Type"): pdf_name("/XObject"),
                pdf_name("/Subtype"): pdf_name("/Form"),
                pdf_name("/BBox"): made.ArrayObject(edges),
                pdf_name("/Resources"): made.DictionaryObject(),
            },
            stream_data=self._content,
        )
        form.compress()
        annotation[pdf_name("/AP")] = made.DictionaryObject({pdf_name("/N"): self._writer.add_object(form)})


class _Run(msgspec.Struct, frozen=True):
    """Shaped text: width and outline, in thousandths of the font size."""

    width: float
    outline: str


def draw(stamp: Stamp, *, width: float, height: float) -> bytes:
    """The content stream of the appearance."""
    side = min(height - 2 * _PADDING, width / 3) if stamp.qr else 0.0
    left = _PADDING + (side + _PADDING if stamp.qr else 0.0)
    arabic = [_line(text, right_to_left=True) for text in stamp.arabic_text.splitlines() if text.strip()]
    latin = [_line(text, right_to_left=False) for text in stamp.text.splitlines() if text.strip()]
    lines = [*arabic, *latin]
    room = width - left - _PADDING
    widest = max((line.width for line in lines), default=1.0) / 1000
    size = min(stamp.font_size, room / widest, (height - 2 * _PADDING) / (_LEADING * max(1, len(lines))))
    out = [f"q {_INK} RG {_INK} rg 0.7 w 0.5 0.5 {width - 1:.2f} {height - 1:.2f} re S"]
    if stamp.qr:
        out.append(_code(stamp.qr, side=side, bottom=(height - side) / 2))
    top = (height + size * _LEADING * len(lines)) / 2
    for number, line in enumerate(lines):
        # A line of Arabic begins at the right edge.
        x = width - _PADDING - line.width * size / 1000 if number < len(arabic) else left
        y = top - size * (_LEADING * number + 1.08)
        out.append(f"q {size / 1000:.5f} 0 0 {size / 1000:.5f} {x:.2f} {y:.2f} cm {line.outline} f Q")
    return "\n".join([*out, "Q"]).encode("ascii")


def _code(text: str, *, side: float, bottom: float) -> str:
    """Dark modules on white with the quiet zone of four (ISO/IEC 18004 §9.1)."""
    matrix = [bytes(row) for row in segno.make(text, error="m", micro=False).matrix]
    count = len(matrix) + 8
    scale = side / count
    out = [f"q 1 1 1 rg {_PADDING:.2f} {bottom:.2f} {side:.2f} {side:.2f} re f"]
    out.append(f"0 0 0 rg {scale:.5f} 0 0 {-scale:.5f} {_PADDING:.2f} {bottom + side:.2f} cm")
    for y, row in enumerate(matrix):
        for dark in re.finditer(rb"\x01+", row):
            out.append(f"{dark.start() + 4} {y + 4} {len(dark[0])} 1 re")
    return " ".join([*out, "f Q"])


@functools.lru_cache(maxsize=256)
def _line(text: str, *, right_to_left: bool) -> _Run:
    """One line, its parts of the other direction inside it where a reader expects them."""
    parts = list(_parts(text))
    x, outlines = 0.0, []
    for part, is_arabic in reversed(parts) if right_to_left else parts:
        width, outline = _shape(part, _ARABIC if is_arabic else _LATIN, right_to_left=is_arabic, x=x)
        outlines.append(outline)
        x += width
    return _Run(x, " ".join(outlines))


def _parts(text: str) -> Iterator[tuple[str, bool]]:
    if not _ARABIC_LETTER.search(text):
        yield text, False
        return
    at = 0
    for found in _LEFT_TO_RIGHT.finditer(text):
        if found.start() > at:
            yield text[at : found.start()], True
        yield found[0], False
        at = found.end()
    if at < len(text):
        yield text[at:], True


class _Font(msgspec.Struct, frozen=True):
    shaper: Any
    glyphs: Any
    names: list[str]
    units: int


@functools.cache
def _font(name: str) -> _Font:
    font = TTFont(_FONTS / name)
    font.flavor = None
    plain = BytesIO()
    font.save(plain)
    shaper = uharfbuzz.Font(uharfbuzz.Face(plain.getvalue()))
    return _Font(shaper, font.getGlyphSet(), font.getGlyphOrder(), font["head"].unitsPerEm)


def _shape(text: str, font_name: str, *, right_to_left: bool, x: float) -> tuple[float, str]:
    font = _font(font_name)
    buffer = uharfbuzz.Buffer()
    buffer.add_str(text)
    buffer.guess_segment_properties()
    buffer.direction = "rtl" if right_to_left else "ltr"
    uharfbuzz.shape(font.shaper, buffer)
    scale = 1000 / font.units
    pen = _PathPen(font.glyphs, scale)
    begin = x
    for info, position in zip(buffer.glyph_infos, buffer.glyph_positions, strict=True):
        pen.at = x + position.x_offset * scale, position.y_offset * scale
        font.glyphs[font.names[info.codepoint]].draw(pen)
        x += position.x_advance * scale
    return x - begin, " ".join(pen.operators)


class _PathPen(BasePen):  # type: ignore[misc]
    """Writes PDF path operators (ISO 32000-2 §8.5.2)."""

    def __init__(self, glyphs: Any, scale: float) -> None:
        super().__init__(glyphs)
        self.at = (0.0, 0.0)
        self.operators: list[str] = []
        self._scale = scale

    def _written(self, *points: tuple[float, float]) -> str:
        return " ".join(f"{self.at[0] + x * self._scale:.0f} {self.at[1] + y * self._scale:.0f}" for x, y in points)

    def _moveTo(self, point: tuple[float, float]) -> None:
        self.operators.append(f"{self._written(point)} m")

    def _lineTo(self, point: tuple[float, float]) -> None:
        self.operators.append(f"{self._written(point)} l")

    def _curveToOne(self, *points: tuple[float, float]) -> None:
        self.operators.append(f"{self._written(*points)} c")

    def _closePath(self) -> None:
        self.operators.append("h")
