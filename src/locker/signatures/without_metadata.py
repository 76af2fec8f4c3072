"""A PDF that looks the same and does not tell who made it, with what, when and where. Runs in a worker process."""

import re
from collections.abc import Callable, Iterable, Iterator
from io import BytesIO
from typing import Any

from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.writer import PdfFileWriter, copy_into_new_writer

from locker.signatures.document import UNREADABLE, Document

_TELLING = ("/Metadata", "/PieceInfo", "/Thumb", "/LastModified", "/SpiderInfo", "/VP", "/LGIDict")
"""Of any dictionary (ISO 32000-2 §14.3, §14.5, §12.3.4; §12.9 and §12.10: places on the earth)."""
_TELLING_TEXTS = ("/Author", "/Creator", "/Producer", "/Keywords", "/CreationDate", "/ModDate")
"""Of any dictionary where they are texts: makers put information dictionaries in many places."""
_TELLING_OF_PDFTEX = "/PTEX."
"""Paths and information of the figures that were taken in."""
_TELLING_OF_A_NOTE = ("/M", "/CreationDate", "/NM")
"""When an annotation was written; ``/T`` is by whom. Of a field of a form ``/T`` is its name, and stays."""
_TELLING_OF_THE_CATALOG = ("/Perms", "/DSS", "/Legal", "/Threads")
"""What belongs to signatures, which hold no longer, and tells who signed; articles, which name their authors."""


def without_metadata(pdf: bytes) -> bytes:
    """Without information dictionary, XMP, thumbnails, earlier revisions, signatures and anything behind the end.

    Pictures in it lose their own metadata. Raises what the parser raises (``UNREADABLE``), ValueError where it needs a
    password.
    """
    document = Document(pdf)
    if document.encrypted:
        raise ValueError("encrypted")
    writer = copy_into_new_writer(document.reader, writer_kwargs={"info": None})
    catalog = writer.root_ref.get_object()
    assert isinstance(catalog, generic.DictionaryObject)
    _drop(catalog, _TELLING_OF_THE_CATALOG)
    for value in writer.objects.values():
        for inner in _all_in(value):
            if isinstance(inner, generic.DictionaryObject):
                _strip(inner)
    _forget_unreachable(writer)
    out = BytesIO()
    writer.write(out)  # type: ignore[no-untyped-call]
    return out.getvalue()


def _strip(value: generic.DictionaryObject) -> None:
    _drop(value, _TELLING)
    _drop(value, [key for key in value if key.startswith(_TELLING_OF_PDFTEX)])
    _drop(value, [key for key in _TELLING_TEXTS if isinstance(_read(value, key), str | bytes)])
    if "/Rect" in value:
        _drop(value, _TELLING_OF_A_NOTE)
        _drop(value, ["/T"] if _read(value, "/Subtype") != "/Widget" else [])
    if _read(value, "/Type") == "/Page":
        # Parts of articles.
        _drop(value, ["/B"])
    signed = _read(value, "/V")
    if isinstance(signed, generic.DictionaryObject) and "/ByteRange" in signed:
        # What would stay of a signature says that it is broken, and by whom, where and when it was made.
        _drop(value, ["/V"])
    _drop(value, ["/SigFlags"])
    if isinstance(value, generic.StreamObject):
        _strip_stream(value)


def _read(value: generic.DictionaryObject, key: str) -> Any:
    """What stands there or where it leads; None also for what leads nowhere."""
    try:
        return value[key]
    except UNREADABLE:
        return None


def _drop(value: generic.DictionaryObject, keys: Iterable[str]) -> None:
    for key in keys:
        if key in value:
            del value[key]


def _strip_stream(value: generic.StreamObject) -> None:
    if _read(value, "/Type") == "/Metadata":
        # Something refers to it that is not called /Metadata.
        _replace(value, b"")
        return
    filters = _read(value, "/Filter")
    names = [str(name) for name in filters.iterate()] if isinstance(filters, generic.ArrayObject) else [str(filters)]
    strip = _PICTURES.get(names[-1]) if names else None
    if strip is not None:
        _strip_picture(value, names, strip)
    elif _read(value, "/Subtype") != "/Image" and not value.keys() & _NOT_DRAWING:
        _strip_inline(value)


def _strip_picture(value: generic.StreamObject, names: list[str], strip: Callable[[bytes], bytes]) -> None:
    """What it is packed into comes off."""
    parameters = _read(value, "/DecodeParms")
    several = list(parameters.iterate()) if isinstance(parameters, generic.ArrayObject) else [parameters]
    own = several[len(names) - 1] if len(several) >= len(names) else None
    picture = value.encoded_data
    if len(names) > 1:
        outer = generic.DictionaryObject()  # type: ignore[no-untyped-call]
        outer[_FILTER] = generic.ArrayObject(map(generic.pdf_name, names[:-1]))
        if isinstance(parameters, generic.ArrayObject):
            outer[_PARAMETERS] = generic.ArrayObject(several[: len(names) - 1])
        picture = generic.StreamObject(outer, encoded_data=picture).data
    _replace(value, strip(picture))
    value[_FILTER] = generic.pdf_name(names[-1])
    if isinstance(own, generic.DictionaryObject):
        value[_PARAMETERS] = own


def _strip_inline(value: generic.StreamObject) -> None:
    """A picture inside what draws a page: its metadata becomes zeros, so that all lengths stay (ISO 32000-2 §8.9.7)."""
    try:
        data = value.data
    except UNREADABLE:
        # Packed in a way that is not read here.
        return
    value._data = None
    places = [found.end() for found in _INLINE.finditer(data)]
    if not places:
        return
    blanked = bytearray(data)
    for place in places:
        for marker, begins, ends in _segments(data, place):
            if _tells(marker, data[begins + 2 : begins + 16]):
                blanked[begins + 2 : ends] = bytes(len(data[begins + 2 : ends]))
    _replace(value, bytes(blanked))
    value.compress()  # type: ignore[no-untyped-call]


def _replace(value: generic.StreamObject, content: bytes) -> None:
    """Set as it stands: what decoded the old content is gone."""
    _drop(value, [_FILTER, _PARAMETERS])
    value._data, value._encoded_data = None, content


def jpeg_without_metadata(jpeg: bytes) -> bytes:
    """The same picture to the bit: APP1 to APP13 but the colour profile, APP15 and comments go, and all behind its end:
    further pictures too, which have metadata of their own (ITU-T T.81 §B.1.1). What is none is given back as it is."""
    start = jpeg.find(b"\xff\xd8\xff")
    if start < 0:
        return jpeg
    if (end := jpeg.rfind(b"\xff\xd9")) > start:
        # One that is damaged inside may seem to go on behind its end.
        jpeg = jpeg[: end + 2]
    kept = [b"\xff\xd8"]
    for marker, begins, ends in _segments(jpeg, start):
        if marker == _CODED:
            kept.append(jpeg[begins:ends])
        elif not _tells(marker, jpeg[begins + 2 : begins + 16]):
            kept += [b"\xff", bytes([marker]), jpeg[begins:ends]]
    return b"".join(kept)


def _segments(jpeg: bytes, start: int) -> Iterator[tuple[int, int, int]]:
    """Of the picture that begins at ``start``, to its end: marker, and where its length begins and its content ends."""
    place = start + 2
    while found := _MARKER.match(jpeg, place):
        marker, begins = found[1][0], found.end()
        if marker == _START:
            # Another picture: the first one's end is missing.
            return
        place = begins if marker == _END else begins + max(2, int.from_bytes(jpeg[begins : begins + 2]))
        yield marker, begins, place
        if marker == _END:
            return
        if marker == _SCAN:
            following = _MARKER.search(jpeg, place)
            ends = following.start() if following else len(jpeg)
            yield _CODED, place, ends
            place = ends


def jp2_without_metadata(jp2: bytes) -> bytes:
    """JPEG 2000 with the boxes of the picture alone: EXIF, XMP and places stand in others (ISO/IEC 15444-1 §I.7)."""
    kept, place = [], 0
    if jp2[4:8] != b"jP  ":
        # A codestream alone.
        return jp2
    while place + 8 <= len(jp2):
        length, kind = int.from_bytes(jp2[place : place + 4]), jp2[place + 4 : place + 8]
        if length == 1:
            length = int.from_bytes(jp2[place + 8 : place + 16])
        end = place + length if length >= 8 else len(jp2)
        if kind in _BOXES:
            kept.append(jp2[place:end])
        place = end
    return b"".join(kept)


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


_FILTER, _PARAMETERS = generic.pdf_name("/Filter"), generic.pdf_name("/DecodeParms")
_NOT_DRAWING = {"/Length1", "/Length2", "/Length3", "/N", "/FunctionType"}
"""Of fonts, colour profiles, object streams and functions."""
_MARKER = re.compile(rb"\xff+([^\x00\xff\xd0-\xd7])", re.DOTALL)
_CODED, _START, _END, _SCAN = 0, 0xD8, 0xD9, 0xDA
_BOXES = {b"jP  ", b"ftyp", b"rreq", b"jp2h", b"jpch", b"jplh", b"jp2c"}
_INLINE = re.compile(rb"\bID[\s](?=\xff\xd8\xff)")
_PICTURES: dict[str, Callable[[bytes], bytes]] = {
    "/DCTDecode": jpeg_without_metadata,
    "/DCT": jpeg_without_metadata,
    "/JPXDecode": jp2_without_metadata,
}

__all__ = ["UNREADABLE", "jpeg_without_metadata", "without_metadata"]
