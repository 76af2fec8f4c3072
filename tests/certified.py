"""A certification authority that answers requests for seal certificates."""

from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from tests.unit.locker.signatures.signature_pki import NOW, YEAR, pki


def certified(request: str, *, at: datetime = NOW) -> bytes:
    """What a certification authority makes of a certificate request: DER."""
    asked = x509.load_pem_x509_csr(request.encode())
    assert asked.is_signature_valid
    made = pki()
    builder = (
        x509.CertificateBuilder()
        .subject_name(asked.subject)
        .issuer_name(made.issuing.certificate.subject)
        .public_key(asked.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(at - YEAR)
        .not_valid_after(at + YEAR)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(False, True, *[False] * 7), critical=True)
    )
    return builder.sign(made.issuing.key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)
