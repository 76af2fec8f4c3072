"""Identifiers made in Python, so that no database extension and no sequence is needed."""

import secrets
import time
from uuid import UUID

CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def new_id() -> UUID:
    """UUID version 7 (RFC 9562 §5.7): sorts by creation time. For keys inside; it tells its age."""
    milliseconds = time.time_ns() // 1_000_000
    value = (milliseconds & (2**48 - 1)) << 80 | secrets.randbits(80)
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return UUID(int=value)


def new_public_id(bits: int = 125) -> str:
    """Random Crockford base32, upper case, 5 bits a character: printable, speakable, not guessable."""
    number = secrets.randbits(bits // 5 * 5)
    return "".join([CROCKFORD[number >> place & 31] for place in range(0, bits // 5 * 5, 5)])
