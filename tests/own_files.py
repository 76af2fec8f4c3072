"""Files as citizens have them: pictures of cameras that tell where they were, and what attackers make of files."""

import io
import re
import struct
import zipfile
import zlib
from typing import Any

from PIL import Image, PngImagePlugin

from tests.locker_world import plain_pdf

CANARY = "CANARY-5f1e"
"""In every place of a file where metadata can stand."""
_GPS_IFD, _EXIF_IFD, _ORIENTATION = 0x8825, 0x8769, 0x0112


def picture(size: tuple[int, int] = (60, 40)) -> Image.Image:
    """Its upper left quarter is red, the rest blue: which way is up can be seen."""
    image = Image.new("RGB", size, (0, 0, 200))
    image.paste((200, 0, 0), (0, 0, size[0] // 2, size[1] // 2))
    return image


def exif(orientation: int = 1) -> Image.Exif:
    tags = Image.Exif()
    tags[0x010F], tags[0x0110], tags[0x013B] = f"{CANARY}-maker", f"{CANARY}-model", f"{CANARY}-artist"
    tags[_ORIENTATION] = orientation
    tags.get_ifd(_EXIF_IFD).update({0x9003: "2026:01:02 03:04:05", 0xA431: f"{CANARY}-serial"})
    tags.get_ifd(_GPS_IFD).update({1: "N", 2: (33.0, 58.0, 12.0), 3: "W", 4: (6.0, 51.0, 0.0)})
    return tags


def jpeg(orientation: int = 1, size: tuple[int, int] = (60, 40), **changes: Any) -> bytes:
    """As a camera writes it: EXIF with GPS, XMP, IPTC, a comment and something behind its end."""
    out = io.BytesIO()
    picture(size).save(
        out,
        "JPEG",
        quality=95,
        exif=exif(orientation),
        xmp=f'<x:xmpmeta xmlns:x="adobe:ns:meta/">{CANARY}-xmp</x:xmpmeta>'.encode(),
        comment=f"{CANARY}-comment",
        **changes,
    )
    begins, rest = out.getvalue()[:2], out.getvalue()[2:]
    iptc = b"\x1c\x02\x50" + struct.pack(">H", len(CANARY) + 5) + f"{CANARY}-iptc".encode()
    resource = b"8BIM\x04\x04\x00\x00" + struct.pack(">I", len(iptc)) + iptc + b"\x00" * (len(iptc) % 2)
    body = b"Photoshop 3.0\x00" + resource
    app13 = b"\xff\xed" + struct.pack(">H", len(body) + 2) + body
    return begins + app13 + rest + f"{CANARY}-behind".encode()


def png(orientation: int = 1, mode: str = "RGB") -> bytes:
    out = io.BytesIO()
    text = PngImagePlugin.PngInfo()
    text.add_text("Author", f"{CANARY}-author")
    text.add_itxt("XML:com.adobe.xmp", f"<x>{CANARY}-xmp</x>", zip=True)
    drawn = (
        picture().convert("I").point(lambda value: value * 256).convert(mode)
        if mode == "I;16"
        else picture().convert(mode)
    )
    drawn.save(out, "PNG", pnginfo=text, exif=exif(orientation))
    return out.getvalue()


def png_of(width: int, height: int) -> bytes:
    """Small, and says that it is huge (U-12)."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = zlib.compress(b"\0" * 1_000_000, 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def zipped(name: str = "a", content: bytes = b"b" * 100) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, content)
    return buffer.getvalue()


def pdf_with(catalog: bytes) -> bytes:
    """A plain PDF whose catalog says more, by an update behind its end."""
    pdf = plain_pdf()
    found = re.search(rb"(\d+) 0 obj\s*<<([^>]*/Type /Catalog[^>]*)>>", pdf)
    assert found is not None
    number, before = found[1], found[2]
    previous, size = pdf.rsplit(b"startxref", 1)[1].split()[0], re.findall(rb"/Size (\d+)", pdf)[-1]
    place = len(pdf)
    update = number + b" 0 obj\n<<" + before + catalog + b">>\nendobj\n"
    table = b"xref\n%s 1\n%010d 00000 n \n" % (number, place)
    trailer = b"trailer\n<</Size %s /Root %s 0 R /Prev %s>>\n" % (size, number, previous)
    return pdf + update + table + trailer + b"startxref\n%d\n%%%%EOF\n" % (place + len(update))


def pdf_of(objects: dict[int, bytes], *, root: int = 1) -> bytes:
    places, body = {}, b"%PDF-1.7\n"
    for number, content in objects.items():
        places[number] = len(body)
        body += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    rows = b"".join(b"%d 1\n%010d 00000 n \n" % (number, place) for number, place in places.items())
    trailer = b"trailer\n<</Size %d /Root %d 0 R /ID [(%s-id-) (%s-id-)]>>\n" % (
        max(objects) + 1, root, CANARY.encode(), CANARY.encode(),
    )  # fmt: skip
    return body + b"xref\n" + rows + trailer + b"startxref\n%d\n%%%%EOF\n" % len(body)


def stream(content: bytes, dictionary: bytes = b"") -> bytes:
    return b"<<%s /Length %d>>\nstream\n%s\nendstream" % (dictionary, len(content), content)


def page_with(drawing: bytes, resources: bytes, more: dict[int, bytes], *, catalog: bytes = b"") -> bytes:
    return pdf_of(
        {
            1: b"<</Type /Catalog /Pages 2 0 R %s>>" % catalog,
            2: b"<</Type /Pages /Kids [3 0 R] /Count 1>>",
            3: b"<</Type /Page /Parent 2 0 R /MediaBox [0 0 100 100] /Contents 4 0 R /Resources <<%s>>>>" % resources,
            4: stream(drawing),
            **more,
        }
    )
