import datetime as dt
import functools
import io
import unicodedata
from pathlib import Path

import pypdfium2
import pytest
from pypdfium2 import raw

from khizana.demo.country import ADMINISTRATIONS
from khizana.demo.documents import Registry, draw, sealed_at
from khizana.demo.papers import Paper, papers
from khizana.demo.pki import load_or_create

PAPERS = papers(dt.date(2026, 11, 24))
SOME = [paper for index, paper in enumerate(PAPERS) if index % 6 == 0]


@functools.cache
def drawn(paper_key: str) -> bytes:
    (paper,) = [paper for paper in PAPERS if paper.key == paper_key]
    return draw(paper)


def words(pdf: bytes) -> str:
    """The text of the page as a reader selects it, without line breaks."""
    with pypdfium2.PdfDocument(io.BytesIO(pdf)) as document:
        text = document[0].get_textpage().get_text_range()
    return " ".join(unicodedata.normalize("NFC", text).split())


@pytest.mark.parametrize("paper", PAPERS, ids=lambda paper: paper.key)
def test_every_field_can_be_read_from_the_paper(paper: Paper) -> None:
    text = words(drawn(paper.key))
    for field in paper.type.fields:
        if field.kind == "both":
            # A long value is broken into lines of which each is whole.
            for word in f"{paper.fields[field.name]} {paper.fields[f'{field.name}_ar']}".split():
                assert word.strip("(),،") in text
        elif field.kind == "text":
            assert paper.fields[field.name] in text
    assert paper.type.names["fr"] in text
    assert paper.type.names["zgh"] in text
    assert paper.reference in text


def test_arabic_is_read_in_the_order_in_which_it_is_written() -> None:
    text = words(drawn(PAPERS[0].key))
    for said in ("المملكة المغربية", "وزارة الداخلية", "مستخرج من رسم الولادة", "فاطمة الزهراء", "12 مارس 1990"):
        assert said in text


@pytest.mark.parametrize("paper", PAPERS, ids=lambda paper: paper.key)
def test_nobody_takes_it_for_a_real_paper(paper: Paper) -> None:
    text = words(drawn(paper.key))
    assert "Document de démonstration, sans valeur juridique" in text
    assert "نموذج للعرض" in text


def test_a_paper_says_its_title_and_language_and_is_one_tagged_page() -> None:
    pdf = drawn(PAPERS[0].key)
    with pypdfium2.PdfDocument(io.BytesIO(pdf)) as document:
        assert len(document) == 1
        assert document.get_metadata_value("Title") == "Extrait d’acte de naissance — مستخرج من رسم الولادة"
        assert raw.FPDFCatalog_IsTagged(document)
    assert b"/Lang (fr-MA)" in pdf
    assert b"/StructTreeRoot" in pdf


def test_nothing_sticks_out_of_the_page() -> None:
    for paper in PAPERS:
        with pypdfium2.PdfDocument(io.BytesIO(drawn(paper.key))) as document:
            page = document[0].get_textpage()
            for index in range(page.count_rects()):
                left, bottom, right, top = page.get_rect(index)
                assert left > 30
                assert right < 566
                assert bottom > 20
                assert top < 830


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    folder: Path = tmp_path_factory.mktemp("demo") / "pki"
    return Registry(load_or_create(folder, [administration.seal_order for administration in ADMINISTRATIONS]))


@pytest.mark.parametrize("paper", SOME, ids=lambda paper: paper.key)
def test_a_sealed_paper_is_small_and_still_opens(registry: Registry, paper: Paper) -> None:
    pdf = registry.sealed(paper)
    assert len(pdf) < 120_000
    assert paper.reference in words(pdf)


def test_a_paper_is_sealed_in_office_hours_of_the_day_it_is_dated() -> None:
    for paper in PAPERS:
        moment = sealed_at(paper)
        assert moment.date() == paper.issued_on
        assert 7 <= moment.hour < 15
