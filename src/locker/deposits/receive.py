"""The multipart body as it arrives: PDF and data to files, the JSON to memory, each under a cap, in any order."""

import asyncio
import base64
import binascii
import hashlib
import re
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import BinaryIO, Literal

import msgspec
from multipart import (  # type: ignore[import-untyped]
    MultipartError,
    MultipartSegment,
    PushMultipartParser,
    parse_options_header,
)

from locker.deposits.refusals import DigestMismatch, MultipartMalformed, NotPdf, PartTooLarge, TooSlow
from locker.deposits.room import temporary_folder, within_room

_ENVELOPE_MAX_BYTES = 16_384
"""Boundaries and headers of the parts, and more than enough of it."""
_PREAMBLE_MAX_BYTES = 8_192
"""A part begins within these, its headers included."""
PDF_MIN_BYTES = 64
PDF_START = b"%PDF-"
_FRAME_MAX_BYTES = 1_048_576

Kind = Literal["document", "deposit", "data", "data_signature"]
PDF_WITHIN = 1_024
"""A reader of PDFs looks so far for where one begins."""
_KINDS: dict[str, Kind] = {"application/pdf": "document", "application/json": "deposit"}


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    pdf_max_bytes: int
    json_max_bytes: int
    data_max_bytes: int
    data_signature_max_bytes: int
    receive_max_s: float
    folder: Path | None
    """Where the PDF stands while it is judged; None is the system's place for temporary files."""


class ReceivedData(msgspec.Struct, frozen=True, kw_only=True):
    path: Path
    sha256: bytes
    length: int
    signature: Path | None
    """The signature over it that came beside it; None where the data holds its own."""
    signature_sha256: bytes | None


class Received(msgspec.Struct, frozen=True, kw_only=True):
    pdf: Path
    pdf_sha256: bytes
    pdf_length: int
    deposit: bytes
    """The JSON part, undecoded."""
    data: ReceivedData | None = None

    @property
    def request_sha256(self) -> bytes:
        """Names the whole request, whatever its boundary and the order of its parts."""
        parts = [self.pdf_sha256, hashlib.sha256(self.deposit).digest()]
        if self.data is not None:
            # Which of them are there is seen from the length.
            parts += [self.data.sha256, self.data.signature_sha256 or b""]
        return hashlib.sha256(b"".join(parts)).digest()


@asynccontextmanager
async def receive(
    frames: AsyncIterable[bytes],
    *,
    content_type: str,
    content_length: int | None,
    repr_digest: str | None,
    limits: Limits,
) -> AsyncIterator[Received]:
    """Leaving the context deletes the file. Memory stays at one frame, whatever the size of the body.

    ``repr_digest`` (RFC 9530) may be that of the body or of the PDF alone; a part may carry its own.
    Raises MultipartMalformed, PartTooLarge, NotPdf, DigestMismatch, TooSlow, NoRoom.
    """
    body_max_bytes = (
        limits.pdf_max_bytes
        + limits.json_max_bytes
        + limits.data_max_bytes
        + limits.data_signature_max_bytes
        + _ENVELOPE_MAX_BYTES
    )
    if content_length is not None and content_length > body_max_bytes:
        raise PartTooLarge("document", limits.pdf_max_bytes)
    receiving = _Receiving(_parser(content_type), limits, body_max_bytes, hashes_body=repr_digest is not None)
    async with temporary_folder("khizana-deposit-", limits.folder) as folder:
        path, data = Path(folder, "document.pdf"), Path(folder, "data")
        try:
            # Frames go to the page cache: less than a hop to a thread.
            with within_room(), path.open("xb") as file, data.open("xb") as data_file:  # noqa: ASYNC230
                async with asyncio.timeout(limits.receive_max_s):
                    async for frame in frames:
                        receiving.feed(frame, file, data_file)
                received = receiving.end(path, data)
        except TimeoutError:
            raise TooSlow from None
        except MultipartError as fault:
            raise MultipartMalformed(str(fault)) from None
        if repr_digest is not None:
            _check_digest(repr_digest, receiving.body_sha256.digest(), received.pdf_sha256)
        yield received


def _parser(content_type: str) -> PushMultipartParser:
    media_type, options = parse_options_header(content_type)
    boundary = options.get("boundary", "")
    if media_type != "multipart/form-data" or not re.fullmatch(r"[0-9A-Za-z'()+_,\-./:=? ]{1,70}", boundary):
        raise MultipartMalformed("Content-Type")
    return PushMultipartParser(boundary, max_segment_count=4, max_header_size=4_096, max_header_count=8)


class _Receiving:
    def __init__(self, parser: PushMultipartParser, limits: Limits, body_max_bytes: int, *, hashes_body: bool) -> None:
        self._parser = parser
        self._limits = limits
        self._body_max_bytes = body_max_bytes
        self._body_length = 0
        self._hashes_body = hashes_body
        self.body_sha256 = hashlib.sha256()
        self._part: Kind | None = None
        self._seen: dict[Kind, MultipartSegment] = {}
        self._pdf_sha256 = hashlib.sha256()
        self._pdf_length = 0
        self._json = bytearray()
        self._data_sha256 = hashlib.sha256()
        self._data_length = 0
        self._data_start = b""
        self._signature = bytearray()

    def feed(self, frame: bytes, file: BinaryIO, data_file: BinaryIO) -> None:
        self._body_length += len(frame)
        if self._body_length > self._body_max_bytes:
            raise PartTooLarge("document", self._limits.pdf_max_bytes)
        if self._hashes_body:
            self.body_sha256.update(frame)
        for start in range(0, len(frame), _FRAME_MAX_BYTES):
            for event in self._parser.parse(frame[start : start + _FRAME_MAX_BYTES]):
                if event is None:
                    self._part = None
                elif isinstance(event, MultipartSegment):
                    self._begin(event)
                else:
                    self._payload(bytes(event), file, data_file)
        if not self._seen and self._body_length > _PREAMBLE_MAX_BYTES:
            raise MultipartMalformed("no part begins")

    def end(self, path: Path, data_path: Path) -> Received:
        self._parser.close()
        if not self._seen.keys() >= {"document", "deposit"}:
            raise MultipartMalformed("one PDF and one JSON part are needed")
        if "data_signature" in self._seen and "data" not in self._seen:
            raise MultipartMalformed("data_signature: there is no data")
        if self._pdf_length < PDF_MIN_BYTES:
            raise NotPdf
        deposit = bytes(self._json)
        sha256_of: dict[Kind, bytes] = {
            "document": self._pdf_sha256.digest(),
            "deposit": hashlib.sha256(deposit).digest(),
        }
        if "data" in self._seen:
            sha256_of["data"] = self._data_sha256.digest()
        if "data_signature" in self._seen:
            sha256_of["data_signature"] = hashlib.sha256(self._signature).digest()
        for kind, sha256 in sha256_of.items():
            declared = self._seen[kind].header("Repr-Digest") or self._seen[kind].header("Content-Digest")
            if declared is not None:
                _check_digest(declared, sha256)
        return Received(
            pdf=path,
            pdf_sha256=sha256_of["document"],
            pdf_length=self._pdf_length,
            deposit=deposit,
            data=self._data(data_path, sha256_of) if "data" in self._seen else None,
        )

    def _data(self, path: Path, sha256_of: dict[Kind, bytes]) -> ReceivedData:
        wrong = no_data(self._data_start, self._data_length)
        if wrong is not None:
            raise MultipartMalformed(wrong)
        signature = None
        if "data_signature" in self._seen:
            signature = path.with_name("data_signature")
            # A quarter of a megabyte at most, to the page cache.
            signature.write_bytes(self._signature)
        return ReceivedData(
            path=path,
            sha256=sha256_of["data"],
            length=self._data_length,
            signature=signature,
            signature_sha256=sha256_of.get("data_signature"),
        )

    def _begin(self, segment: MultipartSegment) -> None:
        # Data is known by its name, whatever it is. Else the media type says what a part is, and a part without one is
        # known by its name.
        kind = _data_named(segment.name) or _KINDS.get(segment.content_type or "") or _named(segment.name)
        if kind is None:
            raise MultipartMalformed("a part is neither application/pdf nor application/json")
        if kind in self._seen:
            raise MultipartMalformed(f"more than one part is the {kind}")
        self._seen[kind] = segment
        self._part = kind

    def _payload(self, payload: bytes, file: BinaryIO, data_file: BinaryIO) -> None:
        if self._part == "data":
            self._data_length += len(payload)
            if self._data_length > self._limits.data_max_bytes:
                raise PartTooLarge("data", self._limits.data_max_bytes)
            self._data_start += payload[: PDF_WITHIN - len(self._data_start)]
            self._data_sha256.update(payload)
            data_file.write(payload)
            return
        if self._part == "data_signature":
            self._signature += payload
            if len(self._signature) > self._limits.data_signature_max_bytes:
                raise PartTooLarge("data_signature", self._limits.data_signature_max_bytes)
            return
        if self._part == "deposit":
            self._json += payload
            if len(self._json) > self._limits.json_max_bytes:
                raise PartTooLarge("deposit", self._limits.json_max_bytes)
            return
        # Sniffed with the first bytes: what is no PDF is not written down to its end.
        wanted = PDF_START[self._pdf_length :]
        if not payload.startswith(wanted[: len(payload)]):
            raise NotPdf
        self._pdf_length += len(payload)
        if self._pdf_length > self._limits.pdf_max_bytes:
            raise PartTooLarge("document", self._limits.pdf_max_bytes)
        self._pdf_sha256.update(payload)
        file.write(payload)


def no_data(start: bytes, length: int) -> str | None:
    """Why this is no data that comes with a PDF; ``start`` is its first PDF_WITHIN bytes."""
    if length == 0:
        return "data: empty"
    # One deposit, one PDF: the other one would be judged, shown and shared by nobody.
    return "data: a PDF is the document" if PDF_START in start else None


def _data_named(name: str | None) -> Kind | None:
    if name == "data":
        return "data"
    return "data_signature" if name == "data_signature" else None


def _named(name: str | None) -> Kind | None:
    if name == "document":
        return "document"
    return "deposit" if name == "deposit" else None


def _check_digest(field: str, *sha256: bytes) -> None:
    """``sha-256=:…:`` (RFC 9530 §3) must be one of ``sha256``; other algorithms are not looked at."""
    for entry in field.split(","):
        algorithm, _, value = entry.strip().partition("=")
        if algorithm.lower() != "sha-256":
            continue
        try:
            declared = base64.b64decode(value.strip().removeprefix(":").removesuffix(":"), validate=True)
        except (ValueError, binascii.Error):
            raise DigestMismatch("sha-256") from None
        if declared not in sha256:
            raise DigestMismatch("sha-256")
