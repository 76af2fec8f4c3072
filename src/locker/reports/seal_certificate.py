"""The locker's own seal, for what it says itself: a key in a file, with a certificate that an authority may replace."""

import datetime as dt
import hashlib
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from kit.jose import SigningKey
from kit.whole_file import write_once
from locker.signatures.seal import Sealer, seal

_LIFETIME = dt.timedelta(days=3650)


class ReportSeal:
    """``pem`` is what others need to recognise the seal: its certificate, and those of the chain behind it."""

    def __init__(self, sealer: Sealer, pem: str) -> None:
        self._sealer = sealer
        self.pem = pem
        self.certificate_sha256 = hashlib.sha256(sealer.certificate_der).hexdigest()

    @classmethod
    def load_or_create(cls, folder: Path, *, name: str) -> "ReportSeal":
        """``report-seal-ES256.pem`` and ``report-seal.crt`` (PEM, the seal first, then its chain without the root).

        Without a certificate a self-signed one is made, which proves that our own service made a report and no more;
        put one of the state's authority there instead. ``name`` is our address.
        """
        key = SigningKey.load_or_create(folder / "report-seal-ES256.pem", "ES256")
        path = folder / "report-seal.crt"
        if not path.exists():
            write_once(path, _self_signed(key.private, name))
        pem = path.read_text(encoding="ascii")
        own, *chain = [c.public_bytes(Encoding.DER) for c in x509.load_pem_x509_certificates(pem.encode())]
        private: Any = key.private
        return cls(Sealer(private, own, chain), pem)

    def seal(self, pdf: bytes, *, at: dt.datetime) -> bytes:
        """PAdES B-B, locked: nothing may be added. Blocks, about 3 ms."""
        return seal(pdf, sealer=self._sealer, field_name="Report", at=at)


def _self_signed(key: Any, name: str) -> bytes:
    host = (urlsplit(name).hostname or name)[:64]
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Khizana"),
            x509.NameAttribute(NameOID.COMMON_NAME, f"Verification {host}"[:64]),
        ]
    )
    now = dt.datetime.now(dt.UTC)
    usage = dict.fromkeys(
        (
            "digital_signature",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "key_cert_sign",
            "crl_sign",
            "encipher_only",
            "decipher_only",
        ),
        False,
    )
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(minutes=5))
        .not_valid_after(now + _LIFETIME)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(content_commitment=True, **usage), critical=True)
        .sign(key, hashes.SHA256())
        .public_bytes(Encoding.PEM)
    )
