"""Challenges of passkeys: derived, so that a page costs no row; each is good once, in one browser, for one errand.

48 bytes: the time of expiry (6), a nonce (18), and 192 bits of a MAC over both and over whom they are for (24).
"""

import hashlib
import hmac
import secrets as random
from typing import Literal

from idp.keys.secrets import Secrets

Ceremony = Literal["create", "sign-in", "second-factor"]
LIFETIME_S = 300
_EXPIRY_BYTES, _NONCE_BYTES, _MAC_BYTES = 6, 18, 24
BYTES = _EXPIRY_BYTES + _NONCE_BYTES + _MAC_BYTES


def new_challenge(
    secrets: Secrets,
    *,
    ceremony: Ceremony,
    browser_sha256: bytes,
    errand: str,
    now_s: float,
    lifetime_s: int = LIFETIME_S,
) -> bytes:
    """At least 16 random bytes are asked for (Web Authentication §13.4.3)."""
    head = int(now_s + lifetime_s).to_bytes(_EXPIRY_BYTES, "big") + random.token_bytes(_NONCE_BYTES)
    return head + _mac(secrets, head, ceremony=ceremony, browser_sha256=browser_sha256, errand=errand)


def was_given(
    secrets: Secrets, challenge: bytes, *, ceremony: Ceremony, browser_sha256: bytes, errand: str, now_s: float
) -> bool:
    """By us, to this browser, for this, and not too long ago. That it was not used yet is for the statement that
    spends it."""
    if len(challenge) != BYTES:
        return False
    head, mac = challenge[:-_MAC_BYTES], challenge[-_MAC_BYTES:]
    ours = _mac(secrets, head, ceremony=ceremony, browser_sha256=browser_sha256, errand=errand)
    return hmac.compare_digest(ours, mac) and int.from_bytes(head[:_EXPIRY_BYTES], "big") > now_s


def _mac(secrets: Secrets, head: bytes, *, ceremony: str, browser_sha256: bytes, errand: str) -> bytes:
    message = head + browser_sha256 + f"{ceremony}|{errand}".encode()
    return hmac.new(secrets.derive("passkey-challenge"), message, hashlib.sha256).digest()[:_MAC_BYTES]
