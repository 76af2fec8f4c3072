"""An uploaded file, as it arrives, into a temporary one: memory stays at one frame."""

import asyncio
import errno
import hashlib
import re
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
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
from locker.verification.refusals import FileMissing, FileTooLarge, NoRoom, TooSlow

_FULL = (errno.ENOSPC, errno.EDQUOT)
_ENVELOPE_MAX_BYTES = 16_384
_FRAME_MAX_BYTES = 1_048_576
_AT_MAX_BYTES = 64
_SIGNATURE_MAX_BYTES = 1_000_000
_PARTS_MAX = 4
_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,\-./:=? ]{1,70}", re.ASCII)


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    file_max_bytes: int
    receive_max_s: float
    folder: Path | None = None
    """None is the system's place for temporary files."""


class Received(msgspec.Struct, frozen=True, kw_only=True):
    path: Path
    sha256: bytes
    length: int
    signature: Path | None = None
    """The part of this name: a signature over the document that lies beside it."""
    at: str | None = None
    """What the form's field of this name said."""


@asynccontextmanager
async def receive(
    frames: AsyncIterable[bytes], *, content_type: str, content_length: int | None, limits: Limits
) -> AsyncIterator[Received]:
    """The parts named ``document`` and ``signature`` of a form, or a bare body. Leaving the context deletes the file.

    What the file is, is the judge's question. Raises FileMissing, FileTooLarge, TooSlow, NoRoom.
    """
    if (
        content_length is not None
        and content_length > limits.file_max_bytes + _SIGNATURE_MAX_BYTES + _ENVELOPE_MAX_BYTES
    ):
        raise FileTooLarge(limits.file_max_bytes)
    receiving = _Receiving(_parser(content_type), limits.file_max_bytes)
    async with _folder(limits) as folder:
        path = Path(folder, "document.pdf")
        try:
            # To the page cache: less than a hop to a thread.
            with path.open("xb", buffering=0) as file:  # noqa: ASYNC230
                async with asyncio.timeout(limits.receive_max_s):
                    async for frame in frames:
                        receiving.feed(frame, file)
            receiving.end()
            signature = Path(folder, "signature") if receiving.signature else None
            if signature:
                # At most a megabyte, to the page cache.
                signature.write_bytes(receiving.signature)
        except TimeoutError:
            raise TooSlow from None
        except MultipartError:
            raise FileMissing from None
        except OSError as fault:
            if fault.errno in _FULL:
                raise NoRoom from fault
            raise
        yield Received(
            path=path,
            sha256=receiving.sha256.digest(),
            length=receiving.length,
            signature=signature,
            at=receiving.at.decode("ascii", "replace"),
        )


@asynccontextmanager
async def _folder(limits: Limits) -> AsyncIterator[Path]:
    async with AsyncExitStack() as stack:
        try:
            folder = await stack.enter_async_context(temporary_folder("khizana-verify-", limits.folder))
        except OSError as fault:
            if fault.errno in _FULL:
                raise NoRoom from fault
            raise
        yield folder


def _parser(content_type: str) -> PushMultipartParser | None:
    """None for a bare body."""
    media_type, options = parse_options_header(content_type)
    if media_type in ("application/pdf", "application/octet-stream"):
        return None
    boundary = options.get("boundary", "")
    if media_type != "multipart/form-data" or not _BOUNDARY.fullmatch(boundary):
        raise FileMissing
    return PushMultipartParser(
        boundary, max_segment_count=_PARTS_MAX, max_header_size=4_096, max_header_count=8, strict=False
    )


class _Receiving:
    def __init__(self, parser: PushMultipartParser | None, file_max_bytes: int) -> None:
        self._parser = parser
        self._file_max_bytes = file_max_bytes
        self._beside_bytes = 0
        self._in_document = parser is None
        self._in_at = False
        self._in_signature = False
        self.at = bytearray()
        self.signature = bytearray()
        self.sha256 = hashlib.sha256()
        self.length = 0

    def feed(self, frame: bytes, file: BinaryIO) -> None:
        for start in range(0, len(frame), _FRAME_MAX_BYTES):
            piece = frame[start : start + _FRAME_MAX_BYTES]
            if self._parser is None:
                self._payload(piece, file)
                continue
            for event in self._parser.parse(piece):
                if isinstance(event, MultipartSegment):
                    self._in_document = event.name == "document" and self.length == 0
                    self._in_at = event.name == "at"
                    self._in_signature = event.name == "signature"
                elif event is not None:
                    self._payload(bytes(event), file)

    def end(self) -> None:
        if self._parser is not None:
            self._parser.close()
        if self.length == 0:
            raise FileMissing

    def _payload(self, payload: bytes, file: BinaryIO) -> None:
        if self._in_signature:
            self.signature += payload
            if len(self.signature) > _SIGNATURE_MAX_BYTES:
                raise FileTooLarge(_SIGNATURE_MAX_BYTES)
            return
        if not self._in_document:
            self._beside_bytes += len(payload)
            if self._in_at:
                self.at += payload[: _AT_MAX_BYTES - len(self.at)]
            if self._beside_bytes > _ENVELOPE_MAX_BYTES:
                raise FileMissing
            return
        self.length += len(payload)
        if self.length > self._file_max_bytes:
            raise FileTooLarge(self._file_max_bytes)
        self.sha256.update(payload)
        file.write(payload)
