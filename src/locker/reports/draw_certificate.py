"""The certificate of a verification as one A4 page, in French and Arabic, with a QR to where it can be repeated."""

import datetime as dt
import unicodedata

import msgspec
import segno

from kit.i18n import Locale, Message, Translator, _
from locker.documents.schema import name_in
from locker.paper.fonts import Weight, faces
from locker.paper.sheet import HEIGHT, WIDTH, Colour, Sheet, Style, width, wrap
from locker.reports.say import Translators
from locker.reports.sub_indications import SUB_INDICATIONS
from locker.signatures.schema import Verdict
from locker.verification.schema import Answer
from locker.verification.views import check_label, issuer_of, sentence

_TONES: dict[str, tuple[Colour, Colour, Message]] = {
    "good": ((0.043, 0.329, 0.227), (0.90, 0.95, 0.91), _("Authentic")),
    "wait": ((0.52, 0.36, 0.02), (0.98, 0.94, 0.84), _("Not certain")),
    "bad": ((0.62, 0.11, 0.11), (0.98, 0.91, 0.90), _("Do not rely on it")),
}
_GREEN: Colour = (0.043, 0.329, 0.227)
_LINE: Colour = (0.78, 0.70, 0.54)
_GREY: Colour = (0.36, 0.36, 0.34)
_MARGIN = 48.0
_RIGHT = WIDTH - _MARGIN
_CENTRE = WIDTH / 2
_COLUMN = (_RIGHT - _MARGIN - 24) / 2
_QR_SIZE = 92.0
_WORD_MAX = 28
_LINES_MAX = 2
_FOOT = 58.0

_TITLE = _("Certificate of verification")
_NOTE = _(
    "This page says what was so at the moment of the verification. It carries an electronic seal of this service: "
    "verify the file itself, not its print. The code leads to where the document can be verified again."
)
_BOTH = (Locale.FR, Locale.AR)


class Certificate(msgspec.Struct, frozen=True, kw_only=True):
    """What is drawn beside the answer and its verdict."""

    verify_url: str
    seal_sha256: str
    """Of the certificate with which this page is sealed."""


def draw_certificate(answer: Answer, verdict: Verdict, translators: Translators, certificate: Certificate) -> bytes:
    """One page without its seal. About 30 ms; blocks."""
    says = {locale: translators(locale) for locale in _BOTH}
    tone = sentence(answer, Locale.FR)[1]
    sheet = Sheet(
        title=f"{says[Locale.FR].gettext(_TITLE)} — {says[Locale.AR].gettext(_TITLE)}",
        subject=f"SHA-256 {answer.sha256}",
        author=certificate.verify_url,
        lang="fr",
        created=answer.checked_at,
    )
    drawing = _Drawing(sheet, says)
    drawing.head()
    drawing.verdict(answer, tone)
    with sheet.group("Table"):
        for label, values in _facts(answer, verdict, says):
            drawing.row(label, values)
    drawing.line(_("Fingerprint (SHA-256)"), answer.sha256)
    drawing.line(_("Technical answer"), _technical(verdict))
    with sheet.group("L"):
        drawing.checks(answer)
    drawing.meaning(verdict)
    drawing.foot(_address(answer, certificate), certificate)
    return sheet.pdf()


def _address(answer: Answer, certificate: Certificate) -> str:
    return (
        f"{certificate.verify_url}/d/{answer.document.uri}" if answer.document else f"{certificate.verify_url}/verify"
    )


def _technical(verdict: Verdict) -> str:
    found = f"{verdict.indication}/{verdict.sub_indication}" if verdict.sub_indication else verdict.indication
    levels = sorted({signature.level for signature in verdict.signatures})
    policy = f"{verdict.policy}/{verdict.policy_version}, trust {verdict.trust_version}"
    return " · ".join([found, *levels[:2], policy])


def _facts(answer: Answer, verdict: Verdict, says: dict[Locale, Translator]) -> list[tuple[Message, dict[Locale, str]]]:
    signature = answer.signature
    facts: list[tuple[Message, dict[Locale, str]]] = []
    if answer.document:
        names = answer.document.type_names
        facts.append((_("Document"), {locale: name_in(names, locale) for locale in _BOTH}))
    issuer = {locale: issuer_of(answer, locale) for locale in _BOTH}
    if signature.sound and any(issuer.values()):
        facts.append((_("Issued by"), issuer))
    if signature.signer:
        facts.append((_("Signed by"), dict.fromkeys(_BOTH, signature.signer)))
    if signature.signed_at:
        facts.append((_("Signed on"), _moments(signature.signed_at, says)))
    if verdict.judged_for < answer.checked_at - dt.timedelta(minutes=1):
        facts.append((_("Verified for"), _moments(verdict.judged_for, says)))
    facts.append((_("Verified on"), _moments(answer.checked_at, says)))
    return facts


def _moments(when: dt.datetime, says: dict[Locale, Translator]) -> dict[Locale, str]:
    """On paper the year and the hour stand apart by a word: two numbers side by side would change places."""
    return {locale: says[locale].moment(when).replace("،", " على الساعة") for locale in _BOTH}


class _Drawing:
    """From the top of the page down; ``_y`` is where the next thing begins."""

    def __init__(self, sheet: Sheet, says: dict[Locale, Translator]) -> None:
        self._sheet = sheet
        self._says = says
        self._y = HEIGHT - 26.0

    def head(self) -> None:
        self._sheet.ornament(f"{_fill(_GREEN)} 0 {HEIGHT - 12:.1f} {WIDTH} 12 re f 0 0 {WIDTH} 8 re f")
        self._y -= 34
        for locale, size in ((Locale.AR, 20.0), (Locale.FR, 15.0)):
            style = Style(size=size, weight="bold", colour=_GREEN, align="centre")
            self._sheet.text((_CENTRE, self._y), self._said(locale, _TITLE), locale.value, role="H1", style=style)
            self._y -= 26
        self._y -= 4

    def verdict(self, answer: Answer, tone: str) -> None:
        """The one sentence, and above it a word: a tone is never colour alone."""
        ink, paper, word = _TONES[tone]
        said = {
            locale: _lines(
                self._said(locale, sentence(answer, locale)[0]), locale, size=_size(locale, 11), room=_COLUMN - 12,
                lines_max=6,
            )
            for locale in _BOTH
        }  # fmt: skip
        height = 34 + 17 * max(len(lines) for lines in said.values())
        bottom = self._y - height
        bars = " ".join(f"{x:.1f} {bottom:.1f} 4 {height:.1f} re" for x in (_MARGIN, _RIGHT - 4))
        self._sheet.ornament(
            f"{_fill(paper)} {_MARGIN} {bottom:.1f} {_RIGHT - _MARGIN:.1f} {height:.1f} re f {_fill(ink)} {bars} f"
        )
        with self._sheet.group("Sect"):
            for locale, x in self._columns(12):
                y = self._y - 18
                style = Style(size=_size(locale, 12), weight="bold", colour=ink)
                self._sheet.text((x, y), self._said(locale, word), locale.value, role="H2", style=style)
                for line in said[locale]:
                    y -= 17
                    self._sheet.text((x, y), line, locale.value, style=Style(size=_size(locale, 11)))
        self._y = bottom - 10

    def row(self, label: Message, values: dict[Locale, str]) -> None:
        style = {
            locale: Style(size=_size(locale, 9.5), weight="bold", align="right" if locale is Locale.AR else "left")
            for locale in _BOTH
        }
        lines = {
            locale: _lines(values[locale], locale, size=style[locale].size, weight="bold", room=_COLUMN - 76)
            for locale in _BOTH
        }
        height = 8 + 13 * max(len(broken) for broken in lines.values())
        with self._sheet.group("TR"):
            for locale, x in self._columns(2):
                away = -1 if locale is Locale.AR else 1
                self._sheet.text(
                    (x, self._y - 13),
                    self._said(locale, label),
                    locale.value,
                    role="TH",
                    style=Style(size=_size(locale, 8.5), colour=_GREY),
                )
                for number, line in enumerate(lines[locale]):
                    at = (x + away * 76, self._y - 13 - 13 * number)
                    self._sheet.text(at, line, _own_language(line, locale), role="TD", style=style[locale])
        self._rule(height)

    def line(self, label: Message, value: str) -> None:
        """An identifier: once, left to right, under its label in both languages."""
        for locale, x in self._columns(2):
            style = Style(size=_size(locale, 8.5), colour=_GREY)
            self._sheet.text((x, self._y - 12), self._said(locale, label), locale.value, style=style)
        y = self._y - 12
        for part in _lines(value, Locale.FR, size=8.5, room=_RIGHT - _MARGIN - 8, word_max=64):
            y -= 13
            self._sheet.text((_CENTRE, y), part, "en", style=Style(size=8.5, align="centre"))
        self._rule(self._y - y + 6)

    def checks(self, answer: Answer) -> None:
        for check in answer.checks:
            word = _("Not known") if check.passed is None else _("Yes") if check.passed else _("No")
            colour = _GREY if check.passed is None else _GREEN if check.passed else _TONES["bad"][0]
            lines = {
                locale: _lines(
                    self._said(locale, check_label(check.name)), locale, size=_size(locale, 9), room=_COLUMN - 72
                )
                for locale in _BOTH
            }
            with self._sheet.group("LI"):
                for locale, x in self._columns(2):
                    away = -1 if locale is Locale.AR else 1
                    bold = Style(size=_size(locale, 9), weight="bold", colour=colour)
                    self._sheet.text((x, self._y - 13), self._said(locale, word), locale.value, style=bold)
                    for number, line in enumerate(lines[locale]):
                        at = (x + away * 70, self._y - 13 - 12 * number)
                        self._sheet.text(at, line, locale.value, style=Style(size=_size(locale, 9)))
            self._y -= 6 + 12 * max(len(broken) for broken in lines.values())
        self._y -= 8

    def meaning(self, verdict: Verdict) -> None:
        """Where there is room left: the technical answer names the sub-indication in any case."""
        explained = SUB_INDICATIONS.get(verdict.sub_indication or "")
        if explained is None:
            return
        said: dict[Locale, list[tuple[str, Style]]] = {}
        for locale in _BOTH:
            plain, bold = Style(size=_size(locale, 9)), Style(size=_size(locale, 9), weight="bold")
            said[locale] = [
                (line, style)
                for message, style in ((explained.means, plain), (explained.next, bold))
                for line in _lines(
                    self._said(locale, message),
                    locale,
                    size=style.size,
                    weight=style.weight,
                    room=_COLUMN - 4,
                    lines_max=6,
                )
            ]
        if self._y - 13 * max(map(len, said.values())) < _FOOT + _QR_SIZE + 16:
            return
        for locale, x in self._columns(2):
            for number, (line, style) in enumerate(said[locale], 1):
                self._sheet.text((x, self._y - 13 * number), line, locale.value, style=style)

    def foot(self, address: str, certificate: Certificate) -> None:
        self._qr(address, _CENTRE - _QR_SIZE / 2, _FOOT)
        for locale, x in self._columns(2):
            y = _FOOT + _QR_SIZE - 6
            style = Style(size=_size(locale, 8), colour=_GREY)
            for part in _lines(self._said(locale, _NOTE), locale, size=style.size, room=_COLUMN - 46, lines_max=8):
                self._sheet.text((x, y), part, locale.value, style=style)
                y -= 11.5
        small = Style(size=7, colour=_GREY, align="centre")
        for y, text in ((40.0, address), (28.0, f"Seal: SHA-256 {certificate.seal_sha256}")):
            [shown, *_rest] = _lines(text, Locale.FR, size=7, room=_RIGHT - _MARGIN, word_max=130)
            self._sheet.text((_CENTRE, y), shown, "en", style=small)

    def _qr(self, address: str, x: float, y: float) -> None:
        code = segno.make(address, error="m", micro=False)
        rows = [list(row) for row in code.matrix]
        module = _QR_SIZE / (len(rows) + 8)
        squares = " ".join(
            f"{x + (column + 4) * module:.2f} {y + _QR_SIZE - (row + 5) * module:.2f} {module:.2f} {module:.2f} re"
            for row, dark in enumerate(rows)
            for column, is_dark in enumerate(dark)
            if is_dark
        )
        self._sheet.ornament(f"0 0 0 rg {squares} f")

    def _columns(self, inset: float) -> tuple[tuple[Locale, float], tuple[Locale, float]]:
        return (Locale.FR, _MARGIN + inset), (Locale.AR, _RIGHT - inset)

    def _rule(self, height: float) -> None:
        self._y -= height
        self._sheet.ornament(f"{_stroke(_LINE)} 0.5 w {_MARGIN} {self._y:.1f} m {_RIGHT:.1f} {self._y:.1f} l S")

    def _said(self, locale: Locale, message: Message) -> str:
        return self._says[locale].gettext(message)


def _size(locale: Locale, size: float) -> float:
    return size + 1 if locale is Locale.AR else size


def _lines(
    text: str,
    locale: Locale,
    *,
    size: float,
    weight: Weight = "regular",
    room: float,
    lines_max: int = _LINES_MAX,
    word_max: int = _WORD_MAX,
) -> list[str]:
    """No more than fits: a name may be longer than any paper, and hold letters that no font of ours draws."""
    words = [
        word[start : start + word_max]
        for word in drawable(text, weight).split()
        for start in range(0, len(word), word_max)
    ]
    lines = wrap(" ".join(words), locale.value, size=size, weight=weight, room=room)
    if len(lines) > lines_max:
        lines = [*lines[: lines_max - 1], lines[lines_max - 1][:-1] + "…"]
    while lines and width(lines[-1], locale.value, size=size, weight=weight) > room + 40:
        lines[-1] = lines[-1][:-2] + "…"
    return lines or [""]


def _own_language(text: str, locale: Locale) -> str:
    """A name is written in the direction of its first letter, whatever stands around it."""
    for character in text:
        kind = unicodedata.bidirectional(character)
        if kind in ("L", "R", "AL"):
            return "fr" if kind == "L" else "ar"
    return locale.value


def drawable(text: str, weight: Weight) -> str:
    """Without what reorders or hides; what no font draws becomes a question mark."""
    kept = []
    for character in text:
        kind = unicodedata.category(character)
        if character.isspace():
            kept.append(" ")
        elif kind[0] != "C":
            kept.append(character if any(face.has(character) for face in faces(weight)) else "?")
    return "".join(kept)


def _fill(colour: Colour) -> str:
    return " ".join(f"{part:.3f}" for part in colour) + " rg"


def _stroke(colour: Colour) -> str:
    return " ".join(f"{part:.3f}" for part in colour) + " RG"
