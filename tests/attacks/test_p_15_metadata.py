"""P-15: what a file of one's own tells beside what is seen does not leave with a share."""

import io
import json
import re
import subprocess
import zlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pypdfium2
import pytest
import pytest_asyncio
from PIL import Image, ImageCms
from reportlab.pdfgen import canvas

from khizana.commands.test import find_program
from locker.uploads.files import Files
from locker.uploads.schema import MediaType
from tests.own_files import CANARY, exif, jpeg, page_with, png, stream

pytestmark = pytest.mark.asyncio(loop_scope="module")

# What exiftool computes, or what a picture cannot be without.
SAID_BY_THE_FILE_SYSTEM = {"SourceFile", "ExifTool", "File", "Composite"}
ALLOWED = {
    "JFIF": {"JFIFVersion", "ResolutionUnit", "XResolution", "YResolution"},
    "PNG": {"ImageWidth", "ImageHeight", "BitDepth", "ColorType", "Compression", "Filter", "Interlace"},
    "Jpeg2000": {"ImageHeight", "ImageWidth", "NumberOfComponents", "BitsPerComponent", "Compression"}
    | {f"ColorSpec{part}" for part in ("Method", "Precedence", "Approximation")}
    | {"ColorSpace", "MajorBrand", "MinorVersion", "CompatibleBrands"},
    # Producer and ModifyDate are ours; the rest is what is seen.
    "PDF": {"PDFVersion", "Linearized", "PageCount", "Producer", "ModifyDate", "PageMode", "HasXFA"}
    | {f"EmbeddedImage{part}" for part in ("", "ColorSpace", "Filter", "Height", "Width")},
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def files() -> AsyncIterator[Files]:
    started = Files.start(workers=1, waiting_max=4, file_max_bytes=10_000_000)
    yield started
    await started.close()


async def cleaned(files: Files, tmp_path: Path, content: bytes, media_type: MediaType) -> Path:
    before, after = tmp_path / "before", tmp_path / "after"
    before.write_bytes(content)
    await files.clean(before, after, media_type)
    return after


def told(path: Path) -> dict[str, Any]:
    """All that exiftool finds, by group: a program of somebody else's judges."""
    program = find_program("exiftool")
    if program is None:
        pytest.skip("SKIPPED: no exiftool here; install the package libimage-exiftool-perl to test what files tell")
    said = subprocess.run([program, "-json", "-G", "-a", "-u", "-ee", str(path)], capture_output=True, check=True)
    found: dict[str, Any] = json.loads(said.stdout)[0]
    return {name: value for name, value in found.items() if name.split(":")[0] not in SAID_BY_THE_FILE_SYSTEM}


def more_than_allowed(path: Path) -> set[str]:
    return {name for name in told(path) if name.partition(":")[2] not in ALLOWED.get(name.partition(":")[0], set())}


def upper_left(path: Path) -> tuple[int, ...]:
    """Of the quarter's middle, on the average."""
    with Image.open(path) as image:
        found = image.convert("RGB").crop((4, 4, 16, 16)).resize((1, 1), Image.Resampling.BOX).getpixel((0, 0))
    return tuple(found)  # type: ignore[arg-type]


async def test_the_cameras_files_tell_what_this_test_looks_for(tmp_path: Path) -> None:
    path = tmp_path / "jpeg"
    path.write_bytes(jpeg())
    names = set(told(path))
    assert {"EXIF:GPSLatitude", "EXIF:SerialNumber", "EXIF:Artist", "IPTC:By-line"} <= names
    kinds = re.findall(rb"%s-(\w+)" % CANARY.encode(), jpeg())
    assert {b"xmp", b"iptc", b"comment", b"behind", b"serial"} <= set(kinds)


async def test_p_15_a_jpeg(files: Files, tmp_path: Path) -> None:
    after = await cleaned(files, tmp_path, jpeg(), "image/jpeg")
    assert CANARY.encode() not in after.read_bytes()
    assert more_than_allowed(after) == set()


@pytest.mark.parametrize("orientation", range(1, 9))
async def test_p_15_a_picture_stays_upright(files: Files, tmp_path: Path, orientation: int) -> None:
    """As a viewer that knows EXIF showed it before, any viewer shows it after."""
    for content, media_type in ((jpeg(orientation), "image/jpeg"), (png(orientation), "image/png")):
        after = await cleaned(files, tmp_path, content, media_type)  # type: ignore[arg-type]
        (tmp_path / "after").replace(tmp_path / f"kept-{media_type[6:]}")
        after = tmp_path / f"kept-{media_type[6:]}"
        with Image.open(after) as image:
            assert image.size == ((60, 40) if orientation < 5 else (40, 60))
            corners = {
                name: image.convert("RGB").getpixel(place)[0] > 100  # type: ignore[index]
                for name, place in {
                    "left-top": (3, 3),
                    "right-top": (image.width - 4, 3),
                    "left-bottom": (3, image.height - 4),
                    "right-bottom": (image.width - 4, image.height - 4),
                }.items()
            }
        # TIFF 6.0: where the first row and the first column are seen.
        seen = {
            1: "left-top", 2: "right-top", 3: "right-bottom", 4: "left-bottom",
            5: "left-top", 6: "right-top", 7: "right-bottom", 8: "left-bottom",
        }[orientation]  # fmt: skip
        assert corners == {name: name == seen for name in corners}


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "1", "I;16"])
async def test_p_15_a_png(files: Files, tmp_path: Path, mode: str) -> None:
    after = await cleaned(files, tmp_path, png(mode=mode), "image/png")
    assert CANARY.encode() not in after.read_bytes()
    assert more_than_allowed(after) == set()
    assert upper_left(after) != (0, 0, 0)


async def test_p_15_transparency_stays(files: Files, tmp_path: Path) -> None:
    out = io.BytesIO()
    Image.new("RGBA", (10, 10), (255, 0, 0, 60)).save(out, "PNG")
    with Image.open(await cleaned(files, tmp_path, out.getvalue(), "image/png")) as image:
        assert image.getpixel((5, 5)) == (255, 0, 0, 60)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
async def test_p_15_what_was_erased_to_transparency_is_not_under_it(files: Files, tmp_path: Path, mode: str) -> None:
    """An eraser of many programs sets how much is seen of a place, and leaves what was there."""
    picture = Image.new("RGBA", (20, 10), (10, 200, 10, 255))
    picture.paste((200, 30, 30, 0), (0, 0, 10, 10))
    out = io.BytesIO()
    if mode == "P":
        indexed = picture.convert("RGB").quantize(4)
        indexed.save(out, "PNG", transparency=indexed.getpixel((2, 5)))
    else:
        picture.convert(mode).save(out, "PNG")
    with Image.open(await cleaned(files, tmp_path, out.getvalue(), "image/png")) as image:
        after = image.convert("RGBA")
    assert after.getpixel((2, 5)) == (0, 0, 0, 0)
    assert after.getpixel((15, 5))[3] == 255
    assert max(after.getpixel((15, 5))[:3]) > 100


async def test_p_15_colours_of_a_profile_stay_and_the_profile_goes(files: Files, tmp_path: Path) -> None:
    """Red and blue are exchanged by the profile: only who applied it shows blue."""
    lab = ImageCms.createProfile("LAB")
    out = io.BytesIO()
    Image.new("RGB", (20, 20), (200, 30, 30)).save(
        out, "JPEG", quality=100, icc_profile=ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    )
    assert lab is not None
    after = await cleaned(files, tmp_path, out.getvalue(), "image/jpeg")
    assert not {name for name in told(after) if name.startswith("ICC")}
    assert all(abs(a - b) < 8 for a, b in zip(upper_left(after), (200, 30, 30), strict=True))


async def test_p_15_cmyk_becomes_a_picture_that_all_can_see(files: Files, tmp_path: Path) -> None:
    out = io.BytesIO()
    Image.new("CMYK", (20, 20), (0, 255, 255, 0)).save(out, "JPEG", exif=exif())
    after = await cleaned(files, tmp_path, out.getvalue(), "image/jpeg")
    assert more_than_allowed(after) == set()
    assert upper_left(after)[0] > 200


async def test_p_15_second_pictures_and_thumbnails_go(files: Files, tmp_path: Path) -> None:
    first, second = Image.new("RGB", (30, 30), "red"), Image.new("RGB", (30, 30), "blue")
    out = io.BytesIO()
    first.save(out, "MPO", save_all=True, append_images=[second], exif=exif())
    after = await cleaned(files, tmp_path, out.getvalue(), "image/jpeg")
    assert after.read_bytes().count(b"\xff\xd8\xff") == 1
    assert more_than_allowed(after) == set()


async def test_p_15_exif_that_cannot_be_read_stops_nothing(files: Files, tmp_path: Path) -> None:
    broken = re.sub(rb"Exif\x00\x00.{8}", b"Exif\x00\x00" + b"\xff" * 8, jpeg(), count=1, flags=re.DOTALL)
    assert broken != jpeg()
    after = await cleaned(files, tmp_path, broken, "image/jpeg")
    assert CANARY.encode() not in after.read_bytes()


def telling_pdf() -> bytes:
    """Information, XMP, an author of a note, a picture with EXIF inside, and an earlier revision."""
    out = io.BytesIO()
    page = canvas.Canvas(out, invariant=False, pageCompression=0)
    page.setAuthor(f"{CANARY}-author")
    page.setTitle(f"{CANARY}-title")
    page.setCreator(f"{CANARY}-creator")
    page.setKeywords(f"{CANARY}-keywords")
    page.drawString(72, 720, "What is seen")
    page.textAnnotation("a note", Rect=[10, 10, 40, 40], relative=0)
    page.showPage()
    page.save()
    pdf = out.getvalue()
    xmp = f"<x:xmpmeta xmlns:x='adobe:ns:meta/'>{CANARY}-xmp</x:xmpmeta>".encode()
    photo = jpeg(size=(80, 80))
    root, info = (int(re.findall(rb"/%s (\d+) 0 R" % name, pdf)[-1]) for name in (b"Root", b"Info"))
    size = int(re.findall(rb"/Size (\d+)", pdf)[-1])
    catalog, (note, note_body), (leaf, leaf_body) = (
        _object(pdf, b"/Catalog")[1],
        _object(pdf, b"/Annot"),
        _object(pdf, b"/Page"),
    )
    canary = CANARY.encode()
    piece = b"/PieceInfo <</X <</LastModified (D:2020) /Private (%s-piece)>>>>" % canary
    with_photo = leaf_body.replace(b"/Resources <<", b"/Resources <</XObject <</Im0 %d 0 R>> " % (size + 1), 1)
    objects = {
        root: b"<<%s /Metadata %d 0 R>>" % (catalog, size),
        note: b"<<%s /T (%s-note) /M (D:2020)>>" % (note_body, canary),
        leaf: b"<<%s /Thumb %d 0 R %s>>" % (with_photo, size + 1, piece),
        size: b"<</Type /Metadata /Subtype /XML /Length %d>>\nstream\n%s\nendstream" % (len(xmp), xmp),
        size + 1: b"<</Type /XObject /Subtype /Image /Width 80 /Height 80 /ColorSpace /DeviceRGB /BitsPerComponent 8"
        b" /Filter /DCTDecode /Length %d>>\nstream\n%s\nendstream" % (len(photo), photo),
    }
    places, body = {}, pdf
    for number, content in objects.items():
        places[number] = len(body)
        body += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = len(body)
    body += b"xref\n" + b"".join(b"%d 1\n%010d 00000 n \n" % (number, place) for number, place in places.items())
    previous = pdf.rsplit(b"startxref", 1)[1].split()[0]
    body += b"trailer\n<</Size %d /Root %d 0 R /Info %d 0 R /Prev %s>>\nstartxref\n%d\n%%%%EOF\n" % (
        size + 2, root, info, previous, table,
    )  # fmt: skip
    return body


def _object(pdf: bytes, type_: bytes) -> tuple[int, bytes]:
    found = re.search(rb"(\d+) 0 obj\s*<<((?:(?!endobj).)*?/Type %s(?![a-z]).*?)>>\s*endobj" % type_, pdf, re.DOTALL)
    assert found is not None
    return int(found[1]), found[2]


async def test_p_15_a_picture_in_a_pdf_that_is_packed_twice(files: Files, tmp_path: Path) -> None:
    photo = jpeg(size=(80, 80))
    packed = zlib.compress(photo)
    pdf = telling_pdf()
    stream = b"/Filter /DCTDecode /Length %d>>\nstream\n%s\nendstream" % (len(photo), photo)
    other = b"/Filter [/FlateDecode /DCTDecode] /Length %d>>\nstream\n%s\nendstream" % (len(packed), packed)
    assert stream in pdf
    # Behind it only the table stands, which finds its objects by where they were.
    assert len(other) <= len(stream)
    moved = pdf.replace(stream, other.ljust(len(stream)))
    after = await cleaned(files, tmp_path, moved, "application/pdf")
    assert CANARY.encode() not in after.read_bytes()
    streams = re.findall(rb"stream\r?\n(.*?)endstream", after.read_bytes(), re.DOTALL)
    with_photo = b"".join(_unpacked(stream) for stream in streams)
    assert b"\xff\xd8\xff" in with_photo
    assert CANARY.encode() not in with_photo


def _unpacked(stream: bytes) -> bytes:
    try:
        return zlib.decompressobj().decompress(stream)
    except zlib.error:
        return stream


async def test_p_15_a_pdf(files: Files, tmp_path: Path) -> None:
    before = tmp_path / "telling"
    before.write_bytes(telling_pdf())
    assert {"PDF:Author", "PDF:Title", "PDF:Keywords"} <= set(told(before))
    assert telling_pdf().count(CANARY.encode()) > 8
    after = await cleaned(files, tmp_path, telling_pdf(), "application/pdf")
    assert CANARY.encode() not in after.read_bytes()
    assert more_than_allowed(after) == set()
    shown = await drawn(after)
    assert shown == await drawn(before)


IMAGE = b"/Type /XObject /Subtype /Image /Width 80 /Height 80 /ColorSpace /DeviceRGB /BitsPerComponent 8 "


SHOWN = b"q 80 0 0 80 0 0 cm /Im0 Do Q"


def jp2() -> bytes:
    out = io.BytesIO()
    Image.effect_noise((80, 80), 50).convert("RGB").save(out, "JPEG2000")
    xml = f"<x>{CANARY}-xml</x>".encode()
    exif_uuid = b"JpgTiffExif->JP2" + exif().tobytes()
    boxes = b"".join((8 + len(body)).to_bytes(4) + kind + body for kind, body in ((b"xml ", xml), (b"uuid", exif_uuid)))
    return out.getvalue() + boxes


def packed_pictures() -> dict[str, bytes]:
    photo, image = jpeg(size=(80, 80)), b"/XObject <</Im0 5 0 R>>"
    shrunk = zlib.compress(photo)
    hexadecimal = IMAGE + b"/Filter [/ASCIIHexDecode /FlateDecode /DCTDecode] /DecodeParms [null null null]"
    return {
        "filter-elsewhere": page_with(SHOWN, image, {5: stream(photo, IMAGE + b"/Filter 6 0 R"), 6: b"[/DCTDecode]"}),
        "packed-three-times": page_with(SHOWN, image, {5: stream(shrunk.hex().encode() + b">", hexadecimal)}),
        "second-picture": page_with(SHOWN, image, {5: stream(photo + photo, IMAGE + b"/Filter /DCTDecode")}),
        "cut-short": page_with(
            SHOWN, image, {5: stream(photo[: photo.rfind(b"\xff\xd9")], IMAGE + b"/Filter /DCTDecode")}
        ),
        "something-before": page_with(SHOWN, image, {5: stream(b"\n\n" + photo, IMAGE + b"/Filter /DCTDecode")}),
        "progressive": page_with(
            SHOWN, image, {5: stream(jpeg(size=(80, 80), progressive=True), IMAGE + b"/Filter /DCTDecode")}
        ),
        "jpeg-2000": page_with(SHOWN, image, {5: stream(jp2(), IMAGE + b"/Filter /JPXDecode")}),
        "inline": page_with(
            b"q 80 0 0 80 0 0 cm BI /W 80 /H 80 /CS /RGB /BPC 8 /F /DCT ID %s EI Q"
            % photo[: photo.rfind(b"\xff\xd9") + 2],
            b"",
            {},
        ),
    }


@pytest.mark.parametrize("how", packed_pictures())
async def test_p_15_however_a_picture_stands_in_a_pdf(files: Files, tmp_path: Path, how: str) -> None:
    pdf = packed_pictures()[how]
    after = await cleaned(files, tmp_path, pdf, "application/pdf")
    content = after.read_bytes()
    unpacked = b"".join(_unpacked(found) for found in re.findall(rb"stream\r?\n(.*?)endstream", content, re.DOTALL))
    assert b"\xff\xd8\xff" in unpacked or b"jP  " in unpacked
    for told_of in (CANARY.encode(), b"CANARY", b"JpgTiffExif"):
        assert told_of not in content
        assert told_of not in unpacked
    assert more_than_allowed(after) == set()
    assert await drawn(after) == await drawn(tmp_path / "before")


async def test_p_15_what_makers_of_pdf_leave_in_other_places(files: Files, tmp_path: Path) -> None:
    """Of pdfTeX, of layers, of articles, of maps; XMP under another name; what is left of a signature."""
    canary = CANARY.encode()
    text = b"(%s)" % canary
    contents = canary.hex().encode()
    pdf = page_with(
        b"0 0 50 50 re f",
        b"/XObject <</Fm0 5 0 R>>",
        {
            5: stream(
                b"",
                b"/Type /XObject /Subtype /Form /BBox [0 0 1 1] /PTEX.FileName %s /PTEX.InfoDict 6 0 R /Other 7 0 R"
                % text,
            ),
            6: b"<</Author %s /Title %s /ModDate %s>>" % (text, text, text),
            7: stream(b"<x:xmpmeta>%s</x:xmpmeta>" % canary, b"/Type /Metadata /Subtype /XML"),
            8: b"<</Type /OCG /Name (Layer) /Usage <</CreatorInfo <</Creator %s /Subtype /Artwork>>>>>>" % text,
            9: b"<</Type /Sig /Filter /Adobe.PPKLite /SubFilter /adbe.pkcs7.detached /ByteRange [0 1 2 3] "
            b"/Contents <%s> /Name %s /Location %s /Reason %s /M %s /Prop_Build <</App <</Name /%s>>>>>>"
            % (contents, text, text, text, text, canary),
            10: b"<</FT /Sig /T (Sig1) /Type /Annot /Subtype /Widget /Rect [0 0 0 0] /V 9 0 R /M %s>>" % text,
            11: b"<</Type /Thread /F 12 0 R /I <</Title %s /Author %s>>>>" % (text, text),
            12: b"<</Type /Bead /T 11 0 R /N 12 0 R /V 12 0 R /P 3 0 R /R [0 0 1 1]>>",
        },
        catalog=b"/OCProperties <</OCGs [8 0 R] /D <<>>>> /AcroForm <</Fields [10 0 R] /SigFlags 3>> /Threads [11 0 R] "
        b"/Perms <</DocMDP 9 0 R>> /DSS <</Certs [7 0 R]>>",
    )
    after = await cleaned(files, tmp_path, pdf, "application/pdf")
    content = after.read_bytes()
    for told_of in (canary, contents, contents.upper(), b"adbe.pkcs7", b"SigFlags"):
        assert told_of not in content
    assert b"Sig1" in content
    assert more_than_allowed(after) == set()
    assert await drawn(after) == await drawn(tmp_path / "before")


async def test_p_15_of_a_picture_that_moves_the_first_is_seen(files: Files, tmp_path: Path) -> None:
    out = io.BytesIO()
    red, blue = Image.new("RGB", (30, 30), "red"), Image.new("RGB", (30, 30), "blue")
    red.save(out, "PNG", save_all=True, append_images=[blue])
    assert b"fdAT" in out.getvalue()
    after = await cleaned(files, tmp_path, out.getvalue(), "image/png")
    for chunk in (b"acTL", b"fcTL", b"fdAT"):
        assert chunk not in after.read_bytes()
    assert upper_left(after) == (255, 0, 0)


@pytest.mark.parametrize("profile", [b"", b"\0" * 128, b"\xff" * 500, b"\0\0\1\0" + CANARY.encode() * 40])
async def test_p_15_a_profile_that_is_none_goes_too(files: Files, tmp_path: Path, profile: bytes) -> None:
    for kind, media_type in (("JPEG", "image/jpeg"), ("PNG", "image/png")):
        out = io.BytesIO()
        Image.new("RGB", (20, 20), (200, 30, 30)).save(out, kind, icc_profile=profile)
        after = await cleaned(files, tmp_path, out.getvalue(), media_type)  # type: ignore[arg-type]
        assert CANARY.encode() not in after.read_bytes()
        assert more_than_allowed(after) == set()


async def test_sixteen_bits_have_a_small_picture_too(files: Files, tmp_path: Path) -> None:
    path, out = tmp_path / "scan", io.BytesIO()
    Image.new("I;16", (1_200, 30), 40_000).save(out, "PNG")
    path.write_bytes(out.getvalue())
    with Image.open(io.BytesIO(await files.preview(path, "image/png"))) as small:
        assert small.size == (1_000, 25)
        assert small.convert("L").getpixel((5, 5)) == 40_000 // 256


async def drawn(path: Path) -> bytes:
    document = pypdfium2.PdfDocument(path)
    try:
        return bytes(document[0].render(scale=1).to_pil().convert("RGB").tobytes())
    finally:
        document.close()
