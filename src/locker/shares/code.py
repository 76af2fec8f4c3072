"""The 12 digits of a share face to face. They follow from the link's token, so the page can say them again.

40 bits are few: our tables hold only digests under a secret of ours, and guessing is bounded (``open_code``).
"""

import hashlib
import hmac
import re

from kit.i18n import ascii_digits

DIGITS = 12
_CODE = re.compile(r"[0-9]{12}", re.ASCII)


class Codes:
    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def of_token(self, token: str) -> str:
        """256 bits modulo 10^12 are even to 2^-216."""
        return f"{int.from_bytes(self._keyed('token', token)) % 10**DIGITS:0{DIGITS}}"

    def mac(self, code: str) -> bytes:
        return self._keyed("mac", code)

    def secret_of(self, code: str, *, share_id: str) -> bytes:
        """What wraps the share's key: of no use to whoever has the digits and our tables, but not our secret."""
        return self._keyed("wrap", f"{share_id}|{code}")

    def _keyed(self, purpose: str, text: str) -> bytes:
        return hmac.new(self._secret, f"{purpose}|{text}".encode(), hashlib.sha256).digest()


def normalised(text: str) -> str | None:
    """12 digits, typed in groups or in Arabic-Indic digits as well; None for anything else."""
    code = re.sub(r"[\s.-]", "", ascii_digits(text[:64]))
    return code if _CODE.fullmatch(code) else None


def in_groups(code: str) -> str:
    return " ".join(code[start : start + 4] for start in range(0, DIGITS, 4))
