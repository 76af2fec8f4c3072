"""Bearer secrets: they exist once, in the response; at rest there is their digest."""

import hashlib
import secrets


def new_token() -> str:
    """256 random bits as BASE64URL without padding: 43 characters."""
    return secrets.token_urlsafe(32)


def digest(token: str) -> bytes:
    """SHA-256 of a high-entropy secret, 32 bytes. Not for passwords: those are stretched."""
    return hashlib.sha256(token.encode()).digest()


def digest_bytes(secret: bytes) -> bytes:
    """The same of a secret that is bytes: a WebAuthn challenge, a key's handle."""
    return hashlib.sha256(secret).digest()
