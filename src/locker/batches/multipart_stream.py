"""multipart/form-data (RFC 7578) read as it arrives: each file is an entry, known by its ``filename``."""

import re
from collections import deque
from collections.abc import AsyncIterator

from multipart import (  # type: ignore[import-untyped]
    MultipartError,
    MultipartSegment,
    PushMultipartParser,
    parse_options_header,
)

from locker.batches.archive import CutShort, Entry
from locker.batches.refusals import EntryTooLarge, PartMalformed

_FRAME_MAX_BYTES = 262_144
_PREAMBLE_MAX_BYTES = 8_192


class MultipartStream:
    def __init__(
        self, frames: AsyncIterator[bytes], content_type: str, *, entry_max_bytes: int, entries_max: int
    ) -> None:
        media_type, options = parse_options_header(content_type)
        boundary = options.get("boundary", "")
        if media_type != "multipart/form-data" or not re.fullmatch(r"[0-9A-Za-z'()+_,\-./:=? ]{1,70}", boundary):
            raise PartMalformed("Content-Type")
        self._frames = frames
        # One more, so that it is we who say that there are too many.
        self._parser = PushMultipartParser(
            boundary, max_segment_count=entries_max + 1, max_header_size=4_096, max_header_count=8
        )
        self._events: deque[MultipartSegment | bytes | None] = deque()
        self._entry_max_bytes = entry_max_bytes
        self._number = 0
        self._received = 0
        self._ended = False

    async def next_entry(self) -> Entry | None:
        while (event := await self._next()) is not None or not self._ended:
            if isinstance(event, MultipartSegment):
                self._number += 1
                return Entry(number=self._number, name=event.filename)
        if self._number == 0:
            raise PartMalformed
        return None

    async def content(self, entry: Entry) -> AsyncIterator[bytes]:
        length = 0
        while (event := await self._next()) is not None:
            assert isinstance(event, bytes)
            length += len(event)
            if length <= self._entry_max_bytes:
                yield event
        if length > self._entry_max_bytes:
            raise EntryTooLarge(members={"max_bytes": self._entry_max_bytes})

    async def skip(self, entry: Entry) -> None:
        while await self._next() is not None:
            pass

    async def drain(self) -> None:
        async for _ in self._frames:
            pass

    async def _next(self) -> MultipartSegment | bytes | None:
        """None is the end of an entry, and from the last one on of all."""
        while not self._events and not self._ended:
            try:
                frame = await anext(self._frames, None)
                if frame is None:
                    self._ended = True
                    self._parser.close()
                    break
                self._received += len(frame)
                for start in range(0, len(frame), _FRAME_MAX_BYTES):
                    for event in self._parser.parse(frame[start : start + _FRAME_MAX_BYTES]):
                        self._events.append(bytes(event) if isinstance(event, bytes | bytearray) else event)
            except MultipartError:
                # What was received before is not looked at either: its end is not certain.
                self._events.clear()
                code = "part-cut-short" if self._ended else "part-malformed"
                self._ended = True
                if self._number == 0:
                    raise PartMalformed from None
                raise CutShort(code) from None
            if self._number == 0 and not self._events and self._received > _PREAMBLE_MAX_BYTES:
                raise PartMalformed("no entry begins")
        return self._events.popleft() if self._events else None
