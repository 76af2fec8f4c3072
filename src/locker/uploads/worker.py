"""Runs in the worker process. Import it nowhere else: what strangers wrote is decoded here, by C and C++."""

import io
import re
import struct
import zipfile
import zlib
from pathlib import Path

import msgspec
import pypdfium2
from PIL import Image, ImageCms, PngImagePlugin

from locker.rendering.watermark import marked
from locker.signatures import quiet
from locker.signatures.document import UNREADABLE, Document
from locker.signatures.pre_gate import pre_gate
from locker.signatures.schema import Policy
from locker.signatures.without_metadata import without_metadata
from locker.uploads.schema import Clean, Done, Inspect, MediaType, Preview

quiet.install()

PIXELS_MAX = {"image/jpeg": 64_000_000, "image/png": 40_000_000}
"""Of a telephone's camera; of an A4 page at 600 dots an inch. Four bytes each, several times over."""
SIDE_MAX = 30_000
PAGES_MAX = 1_000
_PREVIEW_PX = 1_000
_QUALITY = 92
_FORMATS: dict[str, MediaType] = {"JPEG": "image/jpeg", "MPO": "image/jpeg", "PNG": "image/png"}
_SPACE = b" \t\r\n\f\x00"
# What a browser or a reader of PDF would take it for, were these bytes given to it under another name.
_OTHER_FORMATS = re.compile(rb"<\s*(?:script|html|svg|!doctype|\?php)|%PDF-", re.IGNORECASE)
_LOOKED_AT_BYTES = 2_048
_ORIENTATION = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""TIFF 6.0, orientation → what puts it upright."""
_UNSEEN = [255, *[0] * 255]
"""Of an alpha channel a mask of where it is 0."""

Image.MAX_IMAGE_PIXELS = max(PIXELS_MAX.values())
PngImagePlugin.MAX_TEXT_MEMORY = 4 * 1024 * 1024
_decoder = msgspec.msgpack.Decoder(Inspect | Clean | Preview)

# The trouble that hostile pictures make; MemoryError is not among it: it ends the worker.
_UNDECODABLE = (
    OSError,
    ValueError,
    SyntaxError,
    ArithmeticError,
    LookupError,
    AttributeError,
    TypeError,
    RuntimeError,
    EOFError,
    AssertionError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)


class _Refused(Exception):
    """The message is a code of ``refusals``."""


def work(argument: bytes) -> bytes:
    """MessagePack of one of the three jobs → MessagePack of a Done."""
    job = _decoder.decode(argument)
    try:
        if isinstance(job, Inspect):
            done = inspect(Path(job.path))
        elif isinstance(job, Clean):
            done = clean(job)
        else:
            done = preview(job)
    except _Refused as refused:
        done = Done(refused=str(refused))
    return msgspec.msgpack.encode(done)


def inspect(path: Path) -> Done:
    content = path.read_bytes()
    if content.startswith(b"%PDF-"):
        _refuse_archive(path)
        return Done(media_type="application/pdf", pages=_inspected_pdf(content))
    if content.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")):
        _refuse_archive(path)
        return Done(media_type=_inspected_picture(content), pages=1)
    raise _Refused("type-not-accepted")


def _refuse_archive(path: Path) -> None:
    # A reader of ZIP looks for its directory from the end, whatever comes before.
    if zipfile.is_zipfile(path):
        raise _Refused("two-files-in-one")


def _inspected_pdf(pdf: bytes) -> int:
    wrong = pre_gate(pdf, Policy(name="upload", version="1", size_max_bytes=len(pdf)))
    if wrong is not None:
        raise _Refused("too-costly" if wrong.startswith("too-many") else "file-damaged")
    if pdf[pdf.rfind(b"%%EOF") + 5 :].strip(_SPACE):
        raise _Refused("two-files-in-one")
    try:
        document = Document(pdf)
        if document.encrypted:
            raise _Refused("file-encrypted")
        active, looked_at_all = document.active_content()
    except UNREADABLE:
        # RuntimeError is one of them, and so is what deep nests raise.
        raise _Refused("file-damaged") from None
    if active:
        raise _Refused("file-acts")
    if not looked_at_all:
        raise _Refused("too-costly")
    return _pages(pdf)


def _pages(pdf: bytes) -> int:
    try:
        opened = pypdfium2.PdfDocument(pdf)
    except pypdfium2.PdfiumError:
        raise _Refused("file-damaged") from None
    try:
        pages = len(opened)
    finally:
        opened.close()
    if pages < 1:
        raise _Refused("file-damaged")
    if pages > PAGES_MAX:
        raise _Refused("too-many-pages")
    return pages


def _inspected_picture(content: bytes) -> MediaType:
    image = _opened(content)
    media_type = _FORMATS[image.format or ""]
    _refuse_hidden(content, media_type)
    _loaded(image)
    return media_type


def _opened(content: bytes) -> Image.Image:
    """Its head only: nothing is decoded before its size is known (U-12)."""
    try:
        image = Image.open(io.BytesIO(content), formats=["JPEG", "PNG"])
    except Image.DecompressionBombError:
        raise _Refused("too-many-pixels") from None
    except _UNDECODABLE:
        raise _Refused("file-damaged") from None
    if image.format not in _FORMATS:
        raise _Refused("type-not-accepted")
    if image.width * image.height > PIXELS_MAX[_FORMATS[image.format]] or max(image.size) > SIDE_MAX:
        raise _Refused("too-many-pixels")
    return image


def _loaded(image: Image.Image) -> None:
    try:
        image.load()
    except _UNDECODABLE:
        raise _Refused("file-damaged") from None


def _refuse_hidden(content: bytes, media_type: MediaType) -> None:
    """Cameras put further pictures behind the end of a JPEG, so those stay; a PNG ends with its first end."""
    if media_type == "image/png":
        if _end_of_png(content) != len(content):
            raise _Refused("two-files-in-one")
        behind = [len(content)]
    else:
        behind = [_end_of_jpeg(content), content.rfind(b"\xff\xd9") + 2]
    parts = [content[place : place + _LOOKED_AT_BYTES] for place in (0, *behind)] + [content[behind[-1] :]]
    if any(map(_OTHER_FORMATS.search, parts)):
        raise _Refused("two-files-in-one")


def _end_of_png(content: bytes) -> int:
    """Behind its first IEND (PNG 3rd edition §5.3)."""
    place = 8
    while place + 12 <= len(content):
        kind = content[place + 4 : place + 8]
        place += 12 + int.from_bytes(content[place : place + 4])
        if kind == b"IEND":
            return place
    return -1


def _end_of_jpeg(content: bytes) -> int:
    """Behind the end of its first picture: in what is coded, no 0xFFD9 stands but that (ITU-T T.81 §B.1.1.5)."""
    place = 2
    while place + 4 <= len(content) and content[place] == 0xFF and content[place + 1] != 0xDA:
        fill = content[place + 1] == 0xFF
        place += 1 if fill else 2 + int.from_bytes(content[place + 2 : place + 4])
    return content.find(b"\xff\xd9", place) + 2


def clean(job: Clean) -> Done:
    """Of a picture what is seen, drawn anew: no EXIF, GPS, XMP, IPTC, thumbnail, comment, second picture or tail."""
    content = Path(job.path).read_bytes()
    if job.media_type == "application/pdf":
        try:
            cleaned = without_metadata(content)
        except UNREADABLE:
            raise _Refused("file-damaged") from None
        Path(job.cleaned).write_bytes(cleaned)
        return Done(media_type=job.media_type)
    image = _seen(content)
    with Path(job.cleaned).open("wb") as out:
        if job.media_type == "image/jpeg":
            (image if image.mode in ("L", "RGB") else image.convert("RGB")).save(out, "JPEG", quality=_QUALITY)
        else:
            # Twice as large as it could be, in a third of the time.
            image.save(out, "PNG", compress_level=3)
    return Done(media_type=job.media_type)


def _seen(content: bytes, *, within_px: int | None = None) -> Image.Image:
    """Upright, in sRGB, and with nothing beside its pixels; ``within_px`` makes it smaller at once."""
    image = _opened(content)
    if within_px:
        # A JPEG is then decoded at a half, a quarter or an eighth.
        image.draft(None, (within_px, within_px))
    _loaded(image)
    profile = image.info.get("icc_profile")
    shown = image
    if image.mode.startswith("I"):
        # Sixteen bits: nothing makes those smaller.
        shown = image.point(lambda value: value / 256).convert("L")
        shown.info = {}
    if within_px:
        shown.thumbnail((within_px, within_px))
    upright = _turned(shown, image)
    if upright.mode == "CMYK" or upright.mode == "YCbCr":
        upright = _in_srgb(upright, profile, "RGB")
    elif upright.mode in ("P", "PA", "LA", "RGBA") or "transparency" in upright.info:
        rgba = upright.convert("RGBA")
        alpha = rgba.getchannel("A")
        colours = _in_srgb(rgba.convert("RGB"), profile, "RGB")
        # An eraser may have left the colours of what nobody sees any more.
        colours.paste("black", mask=alpha.point(_UNSEEN))
        colours.putalpha(alpha)
        upright = colours
    elif upright.mode in ("1", "L"):
        upright = upright.convert("L")
    else:
        upright = _in_srgb(upright if upright.mode == "RGB" else upright.convert("RGB"), profile, "RGB")
    upright.info = {}
    return upright


def _turned(shown: Image.Image, image: Image.Image) -> Image.Image:
    """As ``image`` says which way is up. EXIF that cannot be read turns nothing."""
    try:
        turn = _TURNS.get(image.getexif().get(_ORIENTATION, 1))
    except _UNDECODABLE:
        return shown
    return shown if turn is None else shown.transpose(turn)


def _in_srgb(image: Image.Image, profile: bytes | None, mode: str) -> Image.Image:
    if profile:
        try:
            converted = ImageCms.profileToProfile(
                image, ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB"), outputMode=mode
            )
        except (ImageCms.PyCMSError, *_UNDECODABLE):
            converted = None
        if converted is not None:
            return converted
    return image if image.mode == mode else image.convert(mode)


def preview(job: Preview) -> Done:
    image = _seen(Path(job.path).read_bytes(), within_px=_PREVIEW_PX)
    if image.mode == "RGBA":
        paper = Image.new("RGB", image.size, "white")
        paper.paste(image, mask=image.getchannel("A"))
        image = paper
    shown = image.convert("RGB")
    if job.watermark:
        shown = marked(shown, job.watermark)
    out = io.BytesIO()
    shown.save(out, "PNG", compress_level=3)
    return Done(png=out.getvalue())
