"""The certificate that a client showed to the edge proxy in TLS, which hands it over in a header (RFC 9440).

kit.edge drops the header unless a trusted proxy sent it, so whoever finds it here may believe it: the TLS handshake
proved that the client holds the key. Nothing has judged the certificate itself.
"""

import base64
import binascii
import hashlib
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import unquote

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

HEADER = b"client-cert"
_VALUE_MAX = 16_384
_PEM = "-----BEGIN CERTIFICATE-----"


class CertificateUnreadable(Exception):
    """The edge handed over something that is no certificate."""


class ClientCertificate(msgspec.Struct, frozen=True):
    parsed: x509.Certificate
    x5t: str
    """BASE64URL(SHA256(DER)) without padding (RFC 8705 §3.1)."""


def shown_in(headers: Iterable[tuple[bytes, bytes]]) -> ClientCertificate | None:
    for name, value in headers:
        if name == HEADER and value:
            return read(value.decode("latin-1"))
    return None


@lru_cache(maxsize=1_000)
def read(value: str) -> ClientCertificate:
    """``:BASE64(DER):`` (RFC 9440 §2.1), or the PEM text in percent-encoding as nginx escapes it."""
    try:
        if len(value) > _VALUE_MAX:
            raise ValueError
        if value.startswith(":") and value.endswith(":") and len(value) > 2:
            parsed = x509.load_der_x509_certificate(base64.b64decode(value[1:-1], validate=True))
        else:
            text = unquote(value)
            if not text.startswith(_PEM):
                raise ValueError
            parsed = x509.load_pem_x509_certificate(text.encode("ascii"))
    except (ValueError, binascii.Error) as fault:
        raise CertificateUnreadable from fault
    return ClientCertificate(parsed, x5t_of(parsed))


def x5t_of(certificate: x509.Certificate) -> str:
    der = certificate.public_bytes(Encoding.DER)
    return base64.urlsafe_b64encode(hashlib.sha256(der).digest()).rstrip(b"=").decode("ascii")
