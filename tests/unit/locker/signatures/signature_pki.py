"""A small public-key infrastructure and small PDFs, made once a process, for tests of seals and verdicts."""

import functools
import itertools
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from reportlab.pdfgen.canvas import Canvas

from locker.signatures.judge_document import judge_document
from locker.signatures.policies import VERIFY
from locker.signatures.schema import Policy, Trust, Verdict
from locker.signatures.seal import LocalTimeStamper, Sealer, seal
from locker.signatures.trust_store import TrustStore

NOW = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
YEAR = timedelta(days=365)

_serial = itertools.count(1000)

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


def name(common_name: str, *, organisation: str = "Test Administration") -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "MA"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


class Holder:
    """A key with its certificate, and what it takes to issue another."""

    def __init__(self, key: Key, certificate: x509.Certificate, chain: "tuple[Holder, ...]" = ()) -> None:
        self.key = key
        self.certificate = certificate
        self.chain = chain

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def chain_der(self) -> list[bytes]:
        return [holder.der for holder in self.chain]

    def sealer(self) -> Sealer:
        return Sealer(self.key, self.der, self.chain_der)

    def time_stamper(self, moment: datetime | None = None) -> LocalTimeStamper:
        return LocalTimeStamper(self.key, self.der, self.chain_der, clock=lambda: moment or NOW)


def issue(
    subject: x509.Name,
    *,
    by: Holder | None,
    key: Key | None = None,
    ca: bool = False,
    non_repudiation: bool = True,
    digital_signature: bool = False,
    time_stamping: bool = False,
    not_before: datetime = NOW - YEAR,
    not_after: datetime = NOW + 3 * YEAR,
    digest: hashes.HashAlgorithm | None = None,
) -> Holder:
    key = key or ec.generate_private_key(ec.SECP256R1())
    issuer_key = by.key if by else key
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by.certificate.subject if by else subject)
        .public_key(key.public_key())
        .serial_number(next(_serial))
        .not_valid_before(not_before)
        .not_valid_after(not_after)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
        .add_extension(
            x509.KeyUsage(
                digital_signature=digital_signature or time_stamping,
                content_commitment=non_repudiation and not ca,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                key_cert_sign=ca,
                crl_sign=ca,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
    )
    if time_stamping:
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), critical=True)
    # Digests that are too weak are made here too, for who must refuse them.
    certificate = builder.sign(issuer_key, digest or hashes.SHA256())  # type: ignore[arg-type]
    chain = (by, *by.chain) if by and by.chain is not None and by.certificate.issuer != by.certificate.subject else ()
    return Holder(key, certificate, chain)


def crl(
    by: Holder,
    *,
    revoked: Sequence[tuple[Holder, datetime]] = (),
    at: datetime = NOW,
    lifetime: timedelta = timedelta(days=7),
) -> bytes:
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(by.certificate.subject)
        .last_update(at)
        .next_update(at + lifetime)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(by.key.public_key()), critical=False)
        .add_extension(x509.CRLNumber(next(_serial)), critical=False)
    )
    for holder, since in revoked:
        builder = builder.add_revoked_certificate(
            x509.RevokedCertificateBuilder()
            .serial_number(holder.certificate.serial_number)
            .revocation_date(since)
            .add_extension(x509.CRLReason(x509.ReasonFlags.key_compromise), critical=False)
            .build()
        )
    return builder.sign(by.key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


class Pki:
    """Root, issuing CA, time-stamp authority, a P-256 seal and an RSA-3072 seal."""

    def __init__(self) -> None:
        self.root = issue(name("Test Root"), by=None, ca=True, not_before=NOW - 5 * YEAR, not_after=NOW + 10 * YEAR)
        self.issuing = issue(name("Test Issuing"), by=self.root, ca=True, not_before=NOW - 4 * YEAR)
        self.tsa = issue(name("Test TSA"), by=self.root, time_stamping=True, non_repudiation=False)
        self.seal = issue(name("Ministry of Tests"), by=self.issuing)
        self.rsa_seal = issue(name("Court of Tests"), by=self.issuing, key=rsa.generate_private_key(65537, 3072))
        self.crls = [crl(self.root), crl(self.issuing)]


@functools.cache
def pki() -> Pki:
    return Pki()


def plain_pdf(text: str = "An extract", *, pages: int = 1, pad_bytes: int = 0, form: bool = False) -> bytes:
    file = BytesIO()
    canvas = Canvas(file, pageCompression=0)
    for page in range(pages):
        canvas.drawString(72, 720, f"{text} {page + 1}")
        if form and page == 0:
            canvas.acroForm.textfield(name="amount", value="100", x=72, y=600, width=200, height=20)
        if pad_bytes and page == 0:
            # Comments of a content stream: they weigh, and draw nothing.
            canvas._code.append("%" + "x" * pad_bytes)
        canvas.showPage()
    canvas.save()
    return file.getvalue()


def raw_pdf(*objects: bytes, trailer: bytes = b"") -> bytes:
    """Objects 1, 2, 3 … as they are written, 1 being the catalog, with a right cross-reference table."""
    file = bytearray(b"%PDF-1.7\n")
    offsets = []
    for number, body in enumerate(objects, 1):
        offsets.append(len(file))
        file += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(file)
    file += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    for offset in offsets:
        file += b"%010d 00000 n \n" % offset
    file += b"trailer\n<< /Size %d /Root 1 0 R %s >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, trailer, start)
    return bytes(file)


@functools.cache
def sealed_pdf(*, time_stamped: bool = True, docmdp_locked: bool = True, form: bool = False, pages: int = 1) -> bytes:
    made = pki()
    return seal(
        plain_pdf(form=form, pages=pages),
        sealer=made.seal.sealer(),
        timestamper=made.tsa.time_stamper() if time_stamped else None,
        docmdp_locked=docmdp_locked,
        at=NOW,
    )


def update(pdf: bytes, change: Callable[[Any], None]) -> bytes:
    """An incremental update made by ``change(writer)``."""
    from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter

    writer = IncrementalPdfFileWriter(BytesIO(pdf))
    change(writer)
    output = BytesIO()
    writer.write(output)
    return output.getvalue()


def signed_by_other_software(
    pdf: bytes, holder: Holder, *, digest: str = "sha256", field: str = "Seal", locked: bool = False
) -> bytes:
    """A signature as stock pyHanko makes it: any digest, any certificate; ``locked``: no field may change after it."""
    from asn1crypto import keys as asn1_keys
    from asn1crypto import x509 as asn1_x509
    from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
    from pyhanko.sign import fields, signers
    from pyhanko_certvalidator.registry import SimpleCertificateStore

    encoded = holder.key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    store = SimpleCertificateStore()
    store.register_multiple([asn1_x509.Certificate.load(der) for der in holder.chain_der])
    signer = signers.SimpleSigner(
        signing_cert=asn1_x509.Certificate.load(holder.der),
        signing_key=asn1_keys.PrivateKeyInfo.load(encoded),
        cert_registry=store,
    )
    output = BytesIO()
    metadata = signers.PdfSignatureMetadata(
        field_name=field, md_algorithm=digest, subfilter=fields.SigSeedSubFilter.PADES
    )

    lock = fields.FieldMDPSpec(fields.FieldMDPAction.ALL) if locked else None
    spec = fields.SigFieldSpec(field, field_mdp_spec=lock)

    def sign() -> None:
        signers.PdfSigner(metadata, signer, new_field_spec=spec).sign_pdf(
            IncrementalPdfFileWriter(BytesIO(pdf)), output=output
        )

    # It starts an event loop of its own, which a thread that has one refuses.
    thread = threading.Thread(target=sign)
    thread.start()
    thread.join()
    return output.getvalue()


def trust(made: "Pki | None" = None, **changes: Any) -> Trust:
    made = made or pki()
    given: dict[str, Any] = {"anchors": (made.root.der,), "crls": tuple(made.crls), "version": "test"}
    return Trust(**(given | changes))


def judged(
    pdf: bytes, *, policy: Policy = VERIFY, at: datetime = NOW, known_until: datetime | None = None, **changes: Any
) -> Verdict:
    """A verdict in this process, without the worker: for tests of what is judged, not of limits."""
    return judge_document(pdf, TrustStore(trust(**changes)), policy, at, known_until)
