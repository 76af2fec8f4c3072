"""An operator's list of breached passwords, as Have I Been Pwned gives it: SHA-1, sorted, on this disk.

One large file of ``HASH:COUNT`` lines, or a folder of files ``21BD1.txt`` with the rest of each hash. No password and
no part of its hash leaves this machine.
"""

import hashlib
from pathlib import Path
from typing import BinaryIO

import msgspec

_PREFIX_DIGITS = 5
_LINE_MAX = 64


class BreachedPasswords(msgspec.Struct, frozen=True):
    place: Path | None = None
    """None: only our own short list is asked."""

    def holds(self, prepared_password: str) -> bool:
        """Blocks: about forty reads of a file of 40 GB. A folder without the file of a prefix holds none of it."""
        if self.place is None:
            return False
        # What is searched for has this form; nothing rests on its strength.
        wanted = hashlib.sha1(prepared_password.encode(), usedforsecurity=False).hexdigest().upper().encode()
        if not self.place.is_dir():
            return _holds(self.place, wanted)
        part = self.place / f"{wanted[:_PREFIX_DIGITS].decode()}.txt"
        return part.is_file() and _holds(part, wanted[_PREFIX_DIGITS:])


def _holds(file: Path, wanted: bytes) -> bool:
    """Binary search over lines of unequal length: ``low`` and ``high`` are always at the start of a line."""
    with file.open("rb") as opened:
        low, high = 0, opened.seek(0, 2)
        while low < high:
            middle = (low + high) // 2
            start = _start_of_line(opened, middle, low)
            opened.seek(start)
            line = opened.read(_LINE_MAX).split(b"\n", 1)[0]
            found = line.strip().partition(b":")[0].upper()
            if found == wanted:
                return True
            if found < wanted:
                low = start + len(line) + 1
            else:
                high = start
    return False


def _start_of_line(opened: BinaryIO, place: int, floor: int) -> int:
    """Of the line that holds the byte at ``place``; none begins before ``floor``."""
    begin = max(floor, place - _LINE_MAX)
    opened.seek(begin)
    newline = opened.read(place - begin).rfind(b"\n")
    return begin if newline < 0 else begin + newline + 1
