"""Certificates of clients, and the header in which an edge hands them over."""

import base64
import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from kit.jose import SigningKey


def certificate(
    subject: str,
    *,
    key: SigningKey | None = None,
    issuer: str | None = None,
    signer: Any = None,
    extensions: Sequence[x509.ExtensionType] = (),
    days: int = 30,
) -> x509.Certificate:
    """Self-signed, unless somebody else signs."""
    key = key or SigningKey.generate("ES256")
    now = dt.datetime.now(dt.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name.from_rfc4514_string(subject))
        .issuer_name(x509.Name.from_rfc4514_string(issuer or subject))
        .public_key(key.private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(60))
        .not_valid_after(now + dt.timedelta(days))
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(signer or key.private, hashes.SHA256())


def files(folder: Path, subject: str) -> tuple[Path, Path]:
    """PEM: the certificate, which is its own authority; and the same with its key."""
    key = SigningKey.generate("ES256")
    shown = certificate(subject, key=key).public_bytes(Encoding.PEM)
    authority, whole = folder / "client.pem", folder / "client-with-key.pem"
    authority.write_bytes(shown)
    whole.write_bytes(shown + key.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return authority, whole


def header(shown: x509.Certificate | None) -> dict[str, str]:
    """RFC 9440 §2.1"""
    if shown is None:
        return {}
    return {"Client-Cert": f":{base64.b64encode(shown.public_bytes(Encoding.DER)).decode()}:"}
