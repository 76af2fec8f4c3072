"""The form of an upload as it arrives: the file to a file, two short fields to memory, each under a cap."""

import asyncio
import errno
import hashlib
import re
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import BinaryIO

import msgspec
from multipart import (  # type: ignore[import-untyped]
    MultipartError,
    MultipartSegment,
    PushMultipartParser,
    parse_options_header,
)

from kit.own_folder import temporary_folder
from locker.deposits.refusals import NoRoom, TooSlow
from locker.uploads.refusals import FileMissing, FileTooLarge, MultipartMalformed

_ENVELOPE_MAX_BYTES = 16_384
_PREAMBLE_MAX_BYTES = 8_192
_FRAME_MAX_BYTES = 1_048_576
_FIELD_MAX_BYTES = 1_024
_PARTS_MAX = 4
_FIELDS = ("csrf", "key")
_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,\-./:=? ]{1,70}", re.ASCII)


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    file_max_bytes: int
    receive_max_s: float
    folder: Path | None
    """None is the system's place for temporary files."""


class Received(msgspec.Struct, frozen=True, kw_only=True):
    path: Path
    folder: Path
    """Where more may be written; gone with the file."""
    file_name: str | None
    sha256: bytes
    length: int
    fields: dict[str, str]
    """``csrf`` and ``key`` of our page's form."""


@asynccontextmanager
async def receive(
    frames: AsyncIterable[bytes], *, content_type: str, content_length: int | None, limits: Limits
) -> AsyncIterator[Received]:
    """Leaving the context deletes the file. Raises FileMissing, FileTooLarge, MultipartMalformed, TooSlow, NoRoom."""
    if content_length is not None and content_length > limits.file_max_bytes + _ENVELOPE_MAX_BYTES:
        raise FileTooLarge(limits.file_max_bytes)
    receiving = _Receiving(_parser(content_type), limits.file_max_bytes)
    async with temporary_folder("khizana-upload-", limits.folder) as folder:
        path = Path(folder, "file")
        try:
            # To the page cache: less than a hop to a thread.
            with path.open("xb", buffering=0) as file:  # noqa: ASYNC230
                async with asyncio.timeout(limits.receive_max_s):
                    async for frame in frames:
                        receiving.feed(frame, file)
            receiving.end()
        except TimeoutError:
            raise TooSlow from None
        except MultipartError:
            raise MultipartMalformed from None
        except OSError as fault:
            if fault.errno in (errno.ENOSPC, errno.EDQUOT):
                raise NoRoom from fault
            raise
        yield Received(
            path=path,
            folder=Path(folder),
            file_name=receiving.file_name,
            sha256=receiving.sha256.digest(),
            length=receiving.length,
            fields={name: value.decode("utf-8", "replace") for name, value in receiving.fields.items()},
        )


def _parser(content_type: str) -> PushMultipartParser:
    media_type, options = parse_options_header(content_type)
    boundary = options.get("boundary", "")
    if media_type != "multipart/form-data" or not _BOUNDARY.fullmatch(boundary):
        raise MultipartMalformed
    return PushMultipartParser(boundary, max_segment_count=_PARTS_MAX, max_header_size=4_096, max_header_count=8)


class _Receiving:
    def __init__(self, parser: PushMultipartParser, file_max_bytes: int) -> None:
        self._parser = parser
        self._file_max_bytes = file_max_bytes
        self._part: str | None = None
        self._seen: set[str] = set()
        self._body_length = 0
        self.file_name: str | None = None
        self.fields: dict[str, bytearray] = {}
        self.sha256 = hashlib.sha256()
        self.length = 0

    def feed(self, frame: bytes, file: BinaryIO) -> None:
        self._body_length += len(frame)
        if self._body_length > self._file_max_bytes + _ENVELOPE_MAX_BYTES:
            raise FileTooLarge(self._file_max_bytes)
        for start in range(0, len(frame), _FRAME_MAX_BYTES):
            for event in self._parser.parse(frame[start : start + _FRAME_MAX_BYTES]):
                if event is None:
                    self._part = None
                elif isinstance(event, MultipartSegment):
                    self._begin(event)
                else:
                    self._payload(bytes(event), file)
        if not self._seen and self._body_length > _PREAMBLE_MAX_BYTES:
            raise MultipartMalformed

    def end(self) -> None:
        self._parser.close()
        # A browser sends an empty part where nothing was chosen.
        if "file" not in self._seen or (self.length == 0 and not self.file_name):
            raise FileMissing

    def _begin(self, segment: MultipartSegment) -> None:
        name = segment.name or ""
        if name not in ("file", *_FIELDS) or name in self._seen:
            raise MultipartMalformed
        self._seen.add(name)
        self._part = name
        if name == "file":
            self.file_name = segment.filename
        else:
            self.fields[name] = bytearray()

    def _payload(self, payload: bytes, file: BinaryIO) -> None:
        if self._part == "file":
            self.length += len(payload)
            if self.length > self._file_max_bytes:
                raise FileTooLarge(self._file_max_bytes)
            self.sha256.update(payload)
            file.write(payload)
        elif self._part is not None:
            self.fields[self._part] += payload
            if len(self.fields[self._part]) > _FIELD_MAX_BYTES:
                raise MultipartMalformed
