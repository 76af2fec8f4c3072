"""Small secrets at rest that are needed in clear again, where other secrets are kept as digests."""

import hashlib
import hmac
import secrets

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_FORMAT = b"\x01"
_NONCE_BYTES = 12


def derived_key(secret: str, purpose: str) -> bytes:
    """One setting, many keys: none tells anything of another (HMAC as a PRF). ``secret`` is hexadecimal."""
    return hmac.new(bytes.fromhex(secret), purpose.encode(), hashlib.sha256).digest()


class Sealer:
    """0x01 | nonce (12) | AES-256-GCM, bound to the place where it stands."""

    def __init__(self, key: bytes) -> None:
        self._aead = AESGCM(key)

    def seal(self, plain: bytes, place: str) -> bytes:
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return _FORMAT + nonce + self._aead.encrypt(nonce, plain, _FORMAT + place.encode())

    def open(self, sealed: bytes, place: str) -> bytes:
        """InvalidTag for what was moved or changed: a fault."""
        nonce, rest = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        return self._aead.decrypt(nonce, rest, _FORMAT + place.encode())
