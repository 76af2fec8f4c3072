"""Group G, updates that one reader repairs and another does not, and paths by which readers reach what they show.

Each attack was seen to change what PDFium draws, or what a form shows, behind a signature that holds.
"""

import functools
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

import pypdfium2
import pytest
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign.signers import PdfTimeStamper

from locker.signatures.seal import seal
from tests.attacks.test_g_shadows import OTHER, SHOWN, body, first, stream
from tests.fuzz.mutate_pdf import update
from tests.unit.locker.signatures.signature_pki import NOW, judged, pki, raw_pdf, signed_by_other_software

_FONT = b"/Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >>"
_CATALOG = b"<< /Type /Catalog /Pages 2 0 R %s >>"
_PAGES = b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>"
_PAGE = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << %s >> >>" % _FONT


@functools.cache
def sealed(*objects: bytes, catalog: bytes = b"", page: bytes = _PAGE) -> bytes:
    pdf = raw_pdf(_CATALOG % catalog, _PAGES, page, SHOWN, *objects)
    return seal(pdf, sealer=pki().seal.sealer(), timestamper=pki().tsa.time_stamper(), docmdp_locked=False, at=NOW)


def drawn(pdf: bytes) -> list[bytes]:
    document = pypdfium2.PdfDocument(pdf)
    document.init_forms()
    return [bytes(page.render(scale=0.25).buffer) for page in document]


def hand_made(
    pdf: bytes,
    objects: dict[int, bytes],
    *,
    unnamed: bytes = b"",
    trailer: bytes = b"",
    start: int = 0,
    size: int = 200,
    root: bytes = b"/Root 1 0 R",
    section: Callable[[int, bytes], bytes] = lambda at, table: table,
) -> bytes:
    """An update; ``unnamed`` are objects that no section names, and come last."""
    made = bytearray(pdf + b"\n")
    table = b""
    for number, value in objects.items():
        table += b"%d 1\n%010d 00000 n \n" % (number, len(made))
        made += b"%d 0 obj\n%s\nendobj\n" % (number, value)
    at_unnamed = len(made)
    made += unnamed
    begin = len(made)
    previous = re.findall(rb"startxref\s+(\d+)", pdf)[-1]
    made += b"xref\n" + section(at_unnamed, table)
    made += b"trailer\n<< /Size %d %s /Prev %s %s >>\n" % (size, root, previous, trailer)
    return bytes(made + b"startxref\n%d\n%%%%EOF\n" % (begin + start))


EVIL = b"4 0 obj\n%s\nendobj\n" % OTHER

# A whole other document beside the signed one.
BESIDE = {
    60: b"<< /Type /Catalog /Pages 61 0 R >>",
    61: b"<< /Type /Pages /Kids [62 0 R] /Count 1 >>",
    62: _PAGE.replace(b"2 0 R", b"61 0 R").replace(b"4 0 R", b"63 0 R"),
    63: OTHER,
}


def test_an_update_made_by_hand_that_says_the_same_is_no_change() -> None:
    pdf = sealed()
    changed = first(hand_made(pdf, {3: body(pdf, 3)}))
    assert (changed.passed, changed.changes) == (True, "none")


def test_a_table_may_name_again_what_is_where_it_was() -> None:
    """Some programs write the whole table each time."""
    pdf = sealed()
    changed = first(hand_made(pdf, {3: body(pdf, 3)}, section=lambda at, table: table + _entry(pdf)))
    assert (changed.passed, changed.changes) == (True, "none")


def _entry(pdf: bytes) -> bytes:
    return b"4 1\n%010d 00000 n \n" % pdf.index(b"4 0 obj")


REPAIRED: dict[str, Callable[[bytes], bytes]] = {
    **{
        f"a section {off} bytes beside its place": lambda pdf, off=off: hand_made(  # type: ignore[misc]
            pdf, {3: body(pdf, 3)}, unnamed=EVIL, start=off
        )
        for off in (-3, -2, 1, 2, 3)
    },
    "two catalogs in a trailer": lambda pdf: hand_made(pdf, {3: body(pdf, 3), **BESIDE}, trailer=b"/Root 60 0 R"),
    "two contents in a page": lambda pdf: update(
        pdf, {3: body(pdf, 3).replace(b"/Contents 4 0 R", b"/Contents 4 0 R /Contents 60 0 R"), 60: OTHER}
    ),
}


@pytest.mark.parametrize("attack", REPAIRED)
def test_what_readers_repair_is_a_change(attack: str) -> None:
    pdf = sealed()
    assert first(pdf).passed
    changed = REPAIRED[attack](pdf)
    assert drawn(changed) != drawn(pdf)
    verdict = judged(changed)
    assert (verdict.indication, verdict.sub_indication) == ("TOTAL-FAILED", "FORMAT_FAILURE")


def _twice(evil_first: bool) -> Callable[[bytes], bytes]:
    def made(pdf: bytes) -> bytes:
        def section(at: int, table: bytes) -> bytes:
            places = [at, pdf.index(b"4 0 obj")]
            return table + b"".join(
                b"4 1\n%010d 00000 n \n" % place for place in (places if evil_first else reversed(places))
            )

        return hand_made(pdf, {3: body(pdf, 3)}, unnamed=EVIL, section=section)

    return made


DOUBTFUL: dict[str, Callable[[bytes], bytes]] = {
    # pyHanko takes any two characters for the end of a dictionary if the first is ">".
    "an end that is none": lambda pdf: hand_made(pdf, {3: body(pdf, 3).replace(b">>", b">b", 1)}),
    "a size that leaves the content out": lambda pdf: hand_made(pdf, {3: body(pdf, 3)}, size=4),
    "an object that no section names": lambda pdf: hand_made(pdf, {3: body(pdf, 3)}, unnamed=EVIL),
    "one that a comment hides": lambda pdf: hand_made(
        pdf, {3: body(pdf, 3)}, unnamed=EVIL.replace(b"4 0 obj", b"4 %\n0 obj")
    ),
    "a number twice, the signed object last": _twice(True),
    "a number twice, the signed object first": _twice(False),
    "other content, taken back by the next table": lambda pdf: hand_made(
        hand_made(pdf, {4: OTHER}), {3: body(pdf, 3)}, section=lambda at, table: table + _entry(pdf)
    ),
    "no catalog in the trailer": lambda pdf: hand_made(pdf, {3: body(pdf, 3)}, root=b""),
    "an entry of no kind": lambda pdf: hand_made(
        pdf, {3: body(pdf, 3)}, unnamed=EVIL, section=lambda at, table: table + b"4 1\n%010d 00000 x \n" % at
    ),
    "a generation that is none": lambda pdf: hand_made(
        pdf, {3: body(pdf, 3)}, unnamed=EVIL, section=lambda at, table: table + b"4 1\n%010d 70000 n \n" % at
    ),
}


@pytest.mark.parametrize("attack", DOUBTFUL)
def test_what_readers_may_read_in_different_ways_is_a_change(attack: str) -> None:
    changed = first(DOUBTFUL[attack](sealed()))
    assert (changed.indication, changed.sub_indication) == ("TOTAL-FAILED", "FORMAT_FAILURE")


def test_a_page_cannot_inherit_from_elsewhere() -> None:
    pdf = sealed()
    turned = b"<< /Type /Pages /Rotate 180 /Kids [3 0 R] /Count 1 >>"
    changed = update(pdf, {3: body(pdf, 3).replace(b"/Parent 2 0 R", b"/Parent 60 0 R"), 60: turned})
    assert drawn(changed) != drawn(pdf)
    assert first(changed).changes == "other"


def test_what_a_page_inherits_outside_the_tree_is_compared() -> None:
    """The page names a parent that the catalog does not lead to; signed so."""
    pdf = sealed(_PAGES, page=_PAGE.replace(b"/Parent 2 0 R", b"/Parent 5 0 R"))
    assert first(pdf).passed
    changed = update(pdf, {5: _PAGES.replace(b"/Count 1", b"/Count 1 /Rotate 180")})
    assert drawn(changed) != drawn(pdf)
    assert first(changed).changes == "other"


def test_a_permitted_difference_does_not_excuse_what_it_shares() -> None:
    """Marks may differ. The font that stands among them too is compared all the same."""
    font = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"
    page = _PAGE.replace(_FONT, b"/Font << /F1 5 0 R >>")
    pdf = sealed(font, catalog=b"/MarkInfo << /Marked true /Font 5 0 R >>", page=page)
    assert first(pdf).passed
    changed = update(pdf, {5: font.replace(b"Helvetica", b"Courier")})
    assert drawn(changed) != drawn(pdf)
    assert first(changed).changes == "other"


def test_a_shared_appearance_of_a_field_to_sign_is_still_the_page() -> None:
    """The picture of a field may be replaced when it is signed; it was the content of the page too."""
    widget = b"<< /FT /Sig /T (S2) /Type /Annot /Subtype /Widget /Rect [0 0 0 0] /P 3 0 R /AP << /N 4 0 R >> >>"
    pdf = sealed(
        widget,
        catalog=b"/AcroForm << /Fields [5 0 R] /SigFlags 3 >>",
        page=_PAGE.replace(b"/Contents", b"/Annots [5 0 R] /Contents"),
    )
    changed = signed_by_other_software(update(pdf, {4: OTHER}), pki().rsa_seal, field="S2")
    assert first(changed).changes == "other"


# Fields that draw

_PICTURE = stream(b"1 0 0 rg 0 0 595 842 re f").replace(
    b"<<", b"<< /Type /XObject /Subtype /Form /BBox [0 0 595 842] /Resources << >>", 1
)


def _widget(area: bytes, more: bytes) -> bytes:
    return b"<< /Type /Annot /Subtype /Widget /P 3 0 R /F 4 /Rect [%s] /AP << /N 90 0 R >> %s >>" % (area, more)


def _with_fields(pdf: bytes, objects: dict[int, bytes], *, roots: bytes, shown: bytes) -> bytes:
    form = re.search(rb"/AcroForm (\d+) 0 R", body(pdf, 1))
    assert form
    number = int(form[1])
    return update(
        pdf,
        {
            3: re.sub(rb"/Annots \[", b"/Annots [" + shown + b" ", body(pdf, 3)),
            number: re.sub(rb"/Fields \[", b"/Fields [" + roots + b" ", body(pdf, number)),
            90: _PICTURE,
            **objects,
        },
    )


WHOLE, PART = b"0 0 595 842", b"0 0 100 100"
FIELDS: dict[str, dict[int, bytes]] = {
    "a time stamp that draws": {
        80: _widget(WHOLE, b"/FT /Sig /T (X) /V 81 0 R"),
        81: b"<< /Type /DocTimeStamp >>",
    },
    "a small time stamp that draws": {
        80: _widget(PART, b"/FT /Sig /T (X) /V 81 0 R"),
        81: b"<< /Type /DocTimeStamp >>",
    },
    "a node that draws": {80: _widget(PART, b"/T (X) /Kids [99 0 R]")},
    "a node of signatures that draws": {
        80: _widget(PART, b"/FT /Sig /T (X) /Kids [81 0 R]"),
        81: b"<< /FT /Sig /T (Y) /V << /X 1 >> >>",
    },
    "a field without a name, that nobody judges": {80: _widget(PART, b"/FT /Sig /V << /X 1 >>")},
    "a kind that only the widget has": {
        80: b"<< /T (X) /V << /X 1 >> /Kids [81 0 R] >>",
        81: _widget(PART, b"/FT /Sig /Parent 80 0 R"),
    },
}


@pytest.mark.parametrize("attack", FIELDS)
def test_a_picture_that_no_verdict_answers_for_is_a_change(attack: str) -> None:
    pdf = sealed()
    objects = FIELDS[attack]
    shown = b"80 0 R" if b"/AP" in objects[80] else b"81 0 R"
    changed = first(_with_fields(pdf, objects, roots=b"80 0 R", shown=shown))
    assert (changed.indication, changed.changes) == ("TOTAL-FAILED", "other")


def _time_stamped(pdf: bytes) -> bytes:
    """By a field without extent."""
    output = BytesIO()
    stamper = PdfTimeStamper(pki().tsa.time_stamper(NOW), field_name="Archive")
    with ThreadPoolExecutor(1) as pool:
        pool.submit(stamper.timestamp_pdf, IncrementalPdfFileWriter(BytesIO(pdf)), "sha256", output=output).result()
    return output.getvalue()


def _with_appearance(pdf: bytes, entries: bytes, content: bytes) -> bytes:
    found = re.search(rb"(?s)(\d+) 0 obj\s(<<(?:(?!endobj).)*?/T \(Archive\).*?)>>\s*endobj", pdf)
    assert found
    assert b"/Rect [ 0 0 0 0 ]" in found[2]
    form = b"<< /Type /XObject /Subtype /Form /Resources << %s >> %s /Length %d >>\nstream\n%s\nendstream" % (
        _FONT,
        entries,
        len(content),
        content,
    )
    return update(pdf, {int(found[1]): found[2] + b"/AP << /N 90 0 R >> >>", 90: form})


_TEXT = b"BT /F1 30 Tf 60 600 Td (Paid: 9,000,000) Tj ET"
_BOX = b"/BBox [0 0 600 850]"


@pytest.mark.parametrize(
    ("entries", "content", "changes"),
    [
        (b"", _TEXT, "other"),
        (b"/BBox [0 0 0 0]", _TEXT, "other"),
        (_BOX + b" /Matrix [0 0 0 0 0 0]", _TEXT, "other"),
        (_BOX, _TEXT, "archive"),
        (b"/BBox [0 0 0 0]", b" ", "archive"),
    ],
)
def test_a_picture_without_extent_is_not_scaled_to_nothing(entries: bytes, content: bytes, changes: str) -> None:
    """PDFium draws all of a picture without a box, also for a time stamp's field without extent."""
    pdf = _time_stamped(sealed())
    assert first(pdf).changes == "archive"
    changed = _with_appearance(pdf, entries, content)
    assert first(changed).changes == changes
    if changes == "archive":
        assert drawn(changed) == drawn(pdf)


def test_a_picture_without_a_box_is_drawn() -> None:
    pdf = _time_stamped(sealed())
    assert drawn(_with_appearance(pdf, b"", _TEXT)) != drawn(pdf)


def test_a_signature_that_was_there_is_not_shown_by_further_fields() -> None:
    pdf = sealed()
    signature = re.findall(rb"/V (\d+ 0 R)", pdf)[-1]
    widget = _widget(PART, b"/FT /Sig /T (X) /V " + signature)
    assert first(_with_fields(pdf, {80: widget}, roots=b"80 0 R", shown=b"80 0 R")).changes == "other"


def _taken_away(one: bytes, two: bytes) -> dict[str, dict[int, bytes]]:
    """Updates after which a second signature is a copy of the first, is none, or has no field."""
    added = two[len(one) :]
    signature, before = (
        int(re.findall(rb"(\d+) 0 obj", part[: part.rindex(b"/ByteRange")])[-1]) for part in (added, one)
    )
    rewritten = {int(number) for number in re.findall(rb"[\r\n](\d+) 0 obj", added)}
    return {
        "another signature in its place": {signature: body(one, before)},
        "a null": {signature: b"null"},
        "all that leads to it as it was": {
            number: body(one, number) for number in rewritten if b"\n%d 0 obj" % number in one
        },
    }


@pytest.mark.parametrize("way", ["another signature in its place", "a null", "all that leads to it as it was"])
def test_a_later_signature_is_not_taken_away(way: str) -> None:
    one = sealed()
    two = signed_by_other_software(one, pki().seal, field="Two")
    assert [signature.passed for signature in judged(two).signatures] == [True, True]
    changed = judged(hand_made(two, _taken_away(one, two)[way]))
    assert (changed.passed, changed.signatures[0].changes) == (False, "other")


def test_a_picture_is_large_by_the_page_that_shows_it() -> None:
    """The field names a larger page than the small one it covers."""
    small = _PAGE.replace(b"0 0 595 842", b"0 0 200 200")
    pdf = sealed(page=small)
    later = signed_by_other_software(pdf, pki().rsa_seal, field="Second")
    found = re.search(rb"(?s)(\d+) 0 obj\s(<<(?:(?!endobj).)*?/T \(Second\).*?>>)\s*endobj", later)
    assert found
    widget = re.sub(rb"/Rect \[[^]]*\]", b"/Rect [0 0 200 200] /AP << /N 90 0 R >>", found[2])
    widget = re.sub(rb"/P \d+ 0 R", b"/P 91 0 R", widget)
    changed = first(update(later, {int(found[1]): widget, 90: _PICTURE, 91: b"<< /MediaBox [0 0 9000 9000] >>"}))
    assert "covered" in changed.reasons


def test_a_resource_that_is_named_like_a_link_is_compared() -> None:
    """A font named /P that was nothing when signed, and becomes a font that is a signature field too."""
    page = _PAGE.replace(_FONT, b"/Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> /P 80 0 R >>")
    pdf = sealed(page=page)
    assert first(pdf).passed
    later = signed_by_other_software(pdf, pki().rsa_seal, field="Second")
    found = re.search(rb"(?s)(\d+) 0 obj\s(<<(?:(?!endobj).)*?/T \(Second\).*?>>)\s*endobj", later)
    assert found
    font = found[2].replace(b"<<", b"<< /BaseFont /Courier", 1)
    moved = {80: font}
    for number in (3, int(re.findall(rb"/AcroForm (\d+) 0 R", later)[-1])):
        moved[number] = body(later, number).replace(found[1] + b" 0 R", b"80 0 R")
    assert first(update(later, moved)).changes == "other"


def test_an_update_of_words_that_lead_to_no_object_is_read_in_one_pass() -> None:
    # Quadratic, this would take longer than anybody waits for a test.
    words = first(hand_made(sealed(), {4: SHOWN}, unnamed=b"1 %" * 200_000 + b"\n"))
    assert (words.intact, words.covers_whole_file) == (True, False)
