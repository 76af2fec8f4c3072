"""Private keys for signing, in this process or elsewhere."""

from typing import Protocol

from asn1crypto import algos
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

SigningKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey

_HASHES: dict[str, type[hashes.HashAlgorithm]] = {
    "sha256": hashes.SHA256,
    "sha384": hashes.SHA384,
    "sha512": hashes.SHA512,
}


class SealKey(Protocol):
    """A private key, wherever it lives. ``sign`` blocks; ECDSA answers in DER."""

    @property
    def public(self) -> PublicKey: ...

    def sign(self, data: bytes, digest_algorithm: str) -> bytes: ...


class MemoryKey:
    """A key of this process. Keep it: to parse an RSA-3072 key again costs 134 ms."""

    def __init__(self, key: SigningKey) -> None:
        self._key = key
        self.public: PublicKey = key.public_key()

    def sign(self, data: bytes, digest_algorithm: str) -> bytes:
        return sign_raw(self._key, data, digest_algorithm)


def sign_raw(key: SigningKey, data: bytes, digest_algorithm: str) -> bytes:
    digest = _HASHES[digest_algorithm]()
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(data, padding.PKCS1v15(), digest)
    return key.sign(data, ec.ECDSA(digest))


def signature_algorithm(key: PublicKey, digest_algorithm: str) -> algos.SignedDigestAlgorithm:
    kind = "rsa" if isinstance(key, rsa.RSAPublicKey) else "ecdsa"
    return algos.SignedDigestAlgorithm({"algorithm": f"{digest_algorithm}_{kind}"})


def spki(key: PublicKey) -> bytes:
    """DER SubjectPublicKeyInfo."""
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
