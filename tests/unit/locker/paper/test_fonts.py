import io

import pytest
from fontTools.ttLib import TTFont

from locker.paper import fonts


def text_of(line: str, direction: fonts.Direction) -> str:
    """Clusters in reading order of the paper, from left to right."""
    return "".join(cluster.text for run in fonts.shape(line, direction=direction) for cluster in run.clusters)


def test_arabic_stands_from_right_to_left() -> None:
    assert text_of("بنجلون", "rtl") == "نولجنب"


def test_a_number_in_an_arabic_line_keeps_its_order() -> None:
    assert text_of("رقم 359/2001", "rtl") == "359/2001 مقر"


def test_tifinagh_and_latin_stand_from_left_to_right() -> None:
    assert text_of("ⵜⴰⵎⴰⵣⵉⵖⵜ", "ltr") == "ⵜⴰⵎⴰⵣⵉⵖⵜ"
    assert text_of("M’hamed Aït", "ltr") == "M’hamed Aït"


def test_an_arabic_name_in_a_french_line_keeps_its_own_order() -> None:
    assert text_of("Nom فاطمة Z", "ltr") == "Nom ةمطاف Z"


def test_letters_join() -> None:
    """The same letter has another outline at the beginning, in the middle, at the end and alone."""
    clusters = [cluster for run in fonts.shape("ععع ع", direction="rtl") for cluster in run.clusters]
    shapes = {cluster.parts for cluster in clusters if cluster.text == "ع"}
    assert len(shapes) == 4


def test_a_letter_and_its_dots_are_one_glyph_that_says_the_letter() -> None:
    (run,) = fonts.shape("بتث", direction="rtl")
    subset = fonts.Subset(run.face)
    numbers = [subset.number(cluster) for cluster in run.clusters]
    assert [subset.texts[number] for number in numbers] == ["ث", "ت", "ب"]
    assert all(len(cluster.parts) == 2 for cluster in run.clusters)


@pytest.mark.parametrize("weight", ["regular", "bold"])
def test_the_embedded_subset_is_a_font_that_others_can_open(weight: fonts.Weight) -> None:
    for line in ("الرباط في 12 شتنبر", "Fès, œuvre n° 3", "ⵜⴰⵎⴰⵣⵉⵖⵜ"):
        for run in fonts.shape(line, direction="rtl" if line[0] == "ا" else "ltr", weight=weight):
            subset = fonts.Subset(run.face)
            for cluster in run.clusters:
                subset.number(cluster)
            opened = TTFont(io.BytesIO(subset.truetype()), checkChecksums=2)
            names = opened.getGlyphOrder()
            assert len(names) == len(subset.texts)
            for name in names:
                opened["glyf"][name].getCoordinates(opened["glyf"])


def test_a_character_that_no_font_draws_is_said_not_drawn_as_a_box() -> None:
    with pytest.raises(ValueError, match=r"U\+4E00"):
        fonts.shape("一", direction="ltr")
