"""The demo's papers: drawn in Arabic and French, headed in Tifinagh too, and sealed by their administration."""

import datetime as dt
import hashlib
import math

from khizana.demo.country import ADMINISTRATIONS, Administration, Both, Field
from khizana.demo.papers import Paper
from khizana.demo.pki import Pki
from kit.i18n import Locale
from kit.i18n.dates import date as say_date
from locker.paper.sheet import HEIGHT, WIDTH, Colour, Point, Sheet, Style, width, wrap
from locker.signatures.seal import LocalTimeStamper, Sealer, seal

_GREEN: Colour = (0.043, 0.329, 0.227)
_SAND: Colour = (0.965, 0.937, 0.875)
_LINE: Colour = (0.78, 0.70, 0.54)
_GREY: Colour = (0.36, 0.36, 0.34)
_GHOST: Colour = (0.925, 0.925, 0.905)

_MARGIN = 48.0
_RIGHT = WIDTH - _MARGIN
_CENTRE = WIDTH / 2
_LABEL_ROOM, _VALUE_ROOM = 112.0, (_RIGHT - _MARGIN - 2 * 112.0) / 2
_ROW_LINE, _ROW_PAD = 14.5, 5.5

_KINGDOM = Both("ROYAUME DU MAROC", "المملكة المغربية")
_KINGDOM_ZGH = "ⵜⴰⴳⵍⴷⵉⵜ ⵏ ⵍⵎⵖⵔⵉⴱ"
_WATERMARK = Both("DÉMONSTRATION", "نموذج للعرض")
_WORTHLESS = Both("Document de démonstration, sans valeur juridique", "وثيقة للعرض فقط، ليست لها أي قيمة قانونية")
_REFERENCE = Both("Référence : {reference}", "المرجع: {reference}")
_ISSUED = Both("Délivré à {city}, le {date}", "حرر ب{city} في {date}")
_VALID = Both("Valable jusqu’au {date}", "صالح إلى غاية {date}")
_LASTING = Both("Sans limite de validité", "غير محدد المدة")
_SEAL = Both("Cachet électronique", "الخاتم الإلكتروني")
_SEAL_NOTE = Both(
    "Ce document porte un cachet électronique horodaté de l’administration. Toute personne peut le vérifier ; "
    "une copie imprimée ne porte pas ce cachet.",
    "تحمل هذه الوثيقة خاتما إلكترونيا مؤرخا للإدارة، ويمكن لأي شخص التحقق منه. النسخة المطبوعة لا تحمل هذا الخاتم.",
)
_PHOTO = Both("Photo", "صورة")

_BY_IDENTIFIER = {administration.identifier: administration for administration in ADMINISTRATIONS}
_CASABLANCA_OFFICE_OPENS = dt.time(8, 30, tzinfo=dt.timezone(dt.timedelta(hours=1)))


class Registry:
    """Draws and seals papers; keeps the keys of the seals open, because opening an RSA key costs more than its use."""

    def __init__(self, pki: Pki) -> None:
        self._pki = pki
        chain = pki.intermediates
        self._sealers = {
            identifier: Sealer(seal_.key, seal_.der, chain_der=chain) for identifier, seal_ in pki.seals.items()
        }

    def sealed(self, paper: Paper) -> bytes:
        """PAdES B-T, as of the morning on which the paper was issued."""
        moment = sealed_at(paper)
        stamper = LocalTimeStamper(
            self._pki.tsa.key, self._pki.tsa.der, chain_der=self._pki.intermediates, clock=lambda: moment
        )
        administration = _BY_IDENTIFIER[paper.administration]
        return seal(
            draw(paper),
            sealer=self._sealers[paper.administration],
            timestamper=stamper,
            reason=f"{paper.type.names['fr']} (démonstration)",
            location=administration.city.fr,
            at=moment,
        )


def sealed_at(paper: Paper) -> dt.datetime:
    minutes = int.from_bytes(hashlib.sha256(paper.key.encode()).digest()[:2]) % 420
    opening = dt.datetime.combine(paper.issued_on, _CASABLANCA_OFFICE_OPENS)
    return (opening + dt.timedelta(minutes=minutes)).astimezone(dt.UTC)


def draw(paper: Paper) -> bytes:
    """One A4 page, without a seal."""
    administration = _BY_IDENTIFIER[paper.administration]
    names = paper.type.names
    sheet = Sheet(
        title=f"{names['fr']} — {names['ar']}",
        subject=_WORTHLESS.fr,
        author=administration.names["fr"],
        lang="fr",
        created=sealed_at(paper),
    )
    _draw_ground(sheet)
    _draw_head(sheet, administration)
    y = _draw_title(sheet, paper)
    y = _draw_certifies(sheet, paper, administration, y)
    with sheet.group("Table"):
        y = _draw_fields(sheet, paper, y)
    if "expires_on" not in paper.fields:
        _draw_validity(sheet, paper, y - 24)
    _draw_seal_place(sheet, administration)
    _draw_foot(sheet, paper)
    return sheet.pdf()


def _draw_ground(sheet: Sheet) -> None:
    slope = (math.cos(math.radians(38)), math.sin(math.radians(38)))
    for at, text, lang in (
        ((_CENTRE - 60, 500), _WATERMARK.fr, "fr"),
        ((_CENTRE + 10, 400), _WATERMARK.ar, "ar"),
        ((_CENTRE + 90, 300), _WATERMARK.fr, "fr"),
    ):
        sheet.watermark(at, text, lang, size=50, colour=_GHOST, slope=slope)
    stars = " ".join(_star((x, HEIGHT - 15), 7.5) for x in _every(17.5))
    ends = f"{_MARGIN:.1f} {{y}} m {_RIGHT:.1f} {{y}} l S"
    sheet.ornament(f"{_fill(_GREEN)} 0 {HEIGHT - 26:.1f} {WIDTH} 26 re f {_fill(_SAND)} {stars} f")
    sheet.ornament(f"{_stroke(_LINE)} 0.8 w {ends.format(y=46)}")
    small = " ".join(_star((x, 10), 3.5) for x in _every(11.0))
    sheet.ornament(f"{_fill(_GREEN)} 0 0 {WIDTH} 20 re f {_fill(_SAND)} {small} f")


def _draw_head(sheet: Sheet, administration: Administration) -> None:
    with sheet.group("Sect"):
        for lang, x in (("fr", _MARGIN), ("ar", _RIGHT)):
            y = 784.0
            larger = 1.5 if lang == "ar" else 0
            sheet.text((x, y), _in(_KINGDOM, lang), lang, style=Style(size=9.5 + larger, weight="bold", colour=_GREEN))
            for line in wrap(administration.names[lang], lang, size=9 + larger, weight="bold", room=178):
                y -= 14
                sheet.text((x, y), line, lang, style=Style(size=9 + larger, weight="bold"))
            for line in wrap(_in(administration.office, lang), lang, size=8 + larger, room=178):
                y -= 13
                sheet.text((x, y), line, lang, style=Style(size=8 + larger, colour=_GREY))
        _draw_emblem(sheet, (_CENTRE, 776), 20)
        y = 742.0
        sheet.text((_CENTRE, y), _KINGDOM_ZGH, "zgh", style=Style(size=8.5, colour=_GREEN, align="centre"))
        for line in wrap(administration.names["zgh"], "zgh", size=7.5, room=140):
            y -= 11
            sheet.text((_CENTRE, y), line, "zgh", style=Style(size=7.5, colour=_GREY, align="centre"))


def _draw_emblem(sheet: Sheet, at: Point, radius: float) -> None:
    """An eight-pointed star, as in zellige: nobody's coat of arms."""
    sheet.ornament(
        f"{_fill(_GREEN)} {_star(at, radius)} f {_fill(_SAND)} {_star(at, radius * 0.72)} f"
        f" {_fill(_GREEN)} {_star(at, radius * 0.45)} f"
    )


def _draw_title(sheet: Sheet, paper: Paper) -> float:
    top, names = 712.0, paper.type.names
    french = 14.0
    while width(names["fr"], "fr", size=french, weight="bold") > _RIGHT - _MARGIN - 30:
        french -= 0.5
    bottom = top - 82
    sheet.ornament(
        f"{_fill(_SAND)} {_MARGIN} {bottom} {_RIGHT - _MARGIN:.2f} 82 re f"
        f" {_stroke(_GREEN)} 1.2 w {_MARGIN} {top} m {_RIGHT:.2f} {top} l S"
        f" {_MARGIN} {bottom} m {_RIGHT:.2f} {bottom} l S"
    )
    sheet.text(
        (_CENTRE, top - 29),
        names["ar"],
        "ar",
        role="H1",
        style=Style(size=20, weight="bold", colour=_GREEN, align="centre"),
    )
    sheet.text(
        (_CENTRE, top - 53), names["fr"], "fr", role="H1", style=Style(size=french, weight="bold", align="centre")
    )
    sheet.text((_CENTRE, top - 71), names["zgh"], "zgh", style=Style(size=9.5, colour=_GREY, align="centre"))
    return bottom


def _draw_certifies(sheet: Sheet, paper: Paper, administration: Administration, top: float) -> float:
    """Reference and date, the sentence of the office in both languages, and between them the place of a portrait."""
    y = top - 20
    for lang, x in (("fr", _MARGIN), ("ar", _RIGHT)):
        style = Style(size=9 if lang == "fr" else 10)
        issued = _in(_ISSUED, lang).format(city=_in(administration.city, lang), date=_say(paper.issued_on, lang))
        sheet.text((x, y), _in(_REFERENCE, lang).format(reference=paper.reference), lang, style=style)
        sheet.text((x, y - 15), issued, lang, style=style)
    y -= 36
    lowest = y
    room = 190.0 if paper.type.portrait else 236.0
    for lang, x in (("fr", _MARGIN), ("ar", _RIGHT)):
        at = y
        size = 9.5 if lang == "fr" else 11.0
        for line in wrap(_in(paper.type.certifies, lang), lang, size=size, room=room):
            sheet.text((x, at), line, lang, style=Style(size=size))
            at -= 15
        lowest = min(lowest, at)
    if paper.type.portrait:
        _draw_portrait(sheet, (_CENTRE - 38, y + 46 - 96))
        lowest = min(lowest, y - 62)
    return lowest - 2


def _draw_portrait(sheet: Sheet, at: Point) -> None:
    """A frame with an outline of a head and shoulders: nobody's picture."""
    x, y = at
    middle = x + 38
    sheet.ornament(
        f"{_fill(_SAND)} {_stroke(_LINE)} 0.8 w {x:.1f} {y:.1f} 76 96 re B {_fill(_LINE)}"
        f" {_circle((middle, y + 62), 15)} f"
        f" {middle - 28:.1f} {y + 14:.1f} m {middle - 28:.1f} {y + 52:.1f} {middle + 28:.1f} {y + 52:.1f}"
        f" {middle + 28:.1f} {y + 14:.1f} c f"
    )
    sheet.text((x + 5, y + 4), _PHOTO.fr, "fr", style=Style(size=7, colour=_GREY))
    sheet.text((x + 71, y + 4), _PHOTO.ar, "ar", style=Style(size=8, colour=_GREY))


def _draw_fields(sheet: Sheet, paper: Paper, top: float) -> float:
    y = top
    sheet.ornament(f"{_stroke(_GREEN)} 1 w {_MARGIN} {y:.1f} m {_RIGHT:.2f} {y:.1f} l S")
    for field in paper.type.fields:
        if field.name not in paper.fields:
            continue
        with sheet.group("TR"):
            y = _draw_field(sheet, field, paper, y)
    return y


def _draw_field(sheet: Sheet, field: Field, paper: Paper, top: float) -> float:
    """Label and value in French from the left, in Arabic from the right."""
    label, value = Style(size=8.5, colour=_GREY), Style(size=10.5, weight="bold")
    arabic_label, arabic_value = Style(size=9.5, colour=_GREY), Style(size=11.5, weight="bold")
    latin, arabic = _values(field, paper)
    cells = (
        ("TH", "fr", field.titles["fr"], _MARGIN + 2, _LABEL_ROOM - 6, label),
        ("TD", "fr", latin, _MARGIN + _LABEL_ROOM, _VALUE_ROOM - 8, value),
        ("TH", "ar", field.titles["ar"], _RIGHT - 2, _LABEL_ROOM - 6, arabic_label),
        ("TD", "ar", arabic, _RIGHT - _LABEL_ROOM, _VALUE_ROOM - 8, arabic_value),
    )
    broken = [
        wrap(text, lang, size=style.size, weight=style.weight, room=room) for _, lang, text, _, room, style in cells
    ]
    height = _ROW_LINE * max(map(len, broken)) + 2 * _ROW_PAD
    bottom = top - height
    sheet.ornament(f"{_stroke(_LINE)} 0.5 w {_MARGIN} {bottom:.1f} m {_RIGHT:.2f} {bottom:.1f} l S")
    for (role, lang, _, x, _, style), lines in zip(cells, broken, strict=True):
        at = top - _ROW_PAD - 10 - (height - 2 * _ROW_PAD - _ROW_LINE * len(lines)) / 2
        for line in lines:
            sheet.text((x, at), line, lang, role=role, style=style)
            at -= _ROW_LINE
    return bottom


def _values(field: Field, paper: Paper) -> tuple[str, str]:
    """What stands in the French and in the Arabic column."""
    value = paper.fields[field.name]
    match field.kind:
        case "both":
            return str(value), str(paper.fields[f"{field.name}_ar"])
        case "date":
            day = dt.date.fromisoformat(value)
            return _say(day, "fr"), _say(day, "ar")
        case "choice":
            said = dict(field.choices)[value]
            return said.fr, said.ar
        case "number":
            number = f"{value:g}".replace(".", ",")
            return number, number
    return str(value), str(value)


def _draw_validity(sheet: Sheet, paper: Paper, y: float) -> None:
    for lang, x in (("fr", _MARGIN), ("ar", _RIGHT)):
        said = (
            _in(_VALID, lang).format(date=_say(paper.valid_until, lang)) if paper.valid_until else _in(_LASTING, lang)
        )
        sheet.text((x, y), said, lang, style=Style(size=10 if lang == "fr" else 11, weight="bold", colour=_GREEN))


def _draw_seal_place(sheet: Sheet, administration: Administration) -> None:
    top, bottom = 158.0, 58.0
    sheet.ornament(f"{_stroke(_LINE)} 0.8 w [3 3] 0 d {_MARGIN} {bottom} {_RIGHT - _MARGIN:.2f} {top - bottom} re S")
    middle = (bottom + top) / 2
    sheet.ornament(
        f"{_stroke(_GREEN)} 1.6 w {_circle((_CENTRE, middle), 42)} S 0.6 w {_circle((_CENTRE, middle), 38)} S"
    )
    _draw_emblem(sheet, (_CENTRE, middle + 14), 13)
    sheet.text((_CENTRE, middle - 10), _WATERMARK.ar, "ar", style=Style(size=9, colour=_GREEN, align="centre"))
    sheet.text(
        (_CENTRE, middle - 20), _WATERMARK.fr, "fr", style=Style(size=6.5, weight="bold", colour=_GREEN, align="centre")
    )
    for lang, x in (("fr", _MARGIN + 10), ("ar", _RIGHT - 10)):
        size = 8.0 if lang == "fr" else 9.0
        y = top - 18
        sheet.text((x, y), _in(_SEAL, lang), lang, style=Style(size=size + 1, weight="bold", colour=_GREEN))
        for line in wrap(_in(_SEAL_NOTE, lang), lang, size=size, room=176):
            y -= 12.5
            sheet.text((x, y), line, lang, style=Style(size=size, colour=_GREY))


def _draw_foot(sheet: Sheet, paper: Paper) -> None:
    sheet.text((_MARGIN, 32), _WORTHLESS.fr, "fr", style=Style(size=7.5, colour=_GREY))
    sheet.text((_RIGHT, 32), _WORTHLESS.ar, "ar", style=Style(size=8.5, colour=_GREY))
    sheet.text((_CENTRE, 32), f"{paper.reference} · 1/1", "fr", style=Style(size=7.5, colour=_GREY, align="centre"))


def _in(text: Both, lang: str) -> str:
    return text.ar if lang == "ar" else text.fr


def _say(day: dt.date, lang: str) -> str:
    return say_date(day, Locale(lang))


def _every(step: float) -> list[float]:
    count = int(WIDTH // step)
    first = (WIDTH - (count - 1) * step) / 2
    return [first + index * step for index in range(count)]


def _star(at: Point, radius: float) -> str:
    """Two squares, one turned by 45°."""
    squares = []
    for turn in (0.0, 45.0):
        corners = [
            f"{at[0] + radius * math.cos(math.radians(turn + 90 * k)):.2f}"
            f" {at[1] + radius * math.sin(math.radians(turn + 90 * k)):.2f}"
            for k in range(4)
        ]
        squares.append(f"{corners[0]} m {corners[1]} l {corners[2]} l {corners[3]} l h")
    return " ".join(squares)


def _circle(at: Point, radius: float) -> str:
    x, y, k = at[0], at[1], radius * 0.5523
    return (
        f"{x + radius:.2f} {y:.2f} m"
        f" {x + radius:.2f} {y + k:.2f} {x + k:.2f} {y + radius:.2f} {x:.2f} {y + radius:.2f} c"
        f" {x - k:.2f} {y + radius:.2f} {x - radius:.2f} {y + k:.2f} {x - radius:.2f} {y:.2f} c"
        f" {x - radius:.2f} {y - k:.2f} {x - k:.2f} {y - radius:.2f} {x:.2f} {y - radius:.2f} c"
        f" {x + k:.2f} {y - radius:.2f} {x + radius:.2f} {y - k:.2f} {x + radius:.2f} {y:.2f} c h"
    )


def _fill(colour: Colour) -> str:
    return " ".join(f"{part:.3f}" for part in colour) + " rg"


def _stroke(colour: Colour) -> str:
    return " ".join(f"{part:.3f}" for part in colour) + " RG"
