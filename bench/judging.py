"""Judging beside stock pyHanko called the obvious way: the same files, in turn, in one process on one core."""

import asyncio
import hashlib
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

from asn1crypto import crl as asn1_crl
from asn1crypto import keys as asn1_keys
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.fields import SigSeedSubFilter
from pyhanko.sign.signers import PdfSignatureMetadata, PdfSigner, SimpleSigner
from pyhanko.sign.validation import DocumentSecurityStore, validate_pdf_signature
from pyhanko_certvalidator import ValidationContext
from pyhanko_certvalidator.registry import SimpleCertificateStore

from bench.beside_stock import beside_stock
from bench.paper import drawn
from locker.signatures import fast_hex
from locker.signatures.judge import SignatureJudge, signature_workers
from locker.signatures.judge_document import judge_document
from locker.signatures.policies import VERIFY
from locker.signatures.schema import Trust
from locker.signatures.time_stamp import LocalTimeStamper
from locker.signatures.trust_store import TrustStore

_SLOW_HEX = generic.read_hex_string_from_stream
DAY = timedelta(days=1)
Key = ec.EllipticCurvePrivateKey


class Authorities:
    """A root, who issues, a seal, a time-stamp authority, and lists of who was revoked."""

    def __init__(self) -> None:
        self.root, self.root_der = _issue("Root", None, ca=True)
        self.issuing, self.issuing_der = _issue("Issuing", (self.root, self.root_der), ca=True)
        self.seal, self.seal_der = _issue("Seal", (self.issuing, self.issuing_der))
        self.tsa, self.tsa_der = _issue("TSA", (self.root, self.root_der), time_stamps=True)
        self.crls = [_crl(self.root, self.root_der), _crl(self.issuing, self.issuing_der)]
        self.trust = Trust(anchors=(self.root_der,), crls=tuple(self.crls), version="bench")

    def document(self, size: int, *, long_term: bool) -> bytes:
        pdf = _signed_elsewhere(
            drawn(size),
            _signer(self.seal, self.seal_der, self.issuing_der),
            LocalTimeStamper(self.tsa, self.tsa_der) if long_term else None,
        )
        if not long_term:
            return pdf
        output = BytesIO(pdf)
        [signature] = PdfFileReader(BytesIO(pdf)).embedded_signatures
        DocumentSecurityStore.add_dss(
            output,
            sig_contents=signature.pkcs7_content.hex().encode(),
            certs=[asn1_x509.Certificate.load(der) for der in (self.root_der, self.issuing_der, self.tsa_der)],
            crls=[asn1_crl.CertificateList.load(der) for der in self.crls],
        )
        return output.getvalue()


_RESERVED = 2 * 9_472
"""Digits for the container, as EU DSS reserves; others reserve up to 65,536."""


def _signer(key: Key, certificate: bytes, issuing: bytes) -> SimpleSigner:
    encoded = key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    chain = SimpleCertificateStore()
    chain.register(asn1_x509.Certificate.load(issuing))
    return SimpleSigner(
        signing_cert=asn1_x509.Certificate.load(certificate),
        signing_key=asn1_keys.PrivateKeyInfo.load(encoded),
        cert_registry=chain,
    )


def _signed_elsewhere(pdf: bytes, signer: SimpleSigner, time_stamper: LocalTimeStamper | None) -> bytes:
    """As programs sign that do not know how long their container will be."""
    metadata = PdfSignatureMetadata(field_name="Seal", subfilter=SigSeedSubFilter.PADES, md_algorithm="sha256")
    work = PdfSigner(metadata, signer, timestamper=time_stamper).async_sign_pdf(
        IncrementalPdfFileWriter(BytesIO(pdf)), bytes_reserved=_RESERVED
    )
    return bytes(asyncio.run(work).getbuffer())


def lines(*, quick: bool) -> Iterator[dict[str, Any]]:
    made = Authorities()
    kinds = (("b_b_100kB", 100_000, False), ("b_lt_100kB", 100_000, True), ("b_lt_20MB", 20_000_000, True))
    with tempfile.TemporaryDirectory() as folder:
        for name, size, long_term in kinds:
            path = Path(folder) / f"{name}.pdf"
            path.write_bytes(made.document(size, long_term=long_term))
            yield _beside(name, path, made, long_term=long_term, quick=quick)
        paths = []
        for number in range(16 if quick else 160):
            path = Path(folder) / f"{number}.pdf"
            path.write_bytes(made.document(100_000, long_term=True))
            paths.append(path)
        yield asyncio.run(_workers(made, paths))


def _beside(name: str, path: Path, made: Authorities, *, long_term: bool, quick: bool) -> dict[str, Any]:
    store = TrustStore(made.trust)
    return beside_stock(
        f"judge_{name}",
        {
            "khizana": lambda: _ours(path, store),
            "pyhanko": lambda: _stock(path, made, long_term=long_term),
            "limit": lambda: hashlib.sha256(path.read_bytes()).digest(),
        },
        rounds=4,
        quick=quick,
        limit="reading the file and its SHA-256",
        digits=2,
        note=f"{path.stat().st_size} bytes; certificates and chains are known",
    )


def _ours(path: Path, store: Any) -> None:
    generic.read_hex_string_from_stream = fast_hex.read_hex_string_from_stream  # type: ignore[assignment]
    verdict = judge_document(path.read_bytes(), store, VERIFY, datetime.now(UTC))
    assert verdict.passed, verdict.reasons


def _stock(path: Path, made: Authorities, *, long_term: bool) -> None:
    """As its documentation shows, without what a worker changes in it."""
    generic.read_hex_string_from_stream = _SLOW_HEX
    roots = [asn1_x509.Certificate.load(made.root_der)]
    with path.open("rb") as file:
        reader = PdfFileReader(file)
        [signature] = reader.embedded_signatures
        if long_term:
            context = DocumentSecurityStore.read_dss(reader).as_validation_context(
                {"trust_roots": roots, "allow_fetching": False}
            )
        else:
            context = ValidationContext(trust_roots=roots, crls=made.crls, allow_fetching=False)
        status = validate_pdf_signature(signature, context)
        assert status.bottom_line, status.pretty_print_details()


async def _workers(made: Authorities, paths: list[Path]) -> dict[str, Any]:
    """Different files, so that nothing is remembered; wall clock."""
    rates = {}
    for workers in (1, 2):
        pool = signature_workers(workers=workers, waiting_max=len(paths), wall_s=60.0)
        await pool.start()
        judge = SignatureJudge(pool)
        began = time.perf_counter()
        await asyncio.gather(*(judge.validate(path, trust=made.trust, policy=VERIFY) for path in paths))
        rates[workers] = len(paths) / (time.perf_counter() - began)
        began = time.perf_counter()
        await asyncio.gather(*(judge.validate(path, trust=made.trust, policy=VERIFY) for path in paths))
        again = len(paths) / (time.perf_counter() - began)
        await pool.close()
    return {
        "measure": "judge_b_lt_100kB_two_workers",
        "rate_per_s": round(rates[2], 1),
        "one_worker_rate_per_s": round(rates[1], 1),
        "times_one_worker": round(rates[2] / rates[1], 2),
        "judged_before_rate_per_s": round(again, 1),
        "note": "wall clock, through the pool",
    }


def _issue(
    common_name: str, by: tuple[Key, bytes] | None, *, ca: bool = False, time_stamps: bool = False
) -> tuple[Key, bytes]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    issuer = x509.load_der_x509_certificate(by[1]).subject if by else subject
    signing = by[0] if by else key
    now = datetime.now(UTC)
    usage = [time_stamps, not (ca or time_stamps), False, False, False, ca, ca, False, False]
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - DAY)
        .not_valid_after(now + 365 * DAY)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(*usage), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signing.public_key()), critical=False)
    )
    if time_stamps:
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), critical=True)
    return key, builder.sign(signing, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def _crl(key: Key, der: bytes) -> bytes:
    now = datetime.now(UTC)
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(x509.load_der_x509_certificate(der).subject)
        .last_update(now - timedelta(minutes=1))
        .next_update(now + 7 * DAY)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
        .add_extension(x509.CRLNumber(1), critical=False)
    )
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)
