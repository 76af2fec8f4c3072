"""Tink's streaming AEAD (AesGcmHkdfStreamingKey) on ``cryptography``, readable by range.

Layout, as in Tink, so that an outside tool can open an object whose key it has::

    segment 0      length of header (1) = 40 | salt (32) | nonce prefix (7) | AES-GCM of the first 65,480 bytes
    segment i      AES-GCM of the next 65,520 bytes
    last segment   what is left, one byte at least (none at all only if the plaintext is empty)

Each segment but the last is 65,536 bytes. The object's key is HKDF-SHA256(key, salt, info = associated data); the nonce
of a segment is prefix (7) | number (4, big-endian) | 1 if it is the last (1). So no segment can be moved, dropped,
doubled or appended, and each is authenticated alone, before it leaves.
https://developers.google.com/tink/streaming-aead/aes_gcm_hkdf_streaming
"""

import secrets
from collections.abc import Iterator

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

FORMAT = "tink-aes256-gcm-hkdf-sha256-64kib"

KEY_BYTES = 32
SEGMENT_BYTES = 64 * 1024
TAG_BYTES = 16
SALT_BYTES = 32
PREFIX_BYTES = 7
HEADER_BYTES = 1 + SALT_BYTES + PREFIX_BYTES
PLAIN_BYTES = SEGMENT_BYTES - TAG_BYTES
"""Plaintext of a full segment; the first one holds HEADER_BYTES fewer."""
LENGTH_MAX = 2**31 * PLAIN_BYTES
"""Half of what Tink's segment counter can number."""


class NotAuthentic(Exception):
    """These bytes are not what was sealed under this key and associated data, at this place."""


def ciphertext_length(length: int) -> int:
    """Bytes of the object for ``length`` bytes of plaintext."""
    return HEADER_BYTES + length + TAG_BYTES * segment_count(length)


def segment_count(length: int) -> int:
    if not 0 <= length <= LENGTH_MAX:
        raise ValueError("length is out of range")
    return max(1, -(-(length + HEADER_BYTES) // PLAIN_BYTES))


def segment_at(offset: int) -> int:
    """Number of the segment that holds the plaintext byte ``offset``."""
    return (offset + HEADER_BYTES) // PLAIN_BYTES


def plaintext_start(segment: int) -> int:
    """Offset in the plaintext of the first byte of ``segment``."""
    return max(0, segment * PLAIN_BYTES - HEADER_BYTES)


def ciphertext_span(first: int, last: int, *, length: int) -> tuple[int, int]:
    """Start and end (exclusive) in the object of the segments ``first`` to ``last``; segment 0 has the header."""
    return first * SEGMENT_BYTES, min((last + 1) * SEGMENT_BYTES, ciphertext_length(length))


def _cipher(key: bytes, associated_data: bytes, salt: bytes) -> AESGCM:
    if len(key) != KEY_BYTES:
        raise ValueError("a key has 32 bytes")
    return AESGCM(HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=salt, info=associated_data).derive(key))


def _nonce(prefix: bytes, segment: int, *, last: bool) -> bytes:
    return prefix + segment.to_bytes(4, "big") + (b"\x01" if last else b"\x00")


class Encryptor:
    """Fed with frames of any size; ``header + update(…)* + finalize()`` is the object."""

    def __init__(self, key: bytes, associated_data: bytes) -> None:
        salt, self._prefix = secrets.token_bytes(SALT_BYTES), secrets.token_bytes(PREFIX_BYTES)
        self._cipher = _cipher(key, associated_data, salt)
        self.header = bytes([HEADER_BYTES]) + salt + self._prefix
        self._segment = 0
        self._room = PLAIN_BYTES - HEADER_BYTES
        self._pending = bytearray()

    def update(self, frame: bytes) -> bytes:
        """The segments that are complete and certainly not the last, which may be none."""
        if len(self._pending) + len(frame) <= self._room:
            self._pending += frame
            return b""
        rest = memoryview(frame)
        sealed = []
        # A full segment waits for one more byte: only then is it known not to be the last.
        while len(self._pending) + len(rest) > self._room:
            needed = self._room - len(self._pending)
            segment: bytes | bytearray | memoryview = rest[:needed]
            if self._pending:
                self._pending += segment
                segment, self._pending = self._pending, bytearray()
            sealed.append(self._seal(segment, last=False))
            rest = rest[needed:]
        self._pending += rest
        return b"".join(sealed)

    def finalize(self) -> bytes:
        """The last segment. Call it once; nothing can be added after it."""
        pending, self._pending, self._room = self._pending, bytearray(), -1
        return self._seal(pending, last=True)

    def _seal(self, segment: bytes | bytearray | memoryview, *, last: bool) -> bytes:
        sealed = self._cipher.encrypt(_nonce(self._prefix, self._segment, last=last), segment, None)
        self._segment += 1
        self._room = PLAIN_BYTES
        return sealed


class Decryptor:
    """Opens any whole segments of one object. ``length`` is the plaintext's, from where the object cannot touch it.

    A wrong ``length`` fails as damage does, since it decides which segment must be the last one.
    """

    def __init__(self, key: bytes, associated_data: bytes, header: bytes, *, length: int) -> None:
        if len(header) != HEADER_BYTES or header[0] != HEADER_BYTES:
            raise NotAuthentic("header")
        self._cipher = _cipher(key, associated_data, header[1 : 1 + SALT_BYTES])
        self._prefix = header[1 + SALT_BYTES :]
        self._length = length
        self._last = segment_count(length) - 1

    def open(self, first: int, ciphertext: bytes | memoryview) -> bytes:
        """Plaintext of the consecutive whole segments that start with number ``first``; with 0 the header is included.

        Raises NotAuthentic, and then returns nothing of any of them.
        """
        return b"".join(self._opened(first, ciphertext))

    def _opened(self, first: int, ciphertext: bytes | memoryview) -> Iterator[bytes]:
        view = memoryview(ciphertext)
        for place in range(0, max(1, len(view)), SEGMENT_BYTES):
            number = first + place // SEGMENT_BYTES
            if number > self._last:
                raise NotAuthentic("bytes after the last segment")
            start, end = ciphertext_span(number, number, length=self._length)
            segment = view[place : place + SEGMENT_BYTES]
            if len(segment) != end - start:
                raise NotAuthentic("a segment is cut or too long")
            if number == 0:
                segment = segment[HEADER_BYTES:]
            try:
                yield self._cipher.decrypt(_nonce(self._prefix, number, last=number == self._last), segment, None)
            except InvalidTag:
                raise NotAuthentic(f"segment {number}") from None


def decrypt_range(
    key: bytes, associated_data: bytes, ciphertext: bytes, *, length: int, start: int = 0, end: int | None = None
) -> bytes:
    """Plaintext from ``start`` to ``end`` (exclusive) of a whole object in memory; opens only the segments it needs."""
    end = length if end is None else end
    if not 0 <= start <= end <= length:
        raise ValueError("range is outside the plaintext")
    if len(ciphertext) != ciphertext_length(length):
        raise NotAuthentic("length")
    decryptor = Decryptor(key, associated_data, ciphertext[:HEADER_BYTES], length=length)
    first, last = segment_at(start), min(segment_at(max(start, end - 1)), segment_count(length) - 1)
    first = min(first, last)
    span_start, span_end = ciphertext_span(first, last, length=length)
    opened = decryptor.open(first, ciphertext[span_start:span_end])
    return opened[start - plaintext_start(first) : end - plaintext_start(first)]


def decrypt_small(key: bytes, associated_data: bytes, ciphertext: bytes) -> bytes:
    """All of a whole object in memory whose length is known from nowhere else: it follows from the ciphertext's."""
    segments = max(1, -(-len(ciphertext) // SEGMENT_BYTES))
    length = len(ciphertext) - HEADER_BYTES - TAG_BYTES * segments
    if length < 0:
        raise NotAuthentic("length")
    return decrypt_range(key, associated_data, ciphertext, length=length)
