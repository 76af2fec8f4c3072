import msgspec
from pyhanko.pdf_utils.font.opentype import GlyphAccumulatorFactory
from pyhanko.pdf_utils.text import TextBoxStyle
from pyhanko.stamp import TextStampStyle


class Stamp(msgspec.Struct, frozen=True, kw_only=True):
    """A visible seal: ``text`` in ``box`` (left, bottom, right, top in points) on ``page`` (0 is the first).

    Without ``font_path`` (an OpenType file) the text is limited to Latin-1.
    """

    text: str
    box: tuple[int, int, int, int]
    page: int = 0
    font_path: str | None = None
    font_size: int = 8


def stamp_style(stamp: Stamp) -> TextStampStyle:
    font = GlyphAccumulatorFactory(stamp.font_path) if stamp.font_path else None
    box = TextBoxStyle(font_size=stamp.font_size)
    if font:
        box = TextBoxStyle(font_size=stamp.font_size, font=font)
    # The text is not a template of ours: a percent sign in a name stays one.
    return TextStampStyle(stamp_text=stamp.text.replace("%", "%%"), text_box_style=box)
