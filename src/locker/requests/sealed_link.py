"""The address of a share between a citizen's answer and the relying party that fetches it."""

import hashlib
import hmac
import secrets

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_FORMAT = b"\x01"
_NONCE_BYTES = 12


class SealedLinks:
    def __init__(self, secret: str) -> None:
        """``secret`` is the locker's setting; this key tells nothing of others that derive from it."""
        self._aead = AESGCM(hmac.new(bytes.fromhex(secret), b"request-links", hashlib.sha256).digest())

    def seal(self, token: str, *, request_id: str) -> bytes:
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return _FORMAT + nonce + self._aead.encrypt(nonce, token.encode(), _place(request_id))

    def open(self, sealed: bytes, *, request_id: str) -> str:
        """InvalidTag for a row that was moved or changed: a fault."""
        nonce, rest = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        return self._aead.decrypt(nonce, rest, _place(request_id)).decode()


def _place(request_id: str) -> bytes:
    return _FORMAT + f"request|{request_id}".encode()
