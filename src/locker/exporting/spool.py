"""A part of an export waits in a temporary file until it is full, sealed under a key of this process's memory: nothing
plain ever lies on the disk, and what a killed worker leaves is noise."""

import os
import secrets
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from locker.vault.streaming import (
    KEY_BYTES,
    Decryptor,
    Encryptor,
    ciphertext_span,
    plaintext_start,
    segment_at,
)

_ASSOCIATED = b"spool of an export"
_SEGMENTS = 4


class Spool:
    """Append, then ``seal``, then iterate any number of times."""

    def __init__(self, folder: Path | None) -> None:
        self._file = tempfile.TemporaryFile(prefix="khizana-export-", dir=folder, buffering=0)  # noqa: SIM115
        self._key = secrets.token_bytes(KEY_BYTES)
        self._encryptor = Encryptor(self._key, _ASSOCIATED)
        self._write(self._encryptor.header)
        self._decryptor: Decryptor | None = None
        self.length = 0

    def append(self, content: bytes | memoryview) -> None:
        self.length += len(content)
        if sealed := self._encryptor.update(bytes(content)):
            self._write(sealed)

    def seal(self) -> None:
        self._write(self._encryptor.finalize())
        self._decryptor = Decryptor(self._key, _ASSOCIATED, self._encryptor.header, length=self.length)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for frame in self.read(0, self.length):
            yield frame

    async def read(self, start: int, end: int) -> AsyncIterator[bytes]:
        assert self._decryptor is not None
        if start == end:
            return
        last = segment_at(end - 1)
        for number in range(segment_at(start), last + 1, _SEGMENTS):
            span = ciphertext_span(number, min(number + _SEGMENTS - 1, last), length=self.length)
            # From the page cache: less than a hop to a thread.
            opened = self._decryptor.open(number, os.pread(self._file.fileno(), span[1] - span[0], span[0]))
            begin = plaintext_start(number)
            yield opened[max(0, start - begin) : end - begin]

    def close(self) -> None:
        self._file.close()

    def _write(self, sealed: bytes) -> None:
        left = memoryview(sealed)
        while left:
            # A file without a buffer may take a part.
            left = left[self._file.write(left) :]
