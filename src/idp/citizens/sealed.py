"""Attributes that are unreadable at rest, and findable without being readable."""

import hashlib
import hmac
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_FORMAT = b"\x01"
_NONCE_BYTES = 12


class SealBroken(Exception):
    """The bytes were not sealed here, for this place, under this key: a fault, never a citizen's mistake."""


class Sealer:
    """AES-256-GCM. ``place`` names the row and column, so that sealed bytes cannot be moved to another one."""

    def __init__(self, key: bytes) -> None:
        self._aead = AESGCM(key)

    def seal(self, plain: bytes, *, place: str) -> bytes:
        """format (1) | nonce (12) | ciphertext and tag: 29 bytes more than ``plain``."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return _FORMAT + nonce + self._aead.encrypt(nonce, plain, _FORMAT + place.encode())

    def open(self, sealed: bytes, *, place: str) -> bytes:
        if sealed[:1] != _FORMAT:
            raise SealBroken(place)
        try:
            return self._aead.decrypt(
                sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :], _FORMAT + place.encode()
            )
        except InvalidTag as fault:
            raise SealBroken(place) from fault


class BlindIndex:
    """HMAC-SHA256: equal values meet, and nobody without the key can try values against the column."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def of(self, value: str) -> bytes:
        return hmac.new(self._key, value.encode(), hashlib.sha256).digest()
