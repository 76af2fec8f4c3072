"""Signing keys of webhooks at rest: needed in clear at each delivery, so sealed, where other secrets are digests."""

import hashlib
import hmac
import secrets

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_FORMAT = b"\x01"
_NONCE_BYTES = 12


class SealedKeys:
    def __init__(self, secret: str) -> None:
        """``secret`` is the locker's setting; this key tells nothing of others that derive from it."""
        self._aead = AESGCM(hmac.new(bytes.fromhex(secret), b"webhook-keys", hashlib.sha256).digest())

    def seal(self, key: bytes, *, webhook_id: str, key_id: str) -> bytes:
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return _FORMAT + nonce + self._aead.encrypt(nonce, key, _place(webhook_id, key_id))

    def open(self, sealed: bytes, *, webhook_id: str, key_id: str) -> bytes:
        """InvalidTag for a row that was moved or changed: a fault."""
        nonce, rest = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        return self._aead.decrypt(nonce, rest, _place(webhook_id, key_id))


def _place(webhook_id: str, key_id: str) -> bytes:
    return _FORMAT + f"webhook|{webhook_id}|{key_id}".encode()
