"""The signature container (CMS SignedData, RFC 5652): who signed, and do the mathematics hold."""

import functools
import hashlib
from collections.abc import Callable
from typing import Any

import msgspec
from asn1crypto import cms, core, keys
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from pyhanko.sign.general import (
    CMSStructuralError,
    MultivaluedAttributeError,
    NonexistentAttributeError,
    find_cms_attribute_iter,
    find_unique_cms_attribute,
)
from pyhanko.sign.validation.errors import CMSAlgorithmProtectionError
from pyhanko.sign.validation.generic_cms import validate_algorithm_protection
from pyhanko_certvalidator.errors import AlgorithmNotSupported
from pyhanko_certvalidator.sig_validate import (
    DEFAULT_VALIDATION_CONTEXT,
    DefaultSignatureValidator,
    SignatureValidationContext,
)

from locker.signatures.certificate import Certificate, certificate_of, comparable, load_public_key
from locker.signatures.der import is_der
from locker.signatures.document import UNREADABLE
from locker.signatures.schema import Indication, SubIndication

_DIGESTS = {"sha1", "sha224", "sha256", "sha384", "sha512", "sha3_256", "sha3_384", "sha3_512", "md5", "ripemd160"}


class Finding(msgspec.Struct, frozen=True):
    """A reason against a signature."""

    indication: Indication
    sub_indication: SubIndication
    reason: str


def failed(sub_indication: SubIndication, reason: str) -> Finding:
    return Finding("TOTAL-FAILED", sub_indication, reason)


def indeterminate(sub_indication: SubIndication, reason: str) -> Finding:
    return Finding("INDETERMINATE", sub_indication, reason)


def digest_of(algorithm: str, *parts: Any) -> bytes | None:
    """None for an algorithm that is none."""
    if algorithm not in _DIGESTS:
        return None
    try:
        value = hashlib.new(algorithm)
    except ValueError:
        return None
    for part in parts:
        value.update(part)
    return value.digest()


# BSI TR-03111 §5.2.1: ECDSA with r and s side by side.
_PLAIN_ECDSA: dict[str, type[hashes.HashAlgorithm]] = {
    "0.4.0.127.0.7.1.1.4.1.3": hashes.SHA256,
    "0.4.0.127.0.7.1.1.4.1.4": hashes.SHA384,
    "0.4.0.127.0.7.1.1.4.1.5": hashes.SHA512,
}


class _Verifier(DefaultSignatureValidator):
    """pyHanko's, and two encodings that real signers use."""

    def validate_signature(
        self,
        signature: bytes,
        signed_data: bytes,
        public_key_info: keys.PublicKeyInfo,
        signature_algorithm: Any,
        context: SignatureValidationContext = DEFAULT_VALIDATION_CONTEXT,
    ) -> None:
        plain = _PLAIN_ECDSA.get(signature_algorithm["algorithm"].dotted)
        key = load_public_key(public_key_info)
        if plain and isinstance(key, ec.EllipticCurvePublicKey) and not context.prehashed:
            half = len(signature) // 2
            r, s = int.from_bytes(signature[:half]), int.from_bytes(signature[half:])
            key.verify(encode_dss_signature(r, s), signed_data, ec.ECDSA(plain()))
            return
        if isinstance(key, rsa.RSAPublicKey) and signature_algorithm.signature_algo != "rsassa_pss":
            encoded = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
            public_key_info = keys.PublicKeyInfo.load(encoded)
        super().validate_signature(signature, signed_data, public_key_info, signature_algorithm, context)


_VERIFIER = _Verifier()


class SignedData:
    """A container, read for its first signer. Raises what parsing raises."""

    def __init__(self, signed_data: cms.SignedData, *, certificates_max: int) -> None:
        self.asn1 = signed_data
        self.signer_info = signed_data["signer_infos"][0]
        self.several_signers = len(signed_data["signer_infos"]) > 1
        attributes = self.signer_info["signed_attrs"]
        # As they stand in the file, before anything reads and perhaps encodes them again; signed as a SET OF.
        self._signed_attributes = b"" if attributes is core.VOID else b"\x31" + attributes.dump()[1:]
        self.digest_algorithm: str = self.signer_info["digest_algorithm"]["algorithm"].native.lower()
        self.signature: bytes = self.signer_info["signature"].native
        self.certificates: list[Certificate] = []
        self.too_many_certificates = len(signed_data["certificates"]) > certificates_max
        for index, choice in enumerate(signed_data["certificates"]):
            if index >= certificates_max:
                break
            if choice.name == "certificate":
                try:
                    self.certificates.append(certificate_of(choice.dump()))
                except UNREADABLE:
                    continue

    def attribute(self, name: str) -> Any | None:
        """The single value of a signed attribute; None also where the attributes cannot be read."""
        attributes = self.signer_info["signed_attrs"]
        try:
            return find_unique_cms_attribute(attributes, name)
        except (NonexistentAttributeError, MultivaluedAttributeError, *UNREADABLE):
            return None

    @property
    def signature_algorithm(self) -> str:
        return str(self.signer_info["signature_algorithm"]["algorithm"].native)

    @functools.cached_property
    def _named_signer(self) -> tuple[Certificate | None, Finding | None]:
        signer = next((c for c in self.certificates if self._is_named(c)), None)
        if signer is None:
            return None, indeterminate("NO_SIGNING_CERTIFICATE_FOUND", "signing-certificate-missing")
        if not is_der(signer.der):
            return None, failed("FORMAT_FAILURE", "signing-certificate-encoding")
        if not self._is_the_signed_one(signer):
            return None, indeterminate("NO_SIGNING_CERTIFICATE_FOUND", "signing-certificate-mismatch")
        return signer, None

    def signer(self) -> tuple[Certificate | None, Finding | None]:
        """The signer's certificate; it must be the one that the signed attributes name (EN 319 102-1 §5.2.3.4)."""
        try:
            return self._named_signer
        except UNREADABLE:
            return None, indeterminate("NO_SIGNING_CERTIFICATE_FOUND", "signing-certificate-missing")

    def _is_named(self, certificate: Certificate) -> bool:
        identifier = self.signer_info["sid"]
        if identifier.name == "subject_key_identifier":
            return bool(certificate.asn1.key_identifier == identifier.chosen.native)
        named = identifier.chosen
        return named["serial_number"].native == certificate.asn1.serial_number and (
            named["issuer"].dump() == certificate.asn1.issuer.dump()
            or comparable(named["issuer"]) == certificate.issuer
        )

    def _is_the_signed_one(self, certificate: Certificate) -> bool:
        """By the digest in signing-certificate-v2 or signing-certificate (RFC 5035); without either, as PKCS #7 has it,
        any certificate with the right name would do."""
        attributes = self.signer_info["signed_attrs"]
        for name in ("signing_certificate_v2", "signing_certificate"):
            values = list(find_cms_attribute_iter(attributes, name))
            if len(values) > 1:
                return False
            if values:
                identifier = values[0]["certs"][0]
                algorithm = "sha1"
                if name == "signing_certificate_v2":
                    algorithm = identifier["hash_algorithm"]["algorithm"].native
                return bool(digest_of(algorithm, certificate.der) == identifier["cert_hash"].native)
        return True

    def against(self, signer: Certificate, digest: bytes | None, *, content_type: str) -> Finding | None:
        """What speaks against the signature value over content with this ``digest``, or None."""
        if digest is None:
            return failed("HASH_FAILURE", "digest-algorithm")
        attributes = self.signer_info["signed_attrs"]
        prehashed = attributes is core.VOID or not len(attributes)
        if prehashed:
            signed = digest
        else:
            stated, stated_type = self.attribute("message_digest"), self.attribute("content_type")
            if stated is None or stated_type is None or stated_type.native != content_type:
                return failed("FORMAT_FAILURE", "signed-attributes")
            if stated.native != digest:
                return failed("HASH_FAILURE", "document-altered")
            # Validators that encode again, as the standard says, find another value (RFC 5652 §5.4).
            signed = self._signed_attributes
            if not is_der(signed):
                return failed("SIG_CRYPTO_FAILURE", "not-der")
        algorithm = self.signer_info["signature_algorithm"]
        try:
            if not prehashed:
                validate_algorithm_protection(attributes, self.signer_info["digest_algorithm"], algorithm, None)
            context = SignatureValidationContext(contextual_md_algorithm=self.digest_algorithm, prehashed=prehashed)
            _VERIFIER.validate_signature(self.signature, signed, signer.asn1.public_key, algorithm, context)
        except InvalidSignature:
            return failed("SIG_CRYPTO_FAILURE", "signature-value")
        except (CMSStructuralError, CMSAlgorithmProtectionError):
            return failed("FORMAT_FAILURE", "signed-attributes")
        except (NotImplementedError, AlgorithmNotSupported):
            return indeterminate("CRYPTO_CONSTRAINTS_FAILURE", "signature-algorithm")
        except UNREADABLE:
            return failed("SIG_CRYPTO_FAILURE", "signature-value")
        return None


Imprint = Callable[[str], bytes | None]
"""Digest algorithm → digest of what a time stamp must be about."""
