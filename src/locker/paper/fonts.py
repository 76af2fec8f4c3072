"""The product's own web fonts, opened for paper: Latin, Arabic and Tifinagh, shaped by HarfBuzz.

Noto Sans Arabic draws ب as a bare tooth and a dot. A PDF that placed the two as two glyphs could not say which letter
they are, so each cluster (a letter with its dots and marks) becomes one glyph of the embedded font: what is selected,
copied or read aloud is what was written.
"""

import functools
import io
import struct
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import uharfbuzz
from fontTools.pens.recordingPen import DecomposingRecordingPen
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.ttLib import TTFont

import kit

Direction = Literal["ltr", "rtl"]
Weight = Literal["regular", "bold"]

_FOLDER = Path(kit.__path__[0]) / "static" / "fonts"
# The first face that has a character draws it.
_FILES: dict[Weight, tuple[str, ...]] = {
    "regular": ("latin-400", "arabic-core-400", "arabic-400", "tifinagh-400", "latin-ext-400"),
    "bold": ("latin-700", "arabic-core-700", "arabic-400", "tifinagh-400", "latin-ext-400"),
}
_SCRIPTS = {"arabic-core-400": "Arab", "arabic-core-700": "Arab", "arabic-400": "Arab", "tifinagh-400": "Tfng"}


class Part(NamedTuple):
    """A glyph of the face and where it stands, in units of 1/1000 em from the cluster's first glyph."""

    glyph: int
    x: int
    y: int


class Cluster(NamedTuple):
    text: str
    parts: tuple[Part, ...]
    advance: int
    shift: int
    """How far the first glyph is moved from the pen, without moving the pen."""


@dataclass(frozen=True)
class Run:
    """Clusters of one face, in the order in which they stand on the paper from left to right."""

    face: "Face"
    clusters: tuple[Cluster, ...]

    @property
    def advance(self) -> int:
        return sum(cluster.advance for cluster in self.clusters)


class Face:
    """One font file. Everything is in 1/1000 em, the unit of these files and of PDF."""

    def __init__(self, name: str) -> None:
        font = TTFont(_FOLDER / f"noto-sans-{name}.woff2")
        font.flavor = None
        opened = io.BytesIO()
        font.save(opened)
        self.name = f"NotoSans-{name}"
        self._script = _SCRIPTS.get(name, "Latn")
        self._font = font
        self._glyphs = font.getGlyphSet()
        self._shaper = uharfbuzz.Font(uharfbuzz.Face(opened.getvalue()))
        if font["head"].unitsPerEm != 1000:
            raise ValueError(f"{name}: 1000 units to the em are expected")
        self._characters = frozenset(font.getBestCmap())
        self._outlines: dict[int, bytes] = {}
        self.ascent, self.descent = int(font["hhea"].ascent), int(font["hhea"].descent)
        self.bold = name.endswith("700")

    def has(self, character: str) -> bool:
        return ord(character) in self._characters

    def shape(self, text: str, direction: Direction) -> tuple[Cluster, ...]:
        buffer = uharfbuzz.Buffer()
        buffer.add_str(text)
        buffer.direction, buffer.script = direction, self._script
        buffer.cluster_level = uharfbuzz.BufferClusterLevel.MONOTONE_GRAPHEMES
        uharfbuzz.shape(self._shaper, buffer, {})
        placed = list(zip(buffer.glyph_infos, buffer.glyph_positions, strict=True))
        starts = sorted({info.cluster for info, _ in placed})
        ends = dict(zip(starts, [*starts[1:], len(text)], strict=True))
        groups: list[tuple[int, list[tuple[int, int, int, int]]]] = []
        for info, position in placed:
            if not groups or groups[-1][0] != info.cluster:
                groups.append((info.cluster, []))
            groups[-1][1].append((info.codepoint, position.x_advance, position.x_offset, position.y_offset))
        return tuple(_cluster(text[start : ends[start]], glyphs) for start, glyphs in groups)

    def outline(self, glyph: int) -> bytes:
        """The glyph as one simple TrueType outline, without hints and components."""
        found = self._outlines.get(glyph)
        if found is None:
            recorded = DecomposingRecordingPen(self._glyphs)
            self._glyphs[self._font.getGlyphName(glyph)].draw(recorded)
            pen = TTGlyphPen(None)
            recorded.replay(pen)
            drawn = pen.glyph()
            found = b"" if drawn.numberOfContours == 0 else bytes(drawn.compile(None, recalcBBoxes=True))
            self._outlines[glyph] = found
        return found

    def width(self, glyph: int) -> int:
        return int(self._font["hmtx"][self._font.getGlyphName(glyph)][0])


def _cluster(text: str, glyphs: list[tuple[int, int, int, int]]) -> Cluster:
    """Place the parts from the first glyph with a width: the letter itself, whatever order the marks come in."""
    pen = 0
    at: list[Part] = []
    base: int | None = None
    for glyph, advance, x, y in glyphs:
        at.append(Part(glyph, pen + x, y))
        if advance and base is None:
            base = pen + x
        pen += advance
    origin = base or 0
    parts = tuple(sorted(Part(part.glyph, part.x - origin, part.y) for part in at))
    return Cluster(text, parts, pen, origin)


@functools.cache
def _face(name: str) -> Face:
    return Face(name)


def faces(weight: Weight) -> tuple[Face, ...]:
    return tuple(_face(name) for name in _FILES[weight])


# Papers repeat their labels and sentences; breaking a line asks for its beginnings.
@functools.lru_cache(maxsize=8192)
def shape(text: str, *, direction: Direction, weight: Weight = "regular") -> tuple[Run, ...]:
    """One line as runs from left to right on the paper.

    Bidi as far as a form needs it (UAX #9 without embeddings): a stretch of the other direction keeps its own order,
    numbers and what stands between two of them count as left to right.
    """
    runs = [
        Run(face, face.shape(part, way))
        for way, stretch in _stretches(text, direction)
        for face, part in _by_face(stretch, way, faces(weight))
    ]
    return tuple(runs)


def _stretches(text: str, base: Direction) -> Iterator[tuple[Direction, str]]:
    """Stretches of one direction in visual order."""
    ways: list[Direction | None] = []
    for character in text:
        kind = unicodedata.bidirectional(character)
        if kind in ("R", "AL"):
            ways.append("rtl")
        elif kind in ("L", "EN", "AN"):
            ways.append("ltr")
        elif kind == "NSM" and ways:
            ways.append(ways[-1])
        else:
            ways.append(None)
    resolved: list[Direction] = []
    for index, way in enumerate(ways):
        if way is None:
            before = resolved[-1] if resolved else base
            after = next((later for later in ways[index + 1 :] if later), base)
            way = before if before == after else base
        resolved.append(way)
    stretches: list[tuple[Direction, str]] = []
    for way, character in zip(resolved, text, strict=True):
        if stretches and stretches[-1][0] == way:
            stretches[-1] = (way, stretches[-1][1] + character)
        else:
            stretches.append((way, character))
    return iter(stretches if base == "ltr" else reversed(stretches))


def _by_face(text: str, way: Direction, chain: tuple[Face, ...]) -> list[tuple[Face, str]]:
    parts: list[tuple[Face, str]] = []
    for character in text:
        current = parts[-1][0] if parts else None
        # A mark, or a space between two Arabic words, stays in the face that it follows.
        if current is not None and current.has(character) and not character.isalnum():
            face = current
        else:
            found = next((face for face in chain if face.has(character)), None)
            if found is None:
                raise ValueError(f"no font of ours draws U+{ord(character):04X}")
            face = found
        if face is current:
            parts[-1] = (face, parts[-1][1] + character)
        else:
            parts.append((face, character))
    return parts if way == "ltr" else parts[::-1]


class Subset:
    """The glyphs of one face that a document uses, as a TrueType file with a glyph for each cluster."""

    def __init__(self, face: Face) -> None:
        self.face = face
        self._numbers: dict[tuple[str, tuple[Part, ...]], int] = {}
        self._components: dict[int, int] = {}
        # What each glyph of the new file is made of; the first is .notdef.
        self._made: list[tuple[Part, ...] | int] = [0]
        self.texts: list[str] = [""]
        self.widths: list[int] = [face.width(0)]

    def number(self, cluster: Cluster) -> int:
        """The glyph that stands for ``cluster``."""
        key = (cluster.text, cluster.parts)
        number = self._numbers.get(key)
        if number is None:
            simple = len(cluster.parts) == 1 and cluster.parts[0][1:] == (0, 0)
            made: tuple[Part, ...] | int
            if simple:
                made = cluster.parts[0].glyph
            else:
                made = tuple(Part(self._component(part.glyph), part.x, part.y) for part in cluster.parts)
            number = self._add(made, cluster.text, sum(self.face.width(part.glyph) for part in cluster.parts))
            self._numbers[key] = number
        return number

    def _component(self, glyph: int) -> int:
        number = self._components.get(glyph)
        if number is None:
            number = self._components[glyph] = self._add(glyph, "", self.face.width(glyph))
        return number

    def _add(self, made: tuple[Part, ...] | int, text: str, width: int) -> int:
        self._made.append(made)
        self.texts.append(text)
        self.widths.append(width)
        return len(self._made) - 1

    def truetype(self) -> bytes:
        """Only the tables that a PDF reader wants in a CIDFontType2 (ISO 32000-2 §9.9.1)."""
        glyphs = [self._glyph(made) for made in self._made]
        offsets, outlines = [0], io.BytesIO()
        for glyph in glyphs:
            outlines.write(glyph + b"\0" * (-len(glyph) % 4))
            offsets.append(outlines.tell())
        count = len(glyphs)
        points = max((_points(glyph) for glyph in glyphs), default=0)
        face = self.face
        tables = {
            b"glyf": outlines.getvalue(),
            b"head": struct.pack(
                ">IIIIHHqqhhhhHHhhh",
                *(0x00010000, 0x00010000, 0, 0x5F0F3CF5, 0x000B, 1000, 0, 0),
                *(-1000, face.descent, 3000, face.ascent, int(face.bold), 8, 2, 1, 0),
            ),
            b"hhea": struct.pack(
                ">IhhhHhhhhhhhhhhhH",
                *(0x00010000, face.ascent, face.descent, 0, max(self.widths), 0, 0, 0),
                *(1, 0, 0, 0, 0, 0, 0, 0, count),
            ),
            b"hmtx": b"".join(
                struct.pack(">Hh", width, _left(glyph)) for width, glyph in zip(self.widths, glyphs, strict=True)
            ),
            b"loca": struct.pack(f">{count + 1}I", *offsets),
            b"maxp": struct.pack(
                ">IHHHHHHHHHHHHHH", 0x00010000, count, points, 100, 4 * points, 100, 1, 0, 0, 0, 0, 0, 0, 8, 1
            ),
        }
        return _sfnt(tables)

    def _glyph(self, made: tuple[Part, ...] | int) -> bytes:
        if isinstance(made, int):
            return self.face.outline(made)
        parts = [part for part in made if self._outline_of(part.glyph)]
        boxes = [struct.unpack_from(">hhhh", self._outline_of(part.glyph), 2) for part in parts]
        box = (
            min(x0 + part.x for part, (x0, _, _, _) in zip(parts, boxes, strict=True)),
            min(y0 + part.y for part, (_, y0, _, _) in zip(parts, boxes, strict=True)),
            max(x1 + part.x for part, (_, _, x1, _) in zip(parts, boxes, strict=True)),
            max(y1 + part.y for part, (_, _, _, y1) in zip(parts, boxes, strict=True)),
        )
        written = struct.pack(">hhhhh", -1, *box)
        for index, part in enumerate(parts):
            more = 0x0020 if index + 1 < len(parts) else 0
            # ARG_1_AND_2_ARE_WORDS | ARGS_ARE_XY_VALUES
            written += struct.pack(">HHhh", 0x0003 | more, part.glyph, part.x, part.y)
        return written

    def _outline_of(self, number: int) -> bytes:
        made = self._made[number]
        assert isinstance(made, int)
        return self.face.outline(made)


def _points(glyph: bytes) -> int:
    """Points of a simple outline: one more than the last contour's end."""
    if not glyph:
        return 0
    contours = int(struct.unpack_from(">h", glyph)[0])
    return int(struct.unpack_from(">H", glyph, 10 + 2 * (contours - 1))[0]) + 1 if contours > 0 else 0


def _left(glyph: bytes) -> int:
    return int(struct.unpack_from(">h", glyph, 2)[0]) if glyph else 0


def _sfnt(tables: dict[bytes, bytes]) -> bytes:
    count = len(tables)
    power = 1 << (count.bit_length() - 1)
    header = struct.pack(">IHHHH", 0x00010000, count, power * 16, power.bit_length() - 1, (count - power) * 16)
    at = len(header) + 16 * count
    directory, bodies = b"", b""
    for tag in sorted(tables):
        body = tables[tag] + b"\0" * (-len(tables[tag]) % 4)
        checksum = sum(struct.unpack(f">{len(body) // 4}I", body)) & 0xFFFFFFFF
        directory += tag + struct.pack(">III", checksum, at + len(bodies), len(tables[tag]))
        bodies += body
    return header + directory + bodies
