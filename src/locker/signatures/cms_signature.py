"""The signature container (CMS SignedData, RFC 5652): who signed, and do the mathematics hold."""

import hashlib
from collections.abc import Callable
from typing import Any

import msgspec
from asn1crypto import cms, core, keys
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from pyhanko.sign.general import (
    CMSExtractionError,
    MultivaluedAttributeError,
    NonexistentAttributeError,
    find_unique_cms_attribute,
)
from pyhanko.sign.validation.errors import SignatureValidationError
from pyhanko.sign.validation.generic_cms import extract_certs_for_validation, validate_sig_integrity
from pyhanko_certvalidator.errors import AlgorithmNotSupported
from pyhanko_certvalidator.sig_validate import (
    DEFAULT_VALIDATION_CONTEXT,
    DefaultSignatureValidator,
    SignatureValidationContext,
)

from locker.signatures.certificate import Certificate, load_public_key
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
    """One signer's container. Raises what parsing raises."""

    def __init__(self, signed_data: cms.SignedData, *, certificates_max: int) -> None:
        self.asn1 = signed_data
        (self.signer_info,) = signed_data["signer_infos"]
        self.digest_algorithm: str = self.signer_info["digest_algorithm"]["algorithm"].native.lower()
        self.signature: bytes = self.signer_info["signature"].native
        self.certificates: list[Certificate] = []
        self.too_many_certificates = len(signed_data["certificates"]) > certificates_max
        for index, choice in enumerate(signed_data["certificates"]):
            if index >= certificates_max:
                break
            if choice.name == "certificate":
                try:
                    self.certificates.append(Certificate(choice.chosen.untag().dump()))
                except UNREADABLE:
                    continue

    def attribute(self, name: str) -> Any | None:
        """The single value of a signed attribute."""
        attributes = self.signer_info["signed_attrs"]
        try:
            return find_unique_cms_attribute(attributes, name)
        except (NonexistentAttributeError, MultivaluedAttributeError):
            return None

    @property
    def signature_algorithm(self) -> str:
        return str(self.signer_info["signature_algorithm"]["algorithm"].native)

    def signer(self) -> tuple[Certificate | None, Finding | None]:
        """The signer's certificate; it must be the one that the signed attributes name."""
        try:
            found = Certificate(extract_certs_for_validation(self.asn1).signer_cert.dump())
            if not is_der(found.der):
                return None, failed("FORMAT_FAILURE", "signing-certificate-encoding")
            return found, None
        except SignatureValidationError as refused:
            named = "not included" not in str(refused.failure_message)
            reason = "signing-certificate-mismatch" if named else "signing-certificate-missing"
            return None, indeterminate("NO_SIGNING_CERTIFICATE_FOUND", reason)
        except (CMSExtractionError, *UNREADABLE):
            return None, indeterminate("NO_SIGNING_CERTIFICATE_FOUND", "signing-certificate-missing")

    def against(self, signer: Certificate, digest: bytes | None, *, content_type: str) -> Finding | None:
        """What speaks against the signature value over content with this ``digest``, or None."""
        if digest is None:
            return failed("HASH_FAILURE", "digest-algorithm")
        attributes = self.signer_info["signed_attrs"]
        if attributes is not core.VOID and len(attributes):
            stated = self.attribute("message_digest")
            if stated is None or self.attribute("content_type") is None:
                return failed("FORMAT_FAILURE", "signed-attributes")
            if stated.native != digest:
                return failed("HASH_FAILURE", "document-altered")
            # Validators that encode again, as the standard says, find another value (RFC 5652 §5.4).
            if not is_der(attributes.untag().dump()):
                return failed("SIG_CRYPTO_FAILURE", "not-der")
        try:
            intact, valid = validate_sig_integrity(
                self.signer_info,
                signer.asn1,
                expected_content_type=content_type,
                actual_digest=digest,
                sig_validator=_VERIFIER,
            )
        except SignatureValidationError as refused:
            return _refused(refused)
        except (NotImplementedError, AlgorithmNotSupported):
            return indeterminate("CRYPTO_CONSTRAINTS_FAILURE", "signature-algorithm")
        except UNREADABLE:
            return failed("SIG_CRYPTO_FAILURE", "signature-value")
        if not intact:
            return failed("HASH_FAILURE", "document-altered")
        return None if valid else failed("SIG_CRYPTO_FAILURE", "signature-value")


def _refused(refused: SignatureValidationError) -> Finding:
    name = getattr(refused.ades_subindication, "name", None)
    if name == "NO_SIGNING_CERTIFICATE_FOUND":
        return indeterminate("NO_SIGNING_CERTIFICATE_FOUND", "signing-certificate-mismatch")
    return failed("FORMAT_FAILURE", "signed-attributes")


Imprint = Callable[[str], bytes | None]
"""Digest algorithm → digest of what a time stamp must be about."""
