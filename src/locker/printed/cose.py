"""COSE_Sign1 with ES256 in deterministic CBOR (RFC 9052 §4.2, RFC 8949 §4.2.1), and nothing else of COSE.

Whatever is not encoded in the one permitted way is refused, so that one altered byte, the framing included, is enough.
"""

import base64
import binascii
import re
from collections.abc import Sequence
from typing import Any

import cbor2
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from kit.jose import PublishedKey, SigningKey
from kit.plain_cbor import end_of

_ALG, _KID, _ES256 = 1, 4, -7
_TAG = 18
_TAG_HEAD = b"\xd2"
_HALF = 32
_KID_BYTES = 8
_TEXT_MAX = 4_000
_BASE64URL = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)


class NotAuthentic(Exception):
    """``reason`` is a stable word: encoding, key, distrusted, signature."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def sign1(claims: dict[int | str, Any], key: SigningKey) -> bytes:
    """The header names ES256 and the first eight bytes of the key's thumbprint (RFC 7638)."""
    assert isinstance(key.private, ec.EllipticCurvePrivateKey)
    protected, payload = _encoded({_ALG: _ES256, _KID: kid_of(key)}), _encoded(claims)
    r, s = decode_dss_signature(key.private.sign(_to_sign(protected, payload), ec.ECDSA(hashes.SHA256())))
    signature = r.to_bytes(_HALF) + s.to_bytes(_HALF)
    return _encoded(cbor2.CBORTag(_TAG, [protected, {}, payload, signature]))


def verified1(
    message: bytes, keys: Sequence[PublishedKey], *, distrusted: Sequence[PublishedKey] = ()
) -> dict[int | str, Any]:
    """The claims. NotAuthentic for everything that one of ``keys`` did not sign just so."""
    try:
        tag = _decoded(message, head=_TAG_HEAD)
        if not isinstance(tag, cbor2.CBORTag) or tag.tag != _TAG:
            raise NotAuthentic("encoding")
        protected, unprotected, payload, signature = tag.value
        header, claims = _decoded(protected), _decoded(payload)
        if set(header) != {_ALG, _KID} or header[_ALG] != _ES256 or unprotected != {}:
            raise NotAuthentic("encoding")
        if not isinstance(claims, dict) or not isinstance(signature, bytes) or len(signature) != 2 * _HALF:
            raise NotAuthentic("encoding")
    except (ValueError, TypeError, AttributeError, cbor2.CBORError):
        raise NotAuthentic("encoding") from None
    der = encode_dss_signature(int.from_bytes(signature[:_HALF]), int.from_bytes(signature[_HALF:]))
    candidates = [key for key in keys if kid_of(key) == header[_KID]]
    if not candidates:
        raise NotAuthentic("distrusted" if any(kid_of(key) == header[_KID] for key in distrusted) else "key")
    for key in candidates:
        try:
            assert isinstance(key.public, ec.EllipticCurvePublicKey)
            key.public.verify(der, _to_sign(protected, payload), ec.ECDSA(hashes.SHA256()))
        except InvalidSignature:
            continue
        return dict(claims)
    raise NotAuthentic("signature")


def text_of(message: bytes) -> str:
    return base64.urlsafe_b64encode(message).rstrip(b"=").decode("ascii")


def message_of(text: str) -> bytes:
    """NotAuthentic for what is not base64url without padding in its one form (RFC 4648 §3.5)."""
    if len(text) > _TEXT_MAX or not _BASE64URL.fullmatch(text):
        raise NotAuthentic("encoding")
    try:
        message = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (ValueError, binascii.Error):
        raise NotAuthentic("encoding") from None
    if text_of(message) != text:
        raise NotAuthentic("encoding")
    return message


def kid_of(key: PublishedKey) -> bytes:
    return base64.urlsafe_b64decode(key.kid + "=" * (-len(key.kid) % 4))[:_KID_BYTES]


def _to_sign(protected: bytes, payload: bytes) -> bytes:
    """Sig_structure (RFC 9052 §4.4)."""
    return _encoded(["Signature1", protected, b"", payload])


def _encoded(value: Any) -> bytes:
    return cbor2.dumps(value, canonical=True)


def _decoded(data: bytes, *, head: bytes = b"") -> Any:
    # Before it is built: other tags than ``head`` could make it grow without end where it is encoded again.
    if not data.startswith(head) or end_of(data, len(head)) != len(data):
        raise NotAuthentic("encoding")
    value = cbor2.loads(data)
    if _encoded(value) != data:
        raise NotAuthentic("encoding")
    return value
