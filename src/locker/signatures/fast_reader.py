"""pyHanko's reader, that reads the head of an object stream once and not again for each object in it."""

from io import BytesIO
from typing import Any

from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.decode_limits import DecodeLimits, DecodePurpose
from pyhanko.pdf_utils.misc import PdfReadError, PdfStreamError
from pyhanko.pdf_utils.reader import PdfFileReader

_OBJECTS_MAX = 500_000


class FastReader(PdfFileReader):
    """Not strict, unless told to be. Reads what ``PdfFileReader`` reads."""

    strict: bool

    def __init__(self, stream: BytesIO, decode_limits: DecodeLimits) -> None:
        self._object_streams: dict[int, tuple[BytesIO, dict[int, int], list[int], int]] = {}
        super().__init__(stream, strict=False, decode_limits=decode_limits)

    def read_strictly(self) -> None:
        """From now on what readers read in different ways raises: a key twice, an object with no end."""
        if not self.strict:
            self.strict = True
            self.resolved_objects.clear()

    def _read_object(self, ref: Any, marker: Any, never_decrypt: bool = False, as_metadata_stream: bool = False) -> Any:
        if marker is None:
            # A reference to nothing is null, and no mistake (ISO 32000-2 §7.3.10).
            return generic.NullObject()
        return super()._read_object(ref, marker, never_decrypt, as_metadata_stream)

    def object_stream_data(self, number: int) -> bytes:
        """Its objects one after the other, without their numbers."""
        data, _, _, _ = self._object_stream(number)
        stream: Any = generic.Reference(number, 0, self).get_object()
        return data.getvalue()[int(stream["/First"]) :]

    def _object_stream(self, number: int) -> tuple[BytesIO, dict[int, int], list[int], int]:
        known = self._object_streams.get(number)
        if known is None:
            known = self._object_streams[number] = self._read_object_stream(number)
        return known

    def _get_object_from_stream(self, idnum: int, stmnum: int, idx: int) -> Any:
        data, offsets, order, count = self._object_stream(stmnum)
        if self.strict and (len(offsets) < len(order) or order[idx : idx + 1] != [idnum]):
            raise PdfReadError("an object stream that is read in different ways")
        if not 0 <= idx < count or idnum not in offsets:
            return generic.NullObject()
        data.seek(offsets[idnum])
        try:
            return generic.read_object(data, generic.Reference(idnum, 0, self))
        except (PdfStreamError, PdfReadError):
            # As readers do: what cannot be read is null.
            return generic.NullObject()

    def _read_object_stream(self, number: int) -> tuple[BytesIO, dict[int, int], list[int], int]:
        stream: Any = generic.Reference(number, 0, self).get_object()
        if not isinstance(stream, generic.StreamObject) or stream["/Type"] != "/ObjStm":
            raise PdfReadError("an object stream is none")
        count, first = int(stream["/N"]), int(stream["/First"])
        if not 0 <= count <= _OBJECTS_MAX or first < 0:
            raise PdfReadError("an object stream claims too much")
        data = bytes(stream.read_data(DecodePurpose.OBJECT_STREAM))
        offsets: dict[int, int] = {}
        order: list[int] = []
        words = data[:first].split()
        try:
            for index in range(0, min(2 * count, len(words) - 1), 2):
                order.append(int(words[index]))
                offsets.setdefault(order[-1], first + int(words[index + 1]))
        except ValueError:
            # A broken head: what stands before the break is there, the rest is null.
            pass
        return BytesIO(data), offsets, order, count
