"""PINs of links: few digits, so only a keyed digest is kept, bound to the share."""

import hashlib
import hmac
import re

from kit.i18n import ascii_digits

PIN_MIN = 6
"""Of a new link. Links from before may have 4."""
_PIN = re.compile(r"[0-9]{4,12}", re.ASCII)


class Pins:
    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def mac(self, pin: str, *, share_id: str) -> bytes:
        return hmac.new(self._secret, f"{share_id}|{pin}".encode(), hashlib.sha256).digest()


def normalised(text: str) -> str | None:
    """4 to 12 digits, typed with spaces or in Arabic-Indic digits as well; None for anything else."""
    pin = "".join(ascii_digits(text[:64]).split())
    return pin if _PIN.fullmatch(pin) else None
