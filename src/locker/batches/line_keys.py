"""What a manifest says of citizens waits sealed for its document, and is gone when it came or the batch expired."""

import hashlib
import hmac
import secrets

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

SALT_BYTES = 32
_NONCE_BYTES = 12


class LineKeys:
    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def of(self, batch_id: str, salt: bytes) -> "LineKey":
        """Neither the database alone nor the secret alone opens a line; with the salt, the key is gone."""
        return LineKey(AESGCM(hmac.digest(self._secret, salt + batch_id.encode(), hashlib.sha256)), batch_id)


class LineKey:
    def __init__(self, aead: AESGCM, batch_id: str) -> None:
        self._aead = aead
        self._batch_id = batch_id

    def seal(self, line: int, text: bytes) -> bytes:
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self._aead.encrypt(nonce, text, self._bound(line))

    def open(self, line: int, sealed: bytes) -> bytes:
        return self._aead.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], self._bound(line))

    def _bound(self, line: int) -> bytes:
        return f"batch-line|{self._batch_id}|{line}".encode()
