"""``administration-TYPE-document_id``, as it is printed and as people type it."""

import re

import msgspec

from kit.ids import CROCKFORD

_LENGTH_MAX = 160
# A person reads I and L as 1, O as 0, and puts hyphens and spaces where it helps the eye.
_READ_AS = str.maketrans("ILO", "110", "- ")
_DOCUMENT_ID = re.compile(f"[{CROCKFORD}]{{25}}")
_ADDRESS = re.compile(r"(?:([a-z0-9]+(?:\.[a-z0-9]+)+)-([A-Za-z0-9]{2,16})-)?([0-9A-Za-z -]+)", re.ASCII)


class Address(msgspec.Struct, frozen=True, kw_only=True):
    document_id: str
    administration: str | None
    """None, with ``type``: the last part stands alone."""
    type: str | None


def read_address(text: str) -> Address | None:
    """In any case, hyphens and spaces anywhere in the last part, Crockford's look-alikes; None for what cannot be one.

    Nothing is guessed in the other two parts but their case: they are names, not numbers.
    """
    typed = text.strip()
    if len(typed) > _LENGTH_MAX or not typed.isascii():
        return None
    # The administration's identifier is the one part that has dots; it is in small letters.
    head, hyphen, rest = typed.partition("-")
    found = _ADDRESS.fullmatch(f"{head.lower()}{hyphen}{rest}" if "." in head else typed)
    if found is None:
        return None
    document_id = found[3].upper().translate(_READ_AS)
    if not _DOCUMENT_ID.fullmatch(document_id):
        return None
    return Address(document_id=document_id, administration=found[1], type=found[2].upper() if found[2] else None)
