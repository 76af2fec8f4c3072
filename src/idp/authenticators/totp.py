"""Time-based one-time passwords (RFC 6238): SHA-1, six digits, 30 s, one step to either side."""

import base64
import hashlib
import hmac
import secrets
from urllib.parse import quote, urlencode

import segno

STEP_S = 30
DIGITS = 6
DRIFT_STEPS = 1


def new_secret() -> bytes:
    """160 bits, the length of the hash (RFC 4226 §4 R6)."""
    return secrets.token_bytes(20)


def as_text(secret: bytes) -> str:
    """Base32 in groups of four, for those who type it."""
    text = base64.b32encode(secret).decode().rstrip("=")
    return " ".join(text[i : i + 4] for i in range(0, len(text), 4))


def step_at(now_s: float) -> int:
    return int(now_s // STEP_S)


def code_at(secret: bytes, step: int, *, digits: int = DIGITS) -> str:
    """HOTP with the time step as its counter (RFC 4226 §5.3)."""
    mac = hmac.new(secret, step.to_bytes(8, "big"), hashlib.sha1).digest()
    offset = mac[-1] & 0x0F
    number = int.from_bytes(mac[offset : offset + 4], "big") & 0x7FFF_FFFF
    return str(number % 10**digits).zfill(digits)


def matching_step(secret: bytes, code: str, *, now_s: float) -> int | None:
    """The time step of ``code``, or None. That it was not used before is for the statement that spends it."""
    now = step_at(now_s)
    found = None
    for step in range(now - DRIFT_STEPS, now + DRIFT_STEPS + 1):
        if hmac.compare_digest(code_at(secret, step).encode(), code.encode()):
            found = step
    return found


def provisioning_uri(secret: bytes, *, account: str, issuer: str) -> str:
    """What authenticator apps read from the QR code (the Key URI format)."""
    label = quote(f"{issuer}:{account}", safe="")
    text = base64.b32encode(secret).decode().rstrip("=")
    return f"otpauth://totp/{label}?" + urlencode(
        {"secret": text, "issuer": issuer, "algorithm": "SHA1", "digits": DIGITS, "period": STEP_S}, quote_via=quote
    )


def qr_svg(uri: str) -> str:
    """An SVG element for the page itself: attributes only, because the policy allows no inline style."""
    return segno.make_qr(uri, error="m").svg_inline(scale=5, border=4, dark="#000", light="#fff", omitsize=True)
