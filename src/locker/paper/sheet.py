"""One A4 sheet as PDF 1.7: selectable text in three scripts, embedded subsets, a structure tree for screen readers."""

import datetime as dt
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal
from xml.sax.saxutils import escape

from locker.paper.fonts import Direction, Face, Run, Subset, Weight, shape

WIDTH, HEIGHT = 595.28, 841.89
Colour = tuple[float, float, float]
Point = tuple[float, float]
Align = Literal["start", "centre", "end", "left", "right"]
BLACK: Colour = (0.1, 0.1, 0.1)

_LANGUAGE = {"ar": "ar-MA", "fr": "fr-MA"}


@dataclass(frozen=True, kw_only=True)
class Style:
    size: float = 10
    weight: Weight = "regular"
    colour: Colour = BLACK
    align: Align = "start"


@dataclass
class _Element:
    """A node of the structure tree; a leaf holds one piece of marked content."""

    role: str
    parent: int | None
    lang: str | None = None
    mark: int | None = None
    children: list[int] = field(default_factory=list)


def direction_of(lang: str) -> Direction:
    return "rtl" if lang == "ar" else "ltr"


def width(text: str, lang: str, *, size: float, weight: Weight = "regular") -> float:
    runs = shape(text, direction=direction_of(lang), weight=weight)
    return sum(run.advance for run in runs) * size / 1000


def wrap(text: str, lang: str, *, size: float, weight: Weight = "regular", room: float) -> list[str]:
    """Lines no wider than ``room``, broken at spaces; a single word may stick out."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and width(longer, lang, size=size, weight=weight) <= room:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


class Sheet:
    """Coordinates in points from the lower left corner."""

    def __init__(self, *, title: str, subject: str, author: str, lang: str, created: dt.datetime) -> None:
        self._title, self._subject, self._author, self._lang = title, subject, author, lang
        self._created = created
        self._ground: list[str] = []
        self._spoken: dict[str, list[str]] = {}
        self._subsets: dict[Face, tuple[str, Subset]] = {}
        self._elements: list[_Element] = [_Element("Document", None)]
        self._open: list[tuple[str, int]] = []
        self._groups = 0
        self._opened: dict[tuple[str, int], int] = {}
        self._marks: list[int] = []

    @contextmanager
    def group(self, role: str) -> Iterator[None]:
        """Text drawn inside is one element of the structure, in each language: Table, TR, Sect."""
        self._groups += 1
        self._open.append((role, self._groups))
        yield
        self._open.pop()

    def text(self, at: Point, text: str, lang: str, *, role: str = "P", style: Style) -> None:
        """One line; ``start`` is the right end for Arabic."""
        direction = direction_of(lang)
        runs = shape(text, direction=direction, weight=style.weight)
        wide = sum(run.advance for run in runs) * style.size / 1000
        # No /ActualText: /ToUnicode already says each cluster, and PDFium turns an Arabic /ActualText back to front.
        said = self._spoken.setdefault(lang, [])
        said.append(f"/Span <</MCID {self._mark(role, lang)}>> BDC {_rgb(style.colour)} rg")
        said += self._runs(runs, (_left(at[0], wide, style.align, direction), at[1]), style.size)
        said.append("EMC")

    def ornament(self, operators: str) -> None:
        """Lines and shapes behind the text, that say nothing: screen readers pass over them."""
        self._ground.append(f"/Artifact BMC q {operators} Q EMC")

    def watermark(self, at: Point, text: str, lang: str, *, size: float, colour: Colour, slope: Point) -> None:
        """Text behind everything, centred at ``at``; ``slope`` is cosine and sine of its angle."""
        runs = shape(text, direction=direction_of(lang), weight="bold")
        wide = sum(run.advance for run in runs) * size / 1000
        cosine, sine = slope
        self._ground.append(
            f"/Artifact BMC q {cosine:.4f} {sine:.4f} {-sine:.4f} {cosine:.4f} {at[0]:.2f} {at[1]:.2f} cm"
            f" {_rgb(colour)} rg"
        )
        self._ground += self._runs(runs, (-wide / 2, 0), size)
        self._ground.append("Q EMC")

    def _runs(self, runs: tuple[Run, ...], at: Point, size: float) -> Iterator[str]:
        x, y = at
        for run in runs:
            name, subset = self._font(run.face)
            written: list[str] = []
            owed = 0
            for cluster in run.clusters:
                number = subset.number(cluster)
                before = -(owed + cluster.shift)
                if before:
                    written.append(f">{before}<")
                written.append(f"{number:04X}")
                owed = cluster.advance - subset.widths[number] - cluster.shift
            shown = f"<{''.join(written)}>".replace("<>", "")
            yield (f"BT /{name} {size:.2f} Tf {x:.2f} {y:.2f} Td [{shown}] TJ ET")
            x += run.advance * size / 1000

    def _font(self, face: Face) -> tuple[str, Subset]:
        if face not in self._subsets:
            self._subsets[face] = (f"F{len(self._subsets)}", Subset(face))
        return self._subsets[face]

    def _add(self, element: _Element) -> int:
        self._elements.append(element)
        number = len(self._elements) - 1
        if element.parent is not None:
            self._elements[element.parent].children.append(number)
        return number

    def _mark(self, role: str, lang: str) -> int:
        """Number of the next piece of marked content, a leaf below the groups that are open."""
        parent = self._element(("Sect", 0), lang, 0)
        for group in self._open:
            parent = self._element(group, lang, parent)
        mark = len(self._marks)
        self._marks.append(self._add(_Element(role, parent, mark=mark)))
        return mark

    def _element(self, group: tuple[str, int], lang: str, parent: int) -> int:
        role, number = group
        if (lang, number) not in self._opened:
            said = _LANGUAGE.get(lang, lang) if number == 0 else None
            self._opened[lang, number] = self._add(_Element(role, parent, said))
        return self._opened[lang, number]

    def pdf(self) -> bytes:
        book = _Book()
        catalog, pages, page = book.reserve(), book.reserve(), book.reserve()
        resources = "".join(f"/{name} {_embed(book, subset)} 0 R" for name, subset in self._subsets.values())
        # One language after the other: readers that join what stands on one height would mix their directions.
        drawn = [*self._ground, *(line for said in self._spoken.values() for line in said)]
        content = book.stream("", "\n".join(drawn).encode("ascii"))
        structure = self._structure(book, page)
        metadata = book.stream("/Type/Metadata/Subtype/XML", self._xmp(), compress=False)
        book.put(
            catalog,
            f"<</Type/Catalog/Pages {pages} 0 R/Lang ({_LANGUAGE.get(self._lang, self._lang)})"
            f"/MarkInfo <</Marked true>>/StructTreeRoot {structure} 0 R/Metadata {metadata} 0 R"
            "/ViewerPreferences <</DisplayDocTitle true>>>>",
        )
        book.put(pages, f"<</Type/Pages/Count 1/Kids [{page} 0 R]>>")
        book.put(
            page,
            f"<</Type/Page/Parent {pages} 0 R/MediaBox [0 0 {WIDTH} {HEIGHT}]/Contents {content} 0 R"
            f"/Resources <</Font <<{resources}>>>>/StructParents 0/Tabs/S>>",
        )
        made = self._created.astimezone(dt.UTC).strftime("(D:%Y%m%d%H%M%SZ)")
        info = book.add(
            f"<</Title {_utf16(self._title)}/Subject {_utf16(self._subject)}/Author {_utf16(self._author)}"
            f"/Creator (Khizana)/CreationDate {made}/ModDate {made}>>"
        )
        return book.written(catalog, info)

    def _structure(self, book: "_Book", page: int) -> int:
        root = book.reserve()
        numbers = [book.reserve() for _ in self._elements]
        for number, element in zip(numbers, self._elements, strict=True):
            parent = root if element.parent is None else numbers[element.parent]
            kids = " ".join(f"{numbers[child]} 0 R" for child in element.children)
            body = f"/K {element.mark}/Pg {page} 0 R" if element.mark is not None else f"/K [{kids}]"
            lang = f"/Lang ({element.lang})" if element.lang else ""
            scope = "/A <</O/Table/Scope/Row>>" if element.role == "TH" else ""
            book.put(number, f"<</Type/StructElem/S/{element.role}/P {parent} 0 R{lang}{scope}{body}>>")
        marked = " ".join(f"{numbers[element]} 0 R" for element in self._marks)
        parents = book.add(f"<</Nums [0 [{marked}]]>>")
        book.put(root, f"<</Type/StructTreeRoot/K [{numbers[0]} 0 R]/ParentTree {parents} 0 R/ParentTreeNextKey 1>>")
        return root

    def _xmp(self) -> bytes:
        stamp = self._created.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return (
            '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
            '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
            '<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/"'
            ' xmlns:xmp="http://ns.adobe.com/xap/1.0/"><dc:title><rdf:Alt><rdf:li xml:lang="x-default">'
            f"{escape(self._title)}</rdf:li></rdf:Alt></dc:title><dc:creator><rdf:Seq><rdf:li>"
            f"{escape(self._author)}</rdf:li></rdf:Seq></dc:creator><dc:language><rdf:Bag><rdf:li>ar-MA</rdf:li>"
            f"<rdf:li>fr-MA</rdf:li></rdf:Bag></dc:language><xmp:CreateDate>{stamp}</xmp:CreateDate>"
            "<xmp:CreatorTool>Khizana</xmp:CreatorTool></rdf:Description></rdf:RDF></x:xmpmeta>"
            '<?xpacket end="w"?>'
        ).encode()


def _left(x: float, wide: float, align: Align, direction: Direction) -> float:
    if align == "centre":
        return x - wide / 2
    at_right = align == "right" or (align == "start" and direction == "rtl") or (align == "end" and direction == "ltr")
    return x - wide if at_right else x


def _rgb(colour: Colour) -> str:
    return " ".join(f"{part:.3f}" for part in colour)


def _utf16(text: str) -> str:
    return f"<FEFF{text.encode('utf-16-be').hex().upper()}>"


def _embed(book: "_Book", subset: Subset) -> int:
    """Type 0 over CIDFontType2, Identity-H: a code is a glyph of the subset, /ToUnicode is what it says."""
    face = subset.face
    name = f"KHZANA+{face.name}"
    file = subset.truetype()
    program = book.stream(f"/Length1 {len(file)}", file)
    descriptor = book.add(
        f"<</Type/FontDescriptor/FontName/{name}/Flags 4/FontBBox [-1000 {face.descent} 3000 {face.ascent}]"
        f"/ItalicAngle 0/Ascent {face.ascent}/Descent {face.descent}/CapHeight 714/StemV {120 if face.bold else 80}"
        f"/FontFile2 {program} 0 R>>"
    )
    widths = " ".join(map(str, subset.widths))
    descendant = book.add(
        f"<</Type/Font/Subtype/CIDFontType2/BaseFont/{name}/CIDToGIDMap/Identity/FontDescriptor {descriptor} 0 R"
        f"/CIDSystemInfo <</Registry (Adobe)/Ordering (Identity)/Supplement 0>>/DW 1000/W [0 [{widths}]]>>"
    )
    unicode = book.stream("", _to_unicode(subset.texts))
    return book.add(
        f"<</Type/Font/Subtype/Type0/BaseFont/{name}/Encoding/Identity-H/DescendantFonts [{descendant} 0 R]"
        f"/ToUnicode {unicode} 0 R>>"
    )


def _to_unicode(texts: list[str]) -> bytes:
    said = [f"<{code:04X}> <{text.encode('utf-16-be').hex().upper()}>" for code, text in enumerate(texts) if text]
    blocks = [said[start : start + 100] for start in range(0, len(said), 100)]
    maps = "\n".join(f"{len(block)} beginbfchar\n" + "\n".join(block) + "\nendbfchar" for block in blocks)
    return (
        "/CIDInit /ProcSet findresource begin\n12 dict begin\nbegincmap\n"
        "/CIDSystemInfo <</Registry (Adobe) /Ordering (UCS) /Supplement 0>> def\n"
        "/CMapName /Adobe-Identity-UCS def\n/CMapType 2 def\n"
        f"1 begincodespacerange\n<0000> <FFFF>\nendcodespacerange\n{maps}\n"
        "endcmap\nCMapName currentdict /CMap defineresource pop\nend\nend"
    ).encode("ascii")


class _Book:
    """Numbered objects and the file they make."""

    def __init__(self) -> None:
        self._objects: list[bytes] = []

    def reserve(self) -> int:
        self._objects.append(b"null")
        return len(self._objects)

    def put(self, number: int, body: str) -> None:
        self._objects[number - 1] = body.encode("ascii")

    def add(self, body: str) -> int:
        number = self.reserve()
        self.put(number, body)
        return number

    def stream(self, entries: str, data: bytes, *, compress: bool = True) -> int:
        if compress:
            data, entries = zlib.compress(data, 9), f"{entries}/Filter/FlateDecode"
        number = self.reserve()
        self._objects[number - 1] = (
            f"<<{entries}/Length {len(data)}>>\nstream\n".encode("ascii") + data + b"\nendstream"
        )
        return number

    def written(self, catalog: int, info: int) -> bytes:
        file = bytearray(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
        offsets = []
        for number, body in enumerate(self._objects, 1):
            offsets.append(len(file))
            file += f"{number} 0 obj\n".encode("ascii") + body + b"\nendobj\n"
        start = len(file)
        file += f"xref\n0 {len(offsets) + 1}\n0000000000 65535 f \n".encode("ascii")
        file += b"".join(f"{offset:010d} 00000 n \n".encode("ascii") for offset in offsets)
        file += (
            f"trailer\n<</Size {len(offsets) + 1}/Root {catalog} 0 R/Info {info} 0 R>>\nstartxref\n{start}\n%%EOF\n"
        ).encode("ascii")
        return bytes(file)
