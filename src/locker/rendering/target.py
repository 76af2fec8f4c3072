"""Runs in the worker process. Import it nowhere else: pdfium's faults are to happen there."""

import io
import math
from pathlib import Path

import msgspec
import pypdfium2
from PIL import Image

from locker.rendering.schema import PagePicture, PageWanted
from locker.rendering.watermark import marked

_PAGES_MAX = 2_000
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
        image = marked(image, wanted.watermark)
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
