"""Sealing beside stock pyHanko called the obvious way: the same file and key, in turn, in one process on one core."""

import hashlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any

from asn1crypto import keys as asn1_keys
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import NameOID
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign import fields, signers
from pyhanko_certvalidator.registry import SimpleCertificateStore

from bench.beside_stock import beside_stock
from bench.paper import drawn
from locker.signatures.seal import Sealer, seal

SIZE = 100_000
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


def lines(*, quick: bool) -> Iterator[dict[str, Any]]:
    pdf = drawn(SIZE)
    kinds: tuple[tuple[str, Key], ...] = (
        ("P-256", ec.generate_private_key(ec.SECP256R1())),
        ("RSA-3072", rsa.generate_private_key(65537, 3072)),
    )
    for kind, key in kinds:
        certificate = _certificate(key)
        yield beside_stock(
            f"seal_b_b_{kind}",
            {
                "khizana": _ours(pdf, key, certificate),
                "pyhanko": _stock(pdf, key, certificate),
                "limit": _least(pdf, key),
            },
            rounds=5,
            quick=quick,
            limit="SHA-256 of the file and one signature",
            digits=3,
            note=f"{SIZE // 1000} kB, B-B, certified (DocMDP P=1)",
        )


def _ours(pdf: bytes, key: Key, certificate: bytes) -> Callable[[], object]:
    sealer = Sealer(key, certificate)
    return lambda: seal(pdf, sealer=sealer)


def _stock(pdf: bytes, key: Key, certificate: bytes) -> Callable[[], object]:
    """As its documentation shows: one signer, ``sign_pdf`` for each file."""
    encoded = key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    signer = signers.SimpleSigner(
        signing_cert=asn1_x509.Certificate.load(certificate),
        signing_key=asn1_keys.PrivateKeyInfo.load(encoded),
        cert_registry=SimpleCertificateStore(),
    )
    metadata = signers.PdfSignatureMetadata(
        field_name="Seal",
        certify=True,
        docmdp_permissions=fields.MDPPerm.NO_CHANGES,
        subfilter=fields.SigSeedSubFilter.PADES,
    )
    return lambda: signers.sign_pdf(IncrementalPdfFileWriter(BytesIO(pdf)), metadata, signer=signer)


def _least(pdf: bytes, key: Key) -> Callable[[], object]:
    def once() -> bytes:
        digest = hashlib.sha256(pdf).digest()
        if isinstance(key, rsa.RSAPrivateKey):
            return key.sign(digest, padding.PKCS1v15(), hashes.SHA256())
        return key.sign(digest, ec.ECDSA(hashes.SHA256()))

    return once


def _certificate(key: Key) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Bench")])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.KeyUsage(False, True, *[False] * 7), critical=True)
    )
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)
