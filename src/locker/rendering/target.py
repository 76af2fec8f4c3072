"""Runs in the worker process. Import it nowhere else: pdfium's faults are to happen there."""

import io
import math
from pathlib import Path

import msgspec
import pypdfium2
from PIL import Image, ImageDraw, ImageFont

from locker.rendering.schema import PagePicture, PageWanted

_PAGES_MAX = 2_000
_FONT = ImageFont.load_default(22)
_decoder = msgspec.msgpack.Decoder(PageWanted)


def render(argument: bytes) -> bytes:
    """MessagePack of a PageWanted → MessagePack of a PagePicture."""
    return msgspec.msgpack.encode(picture(_decoder.decode(argument)))


def picture(wanted: PageWanted) -> PagePicture:
    try:
        document = pypdfium2.PdfDocument(Path(wanted.path))
    except (pypdfium2.PdfiumError, OSError):
        return PagePicture(refused="not-a-pdf")
    try:
        if not 1 <= wanted.page <= min(len(document), _PAGES_MAX):
            return PagePicture(refused="no-such-page")
        try:
            image = _rendered(document[wanted.page - 1], wanted)
        except pypdfium2.PdfiumError:
            return PagePicture(refused="not-a-pdf")
    finally:
        document.close()
    if wanted.watermark:
        image = _marked(image, wanted.watermark)
    out = io.BytesIO()
    image.save(out, "PNG", compress_level=3)
    return PagePicture(png=out.getvalue())


def _rendered(page: pypdfium2.PdfPage, wanted: PageWanted) -> Image.Image:
    width, height = page.get_size()
    if width <= 0 or height <= 0:
        return Image.new("RGB", (wanted.width_px, wanted.width_px), "white")
    # A page 1 mm high and 10 km long asks for a picture that no memory holds: the scale gives way (U-12).
    scale = min(wanted.width_px / width, math.sqrt(wanted.pixels_max / (width * height)))
    if min(width, height) * scale < 1 or max(width, height) * scale > 20_000:
        return Image.new("RGB", (wanted.width_px, wanted.width_px), "white")
    bitmap = page.render(scale=scale, rev_byteorder=True, limit_image_cache=True)
    image: Image.Image = bitmap.to_pil()
    return image.convert("RGB")


def _marked(image: Image.Image, lines: tuple[str, ...]) -> Image.Image:
    """The lines, repeated on a slant over the whole page, so that no crop is without them."""
    text = "\n".join(line.encode("latin-1", "replace").decode("latin-1")[:80] for line in lines[:4])
    left, top, right, bottom = ImageDraw.Draw(image).multiline_textbbox((0, 0), text, font=_FONT)
    tile = Image.new("RGBA", (int(right - left) + 60, int(bottom - top) + 60), (0, 0, 0, 0))
    ImageDraw.Draw(tile).multiline_text((30, 30), text, font=_FONT, fill=(120, 20, 20, 84))
    tile = tile.rotate(24, expand=True, resample=Image.Resampling.BILINEAR)
    overlay = Image.new("RGBA", image.size, (0, 0, 0, 0))
    for row, y in enumerate(range(-tile.height // 2, image.height, max(1, tile.height))):
        for x in range(-(tile.width // 2) * (row % 2), image.width, max(1, tile.width)):
            overlay.alpha_composite(tile, (max(0, x), max(0, y)), (max(0, -x), max(0, -y)))
    return Image.alpha_composite(image.convert("RGBA"), overlay).convert("RGB")
