"""One X.509 certificate in the two shapes that are needed: cryptography's for signatures, asn1crypto's for the rest."""

import functools
import hashlib
from datetime import UTC, datetime
from typing import Any

from asn1crypto import keys, x509
from cryptography import x509 as pyca_x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, padding, rsa


class Certificate:
    """``der`` must parse, else ValueError. Compared by its bytes."""

    def __init__(self, der: bytes) -> None:
        self.der = der
        self.sha256 = hashlib.sha256(der).digest()
        self.asn1 = x509.Certificate.load(der, strict=True)
        self.subject = comparable(self.asn1.subject)
        self.issuer = comparable(self.asn1.issuer)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Certificate) and self.sha256 == other.sha256

    def __hash__(self) -> int:
        return hash(self.sha256)

    @functools.cached_property
    def pyca(self) -> pyca_x509.Certificate:
        return pyca_x509.load_der_x509_certificate(self.der)

    @functools.cached_property
    def public_key(self) -> Any:
        return load_public_key(self.asn1.public_key)

    @functools.cached_property
    def not_before(self) -> datetime:
        return _utc(self.asn1["tbs_certificate"]["validity"]["not_before"])

    @functools.cached_property
    def not_after(self) -> datetime:
        return _utc(self.asn1["tbs_certificate"]["validity"]["not_after"])

    @property
    def self_issued(self) -> bool:
        return self.subject == self.issuer

    @functools.cached_property
    def key_kind(self) -> tuple[str, int]:
        """Kind and bits: ``("rsa", 3072)``; ``("unknown", 0)`` for what cannot be read."""
        try:
            key = self.public_key
        except (ValueError, TypeError, UnsupportedAlgorithm):
            return "unknown", 0
        match key:
            case rsa.RSAPublicKey():
                return "rsa", key.key_size
            case ec.EllipticCurvePublicKey():
                return "ec", key.curve.key_size
            case dsa.DSAPublicKey():
                return "dsa", key.key_size
            case ed25519.Ed25519PublicKey():
                return "ed25519", 256
            case ed448.Ed448PublicKey():
                return "ed448", 456
        return "unknown", 0

    @functools.cached_property
    def signature_digest(self) -> str | None:
        try:
            digest = self.pyca.signature_hash_algorithm
        except (ValueError, UnsupportedAlgorithm):
            return "unknown"
        return digest.name.replace("-", "_") if digest else None

    @functools.cached_property
    def key_usage(self) -> frozenset[str] | None:
        """None where the extension is absent."""
        value = self.asn1.key_usage_value
        return None if value is None else frozenset(value.native)

    @functools.cached_property
    def extended_key_usage(self) -> frozenset[str] | None:
        value = self.asn1.extended_key_usage_value
        return None if value is None else frozenset(value.native)

    def is_signed_by(self, issuer: "Certificate") -> bool:
        """The mathematics only: not names, not whether ``issuer`` may."""
        try:
            return signature_holds(
                issuer.public_key,
                self.pyca.signature,
                self.pyca.tbs_certificate_bytes,
                self.pyca.signature_hash_algorithm,
                self.pyca.signature_algorithm_parameters,
            )
        except (ValueError, TypeError, UnsupportedAlgorithm):
            return False


@functools.lru_cache(maxsize=1024)
def certificate_of(der: bytes) -> Certificate:
    """The certificate of these bytes, kept: a worker sees the same signers and authorities again and again."""
    return Certificate(der)


def comparable(name: x509.Name) -> str:
    """Names compare after preparation (RFC 5280 §7.1); what may not be prepared compares by its bytes."""
    try:
        return str(name.hashable)
    except ValueError:
        return str(name.dump().hex())


def _utc(time: Any) -> datetime:
    moment: datetime = time.native
    return moment.astimezone(UTC)


def load_public_key(info: keys.PublicKeyInfo) -> Any:
    """Identity cards of one country hold RSA moduli without the leading zero, so that they read as negative."""
    try:
        return serialization.load_der_public_key(info.dump())
    except ValueError:
        if info.algorithm != "rsa":
            raise
    numbers = info["public_key"].parsed
    modulus = int.from_bytes(numbers["modulus"].contents)
    exponent = int.from_bytes(numbers["public_exponent"].contents)
    return rsa.RSAPublicNumbers(exponent, modulus).public_key()


def signature_holds(
    key: Any,
    signature: bytes,
    data: bytes,
    digest: hashes.HashAlgorithm | None,
    parameters: Any = None,
) -> bool:
    try:
        match key:
            case rsa.RSAPublicKey() if digest:
                scheme = parameters if isinstance(parameters, padding.PSS) else padding.PKCS1v15()
                key.verify(signature, data, scheme, digest)
            case ec.EllipticCurvePublicKey() if digest:
                key.verify(signature, data, ec.ECDSA(digest))
            case dsa.DSAPublicKey() if digest:
                key.verify(signature, data, digest)
            case ed25519.Ed25519PublicKey() | ed448.Ed448PublicKey():
                key.verify(signature, data)
            case _:
                return False
    except (InvalidSignature, ValueError, TypeError, UnsupportedAlgorithm):
        return False
    return True
