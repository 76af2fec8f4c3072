"""A PDF that looks the same and does not tell who made it, with what, when and where. Runs in a worker process."""

import zlib
from collections.abc import Iterator
from io import BytesIO
from typing import Any

from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.writer import PdfFileWriter, copy_into_new_writer

from locker.signatures.document import UNREADABLE, Document

_PICTURE_MAX_BYTES = 32 * 1024 * 1024
_TELLING = ("/Metadata", "/PieceInfo", "/Thumb", "/LastModified", "/SpiderInfo")
"""Of any dictionary (ISO 32000-2 §14.3, §14.5, §12.3.4)."""
_TELLING_OF_A_NOTE = ("/T", "/M", "/CreationDate", "/NM")
"""Who wrote an annotation, and when. ``/T`` of a field of a form is its name, and stays."""


def without_metadata(pdf: bytes) -> bytes:
    """Without information dictionary, XMP, thumbnails, earlier revisions, signatures' hold and anything behind the end.

    Pictures in it lose their own metadata. Raises what the parser raises (``UNREADABLE``), ValueError where it needs a
    password.
    """
    document = Document(pdf)
    if document.encrypted:
        raise ValueError("encrypted")
    writer = copy_into_new_writer(document.reader, writer_kwargs={"info": None})
    for value in writer.objects.values():
        for inner in _all_in(value):
            if isinstance(inner, generic.DictionaryObject):
                _strip(inner)
    _forget_unreachable(writer)
    out = BytesIO()
    writer.write(out)  # type: ignore[no-untyped-call]
    return out.getvalue()


def _strip(value: generic.DictionaryObject) -> None:
    for key in _TELLING:
        if key in value:
            del value[key]
    if "/Rect" in value and value.get("/Subtype") != "/Widget":
        for key in _TELLING_OF_A_NOTE:
            if key in value:
                del value[key]
    if isinstance(value, generic.StreamObject):
        _strip_picture(value)


def _strip_picture(value: generic.StreamObject) -> None:
    try:
        filters = value.raw_get("/Filter")
    except KeyError:
        return
    names = [str(name) for name in filters] if isinstance(filters, list) else [str(filters)]
    jpeg = value.encoded_data
    if names == ["/FlateDecode", "/DCTDecode"]:
        jpeg = zlib.decompressobj().decompress(jpeg, _PICTURE_MAX_BYTES)
        value[generic.pdf_name("/Filter")] = generic.pdf_name("/DCTDecode")
        value.pop("/DecodeParms", None)
    elif names != ["/DCTDecode"]:
        return
    # Set as it is encoded: what decodes it stays.
    value._encoded_data = jpeg_without_metadata(jpeg)


def jpeg_without_metadata(jpeg: bytes) -> bytes:
    """The same picture to the bit: APP1 to APP13 but the colour profile, APP15 and comments go (ITU-T T.81 §B.1.1).

    What has no such form is given back as it is, cut where the picture ends if that is seen.
    """
    if not jpeg.startswith(b"\xff\xd8"):
        return jpeg
    kept, place = [b"\xff\xd8"], 2
    while place + 4 <= len(jpeg) and jpeg[place] == 0xFF:
        marker = jpeg[place + 1]
        if marker == 0xFF:
            place += 1
            continue
        if marker == 0xDA:
            end = jpeg.rfind(b"\xff\xd9")
            kept.append(jpeg[place : end + 2] if end > place else jpeg[place:])
            return b"".join(kept)
        length = int.from_bytes(jpeg[place + 2 : place + 4])
        if not _tells(marker, jpeg[place + 4 : place + 18]):
            kept.append(jpeg[place : place + 2 + length])
        place += 2 + length
    return jpeg


def _tells(marker: int, begins: bytes) -> bool:
    if marker == 0xE2:
        return not begins.startswith(b"ICC_PROFILE\0")
    return 0xE1 <= marker <= 0xED or marker in (0xEF, 0xFE)


def _all_in(value: Any) -> Iterator[Any]:
    """The object itself and what stands in it, but not what it refers to."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        yield one
        if isinstance(one, generic.DictionaryObject):
            waiting.extend(one.raw_get(key) for key in one)
        elif isinstance(one, generic.ArrayObject):
            waiting.extend(one.raw_get(index) for index in range(len(one)))


def _forget_unreachable(writer: PdfFileWriter) -> None:
    root = writer.root_ref
    reached: set[tuple[int, int]] = set()
    waiting = [(root.generation, root.idnum)]
    while waiting:
        key = waiting.pop()
        if key in reached or key not in writer.objects:
            continue
        reached.add(key)
        waiting.extend(
            (inner.generation, inner.idnum)
            for inner in _all_in(writer.objects[key])
            if isinstance(inner, generic.IndirectObject)
        )
    for key in writer.objects.keys() - reached:
        del writer.objects[key]


__all__ = ["UNREADABLE", "jpeg_without_metadata", "without_metadata"]
