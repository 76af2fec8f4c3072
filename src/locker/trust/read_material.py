"""Anchors and materials as officers hand them over. Their signatures are the judge's question, their form is ours."""

import base64
import binascii
import hashlib

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from locker.administrations.certificates import der, fingerprint, read_certificate, subject
from locker.trust.refusals import MaterialUnfit
from locker.trust.schema import Anchor, Material, Purpose


def read_anchor(text: str, purpose: Purpose) -> Anchor:
    certificate = read_certificate(text)
    return Anchor(
        sha256=fingerprint(certificate),
        purpose=purpose,
        der=der(certificate),
        subject=subject(certificate),
        not_after=certificate.not_valid_after_utc,
    )


def read_intermediate(text: str) -> Material:
    certificate = read_certificate(text)
    return Material(
        sha256=fingerprint(certificate),
        kind="certificate",
        der=der(certificate),
        issuer=certificate.issuer.rfc4514_string(),
        this_update=None,
        next_update=None,
    )


def read_crl(text: str) -> Material:
    try:
        crl = x509.load_pem_x509_crl(text.encode()) if "-----BEGIN" in text else x509.load_der_x509_crl(_base64(text))
        encoded = crl.public_bytes(Encoding.DER)
        return Material(
            sha256=hashlib.sha256(encoded).digest(),
            kind="crl",
            der=encoded,
            issuer=crl.issuer.rfc4514_string(),
            this_update=crl.last_update_utc,
            next_update=crl.next_update_utc,
        )
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise MaterialUnfit("crls: neither PEM nor DER in base64") from None


def read_ocsp(text: str) -> Material:
    encoded = _base64(text)
    try:
        response = ocsp.load_der_ocsp_response(encoded)
        if response.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
            raise MaterialUnfit("ocsps: an unsuccessful response")
        single = next(iter(response.responses))
        return Material(
            sha256=hashlib.sha256(encoded).digest(),
            kind="ocsp",
            der=encoded,
            issuer=response.responder_name.rfc4514_string() if response.responder_name else "",
            this_update=single.this_update_utc,
            next_update=single.next_update_utc,
        )
    except (ValueError, TypeError, UnsupportedAlgorithm, StopIteration):
        raise MaterialUnfit("ocsps: not DER in base64") from None


def _base64(text: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (ValueError, binascii.Error):
        raise MaterialUnfit("not base64") from None
