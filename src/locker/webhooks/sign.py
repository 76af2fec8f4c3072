"""Keys and signatures of Standard Webhooks 1.0, "Signature scheme": over ``{id}.{timestamp}.{body}``."""

import base64
import hmac
import secrets

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from locker.webhooks.schema import Scheme

SECRET_BYTES = 32
"""The specification asks for 24 to 64."""


def new_key(scheme: Scheme) -> bytes:
    return secrets.token_bytes(SECRET_BYTES) if scheme == "v1" else Ed25519PrivateKey.generate().private_bytes_raw()


def verify_with(scheme: Scheme, key: bytes) -> str:
    """What a receiver is given: the secret itself, or the public half."""
    if scheme == "v1":
        return f"whsec_{base64.b64encode(key).decode()}"
    return f"whpk_{base64.b64encode(_private(key).public_key().public_bytes_raw()).decode()}"


def signature(scheme: Scheme, key: bytes, *, message_id: str, timestamp_s: int, body: bytes) -> str:
    """``message_id`` has no full stop, so that one signed content has one reading."""
    assert "." not in message_id
    content = b".".join((message_id.encode(), str(timestamp_s).encode(), body))
    made = hmac.digest(key, content, "sha256") if scheme == "v1" else _private(key).sign(content)
    return f"{scheme},{base64.b64encode(made).decode()}"


def _private(key: bytes) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(key)
