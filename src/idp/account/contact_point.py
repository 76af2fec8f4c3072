"""What is typed as a phone number or an e-mail address, made into one."""

import msgspec

from idp.authenticators.schema import Destination
from idp.citizens.schema import EmailAddress, PhoneNumber
from kit.i18n import ascii_digits, strip_controls

_TYPED_MAX = 254


def contact_point(typed: str) -> Destination | None:
    """A national number (06…, 07…) is Moroccan; None for what is neither a number nor an address."""
    text = "".join(strip_controls(typed).split())
    if not text or len(text) > _TYPED_MAX:
        return None
    if "@" in text:
        return _as(EmailAddress, "email", text)
    digits = "".join(c for c in ascii_digits(text) if c not in "-.()/")
    if digits.startswith("00"):
        digits = "+" + digits[2:]
    elif digits.startswith("0"):
        digits = "+212" + digits[1:]
    return _as(PhoneNumber, "sms", digits)


def _as(form: object, channel: str, text: str) -> Destination | None:
    try:
        msgspec.convert(text, form)
    except msgspec.ValidationError:
        return None
    return Destination("sms" if channel == "sms" else "email", text)
