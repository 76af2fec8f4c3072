"""Group G, what was published about signed PDFs: shadow attacks (NDSS 2021), attacks on certification (S&P 2021),
universal signature forgery, incremental saving and signature wrapping (CCS 2019), what else a comparison must see."""

import re
from collections.abc import Callable

import pytest

from locker.signatures.schema import SignatureVerdict
from locker.signatures.seal import seal
from tests.fuzz.mutate_pdf import update
from tests.unit.locker.signatures.signature_pki import (
    NOW,
    judged,
    pki,
    plain_pdf,
    raw_pdf,
    sealed_pdf,
    signed_by_other_software,
)


def stream(content: bytes) -> bytes:
    return b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content)


OTHER = stream(b"BT /F1 30 Tf 60 700 Td (Paid: 9,000,000) Tj ET")
SHOWN = stream(b"BT /F1 30 Tf 60 700 Td (Paid: 9) Tj ET")


def made(*objects: bytes, form: bytes = b"") -> bytes:
    """A sealed page: 1 catalog, 2 pages, 3 page, 4 content; more objects as given, open to later signatures."""
    pdf = raw_pdf(
        b"<< /Type /Catalog /Pages 2 0 R %s >>" % form,
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << >> >>",
        SHOWN,
        *objects,
    )
    return seal(pdf, sealer=pki().seal.sealer(), timestamper=pki().tsa.time_stamper(), docmdp_locked=False, at=NOW)


def body(pdf: bytes, number: int) -> bytes:
    """As the last revision has it."""
    return re.findall(rb"(?s)(?:^|[\r\n])%d 0 obj\s(.*?)\s?endobj" % number, pdf)[-1]


def first(pdf: bytes) -> SignatureVerdict:
    return judged(pdf).signatures[0]


def test_the_page_that_is_attacked_here_passes() -> None:
    assert first(made()).passed


def test_an_update_that_says_the_same_again_is_no_change() -> None:
    pdf = made()
    again = first(update(pdf, {3: body(pdf, 3), 4: body(pdf, 4)}))
    assert (again.passed, again.changes) == (True, "none")


ATTACKS: dict[str, Callable[[bytes], bytes]] = {
    "replace the content": lambda pdf: update(pdf, {4: OTHER}),
    "point the page to new content": lambda pdf: update(
        pdf, {60: OTHER, 3: body(pdf, 3).replace(b"/Contents 4 0 R", b"/Contents 60 0 R")}
    ),
    "free the content": lambda pdf: update(pdf, {}, freed=(4,)),
    "turn the page": lambda pdf: update(pdf, {3: body(pdf, 3).replace(b"/MediaBox", b"/Rotate 180 /MediaBox")}),
    "crop the page": lambda pdf: update(pdf, {3: body(pdf, 3).replace(b"/MediaBox", b"/CropBox [0 0 9 9] /MediaBox")}),
    "bring new resources": lambda pdf: update(
        pdf, {3: re.sub(rb"/Resources <<\s*>>", b"/Resources << /Font << /F1 60 0 R >> >>", body(pdf, 3)), 60: b"<< >>"}
    ),
    "new pages": lambda pdf: update(pdf, {60: body(pdf, 3), 2: b"<< /Type /Pages /Kids [3 0 R 60 0 R] /Count 2 >>"}),
    "an action when opened": lambda pdf: update(
        pdf, {1: body(pdf, 1).replace(b"/Type /Catalog", b"/Type /Catalog /OpenAction << /S /GoTo /D [3 0 R /Fit] >>")}
    ),
    "layers": lambda pdf: update(
        pdf, {1: body(pdf, 1).replace(b"/Type /Catalog", b"/Type /Catalog /OCProperties << /OCGs [] /D << >> >>")}
    ),
    "a bookmark": lambda pdf: update(
        pdf, {1: body(pdf, 1).replace(b"/Type /Catalog", b"/Type /Catalog /Outlines 60 0 R"), 60: b"<< /Count 0 >>"}
    ),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_shadow_replace_and_incremental_saving(attack: str) -> None:
    changed = first(ATTACKS[attack](made()))
    assert (changed.indication, changed.sub_indication, changed.changes) == ("TOTAL-FAILED", "FORMAT_FAILURE", "other")


def test_shadow_hide_and_replace_what_was_prepared_before_signing_is_still_a_change() -> None:
    """The other content is signed too, as an object that nothing shows; the update only moves a table entry."""
    pdf = made(OTHER)
    changed = update(pdf, {4: body(pdf, 5)})
    assert first(changed).changes == "other"


def test_a_reference_to_nothing_cannot_be_given_a_meaning_later() -> None:
    pdf = raw_pdf(
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents [4 0 R 70 0 R] /Resources << >> >>",
        SHOWN,
    )
    sealed = seal(pdf, sealer=pki().seal.sealer(), timestamper=pki().tsa.time_stamper(), docmdp_locked=False, at=NOW)
    assert first(sealed).passed
    assert first(update(sealed, {70: OTHER})).changes == "other"


def test_another_generation_of_an_object_is_another_object() -> None:
    pdf = made()
    changed = update(pdf, {4: OTHER}).replace(b"4 0 obj\n<< /Length 46", b"4 1 obj\n<< /Length 46")
    head, _, tail = changed.rpartition(b" 00000 n ")
    assert not first(head + b" 00001 n " + tail).passed


def test_evil_annotation_over_the_text() -> None:
    pdf = made()
    note = b"<< /Type /Annot /Subtype /FreeText /Rect [50 680 500 740] /Contents (Paid: 9,000,000) /DA (/Helv 30 Tf) >>"
    changed = first(update(pdf, {60: note, 3: body(pdf, 3).replace(b"/MediaBox", b"/Annots [60 0 R] /MediaBox")}))
    assert (changed.indication, changed.sub_indication) == ("TOTAL-FAILED", "FORMAT_FAILURE")


def test_sneaky_signature_that_covers_the_page() -> None:
    """A further signature is let pass; its picture must not take the page's place."""
    sealed = made()
    small = signed_by_other_software(sealed, pki().rsa_seal, field="Second")
    assert first(small).passed
    widget = re.search(rb"(?s)(\d+) 0 obj\s(<<(?:(?!endobj).)*?/T \(Second\).*?>>)\s*endobj", small)
    assert widget
    covering = re.sub(rb"/Rect \[[^]]*\]", b"/Rect [ 0 0 595 842 ] /AP << /N 90 0 R >>", widget[2])
    drawn = b"<< /Type /XObject /Subtype /Form /BBox [0 0 595 842] /Resources << >> /Length 0 >>\nstream\n\nendstream"
    verdict = first(update(small, {int(widget[1]): covering, 90: drawn}))
    assert verdict.indication == "INDETERMINATE"
    assert "covered" in verdict.reasons


def test_a_picture_or_a_reason_of_a_signature_cannot_be_replaced() -> None:
    sealed = sealed_pdf(docmdp_locked=False)
    number, dictionary = next(
        (int(n), b) for n, b in re.findall(rb"(?s)(\d+) 0 obj\s(<<(?:(?!endobj).)*?/ByteRange.*?>>)\s*endobj", sealed)
    )
    changed = update(sealed, {number: dictionary.replace(b"/Filter", b"/Reason (I agree) /Filter", 1)})
    assert not judged(changed).passed


@pytest.mark.parametrize(
    "forged", [b"", b"null", b"[]", b"[0 0 0 0]", b"[0 -1 1 2]", b"[0 9 10]", b"[1 2 3 4]", b"1 0 R"]
)
def test_universal_forgery_by_the_byte_range(forged: bytes) -> None:
    sealed = sealed_pdf()
    changed = re.sub(rb"/ByteRange \[[^]]*\]", b"/ByteRange " + forged, sealed)
    assert not judged(changed).passed


@pytest.mark.parametrize("forged", [b"<>", b"<00>", b"null", b"<3080>", b"(x)"])
def test_universal_forgery_by_the_contents(forged: bytes) -> None:
    changed = re.sub(rb"<[0-9A-Fa-f]{1000,}>", forged, sealed_pdf())
    assert not judged(changed).passed


def test_wrapping_by_a_byte_range_that_goes_round_other_content() -> None:
    sealed = sealed_pdf(docmdp_locked=False)
    numbers = re.search(rb"/ByteRange \[ ?(\d+) (\d+) (\d+) (\d+)", sealed)
    assert numbers
    _, first_end, second_start, length = map(int, numbers.groups())
    moved = sealed[:second_start] + b"\n%evil\n" * 9 + sealed[second_start:]
    changed = re.sub(
        rb"/ByteRange \[[^]]*\]", b"/ByteRange [0 %d %d %d]" % (first_end, second_start + 63, length), moved, count=1
    )
    assert not judged(changed).passed


def test_plain_documents_stay_what_they_are() -> None:
    assert judged(plain_pdf()).indication == "NO_SIGNATURE_FOUND"


@pytest.mark.parametrize("space", [b" ", b" " * 300])
def test_what_no_table_names_is_refused_though_a_later_update_passes_over_it(space: bytes) -> None:
    """Found by the fuzz campaign: a reader that mends a broken table shows what this one does not see."""
    pdf = made()
    unlisted = pdf + b"\n4%s0 obj\n" % space + OTHER + b"\nendobj\n"
    found = first(update(unlisted, {3: body(pdf, 3)}))
    assert (found.indication, found.reasons[0]) == ("TOTAL-FAILED", "unreferenced-update")
