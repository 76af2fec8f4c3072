"""The key of one share. Our tables hold it only under what its link, its code or its opener's secret gives."""

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_KEY_BYTES = 32
_NONCE_BYTES = 12


def new_share_key() -> bytes:
    return os.urandom(_KEY_BYTES)


def wrap(share_key: bytes, secret: bytes, *, share_id: str) -> bytes:
    """``secret`` has at least 256 bits of its own, or is keyed: it is not stretched."""
    return _sealed(share_key, _derived(secret), f"share-key|{share_id}")


def unwrap(wrapped: bytes, secret: bytes, *, share_id: str) -> bytes | None:
    """None: this secret does not open it."""
    return _opened(wrapped, _derived(secret), f"share-key|{share_id}")


def seal(credential: str, share_key: bytes, *, owner: str, share_id: str, document_id: str) -> bytes:
    return _sealed(credential.encode(), share_key, f"credential|{owner}|{share_id}|{document_id}")


def unseal(sealed: bytes, share_key: bytes, *, owner: str, share_id: str, document_id: str) -> str | None:
    opened = _opened(sealed, share_key, f"credential|{owner}|{share_id}|{document_id}")
    return None if opened is None else opened.decode()


def _derived(secret: bytes) -> bytes:
    """The table holds SHA-256 of a token: what wraps is derived otherwise (RFC 5869)."""
    return HKDF(hashes.SHA256(), _KEY_BYTES, salt=None, info=b"khizana share key v1").derive(secret)


def _sealed(plain: bytes, key: bytes, aad: str) -> bytes:
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, plain, aad.encode())


def _opened(sealed: bytes, key: bytes, aad: str) -> bytes | None:
    try:
        return AESGCM(key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], aad.encode())
    except InvalidTag:
        return None
