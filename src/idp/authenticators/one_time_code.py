"""Six digits by message: for one purpose of one transaction, ten minutes, five tries, once."""

import hashlib
import hmac
import secrets as random
from uuid import UUID

from idp.authenticators.schema import Purpose
from idp.keys.secrets import Secrets
from kit.i18n import ascii_digits

TRIES_MAX = 5
_IGNORED = " \u00a0\u202f\u2009-\u200e\u200f\u061c\t"
_DIGITS_MAX = 40


def new_code() -> str:
    return f"{random.randbelow(10**6):06d}"


def as_typed(text: str) -> str:
    """Digits of either script, spaces and hyphens anywhere: ``١٢٣ ٤٥٦`` is ``123456``."""
    return "".join(c for c in ascii_digits(text[:_DIGITS_MAX]) if c not in _IGNORED)


def code_mac(secrets: Secrets, code: str, *, citizen_id: UUID, purpose: Purpose, binding: str) -> bytes:
    """Keyed, because a million digests are made in a second; bound, so that a code moved elsewhere is just wrong."""
    message = f"{citizen_id}|{purpose}|{binding}|{code}"
    return hmac.new(secrets.derive("one-time-code"), message.encode(), hashlib.sha256).digest()
