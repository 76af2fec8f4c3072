"""Certificates as officers hand them over, read strictly."""

import base64
import binascii
import hashlib
from datetime import UTC, datetime
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa

from locker.administrations.refusals import CertificateUnfit

_RSA_BITS_MIN = 2048
_EC_BITS_MIN = 256
E = TypeVar("E", bound=x509.ExtensionType)

_HASHES = {"sha256", "sha384", "sha512"}


def read_certificate(text: str) -> x509.Certificate:
    """``text`` is PEM with one certificate, or DER in base64. CertificateUnfit for anything else."""
    try:
        if "-----BEGIN" in text:
            listed = x509.load_pem_x509_certificates(text.encode())
            if len(listed) != 1:
                raise CertificateUnfit("give one certificate in each entry")
            return listed[0]
        return x509.load_der_x509_certificate(base64.b64decode("".join(text.split()), validate=True))
    except (ValueError, binascii.Error, UnsupportedAlgorithm, TypeError):
        raise CertificateUnfit("this is neither PEM nor DER in base64") from None


def check_fit_for_seals(certificate: x509.Certificate, *, at: datetime | None = None) -> None:
    """An end-entity certificate for electronic seals or signatures, valid now, by an algorithm that still holds."""
    at = at or datetime.now(UTC)
    if certificate.not_valid_after_utc <= at:
        raise CertificateUnfit("it has expired")
    if (authority := _extension(certificate, x509.BasicConstraints)) is not None and authority.ca:
        raise CertificateUnfit("it is a certificate of an authority")
    usage = _extension(certificate, x509.KeyUsage)
    if usage is None or not usage.content_commitment:
        raise CertificateUnfit("its key usage lacks nonRepudiation (contentCommitment)")
    check_strength(certificate)


def check_strength(certificate: x509.Certificate) -> None:
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        strong = key.key_size >= _RSA_BITS_MIN
    elif isinstance(key, ec.EllipticCurvePublicKey):
        strong = key.curve.key_size >= _EC_BITS_MIN
    else:
        strong = isinstance(key, ed25519.Ed25519PublicKey | ed448.Ed448PublicKey)
    if not strong:
        raise CertificateUnfit("its key is too weak")
    try:
        hash_algorithm = certificate.signature_hash_algorithm
    except UnsupportedAlgorithm:
        raise CertificateUnfit("its signature algorithm is not supported") from None
    if hash_algorithm is not None and hash_algorithm.name not in _HASHES:
        raise CertificateUnfit("it is signed with a hash that no longer holds")


def der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.DER)


def fingerprint(certificate: x509.Certificate) -> bytes:
    """SHA-256 of the DER form."""
    return hashlib.sha256(der(certificate)).digest()


def subject(certificate: x509.Certificate) -> str:
    return certificate.subject.rfc4514_string()


def _extension(certificate: x509.Certificate, kind: type[E]) -> E | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None
    except ValueError:
        raise CertificateUnfit("its extensions cannot be read") from None
