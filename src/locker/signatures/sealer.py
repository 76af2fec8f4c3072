"""A seal's certificates, and the CMS signature that its key makes: PAdES B-B and B-T (ETSI EN 319 142-1 §6.3).

The DER is written here: of the time that a seal takes, building it with asn1crypto was four fifths.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime

from asn1crypto import x509
from cryptography import x509 as pyca_x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from kit.errors import Invalid
from locker.signatures.signing_key import MemoryKey, PublicKey, SealKey, SigningKey, signature_algorithm, spki

DIGEST = "sha256"

_SEQUENCE, _SET, _OCTETS = 0x30, 0x31, 0x04
_TAG_0, _TAG_1, _TAG_4 = 0xA0, 0xA1, 0xA4
_SIGNED_DATA = bytes.fromhex("06092a864886f70d010702")
_DATA = bytes.fromhex("06092a864886f70d010701")
_CONTENT_TYPE = bytes.fromhex("06092a864886f70d010903")
_MESSAGE_DIGEST = bytes.fromhex("06092a864886f70d010904")
_SIGNING_CERTIFICATE_V2 = bytes.fromhex("060b2a864886f70d010910022f")
_SIGNATURE_TIME_STAMP = bytes.fromhex("060b2a864886f70d010910020e")
# RFC 5754 §2: without parameters.
_SHA256 = bytes.fromhex("300b0609608648016503040201")
_VERSION_1 = bytes.fromhex("020101")


class SealingRefused(Invalid):
    """The key, the certificate or the document would make a seal that no one accepts."""

    code, title = "sealing-refused", "This document cannot be sealed."


class Sealer:
    """``key`` is P-256, P-384 or RSA; ``chain_der`` are the CA certificates to embed, without the root."""

    def __init__(self, key: SigningKey | SealKey, certificate_der: bytes, chain_der: Sequence[bytes] = ()) -> None:
        self.key: SealKey = MemoryKey(key) if isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) else key
        self.certificate_der = certificate_der
        self.chain_der = tuple(chain_der)
        certificate = pyca_x509.load_der_x509_certificate(certificate_der)
        if not isinstance(public := certificate.public_key(), PublicKey) or spki(public) != spki(self.key.public):
            raise SealingRefused("The key does not belong to the certificate.")
        try:
            usage = certificate.extensions.get_extension_for_class(pyca_x509.KeyUsage).value
        except pyca_x509.ExtensionNotFound:
            raise SealingRefused("The certificate has no key usage.") from None
        if not usage.content_commitment:
            raise SealingRefused("The certificate's key usage does not permit sealing (nonRepudiation).")
        self._not_before = certificate.not_valid_before_utc
        self._not_after = certificate.not_valid_after_utc
        own = x509.Certificate.load(certificate_der)
        issuer, serial = own.issuer.dump(), own["tbs_certificate"]["serial_number"].dump()
        algorithm = signature_algorithm(self.key.public, DIGEST).dump()
        # What is the same in each seal. PAdES B-B has exactly these three signed attributes, B-T one unsigned.
        self._content_type = _attribute(_CONTENT_TYPE, _DATA)
        self._signing_certificate = _attribute(
            _SIGNING_CERTIFICATE_V2, _signing_certificate(certificate_der, issuer, serial)
        )
        self._certificates = _tlv(_TAG_0, *sorted([certificate_der, *chain_der]))
        self._before_attributes = _VERSION_1 + _tlv(_SEQUENCE, issuer, serial) + _SHA256
        self._algorithm = algorithm
        key_size = self.key.public.key_size
        self.container_size_bytes = (
            len(self.cms(self.signed_attributes(bytes(32)), bytes(key_size // 8 if key_size > 1000 else 150))) + 16
        )

    def check_valid_at(self, moment: datetime) -> None:
        if not self._not_before <= moment <= self._not_after:
            raise SealingRefused("The seal's certificate is not valid at this time.")

    def signed_attributes(self, document_digest: bytes) -> bytes:
        """What the key signs: a DER SET OF (RFC 5652 §5.4)."""
        digest = _attribute(_MESSAGE_DIGEST, _tlv(_OCTETS, document_digest))
        return _tlv(_SET, *sorted([self._content_type, digest, self._signing_certificate]))

    def cms(self, attributes: bytes, signature: bytes, token: bytes | None = None) -> bytes:
        """``token`` is a time-stamp token over ``signature``."""
        signer_info = _tlv(
            _SEQUENCE,
            self._before_attributes,
            bytes([_TAG_0]) + attributes[1:],
            self._algorithm,
            _tlv(_OCTETS, signature),
            _tlv(_TAG_1, _attribute(_SIGNATURE_TIME_STAMP, token)) if token else b"",
        )
        signed_data = _tlv(
            _SEQUENCE,
            _VERSION_1,
            _tlv(_SET, _SHA256),
            _tlv(_SEQUENCE, _DATA),
            self._certificates,
            _tlv(_SET, signer_info),
        )
        return _tlv(_SEQUENCE, _SIGNED_DATA, _tlv(_TAG_0, signed_data))


def _signing_certificate(der: bytes, issuer: bytes, serial: bytes) -> bytes:
    """SigningCertificateV2 with one ESSCertIDv2, whose hash is SHA-256 by default (RFC 5035 §3, §4)."""
    name = _tlv(_SEQUENCE, _tlv(_TAG_4, issuer))
    identifier = _tlv(_SEQUENCE, _tlv(_OCTETS, hashlib.sha256(der).digest()), _tlv(_SEQUENCE, name, serial))
    return _tlv(_SEQUENCE, _tlv(_SEQUENCE, identifier))


def _attribute(kind: bytes, value: bytes) -> bytes:
    return _tlv(_SEQUENCE, kind, _tlv(_SET, value))


def _tlv(tag: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    length = len(body)
    if length < 0x80:
        return bytes([tag, length]) + body
    octets = length.to_bytes((length.bit_length() + 7) // 8)
    return bytes([tag, 0x80 | len(octets)]) + octets + body
