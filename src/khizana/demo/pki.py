"""The demo's trust service: a root, an issuing authority, a time-stamp authority and one seal per administration.

Made once with fresh random keys and kept in one folder; nothing outside the demo ever trusts it.
"""

import datetime as dt
import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
SealKey = Literal["P-256", "RSA-3072"]

_DAY = dt.timedelta(days=1)
# Certificates begin before the demo does, so that papers may carry seals of last year.
_BEGINS = -800 * _DAY
_ROOT_ENDS, _ISSUING_ENDS, _LEAF_ENDS = 7300 * _DAY, 5500 * _DAY, 1800 * _DAY
_CRL_ENDS = 1800 * _DAY
# A reserved name (RFC 2606): nothing answers there, and a judge must not ask.
_CRL_ADDRESS = "http://trust.khizana.example"


@dataclass(frozen=True, kw_only=True)
class SealOrder:
    """Whom to make a seal for. Names are at most 64 characters (X.520)."""

    identifier: str
    organisation_identifier: str
    latin_name: str
    arabic_name: str
    key: SealKey


@dataclass(frozen=True)
class Issued:
    certificate: x509.Certificate
    key: PrivateKey

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode("ascii")

    @property
    def key_pem(self) -> bytes:
        return self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )


@dataclass(frozen=True, kw_only=True)
class Pki:
    root: Issued
    issuing: Issued
    tsa: Issued
    seals: dict[str, Issued]
    """By the administration's identifier."""
    crls: tuple[bytes, ...]
    """DER, of the root and of the issuing authority."""

    @property
    def anchors(self) -> tuple[bytes, ...]:
        return (self.root.der,)

    @property
    def intermediates(self) -> tuple[bytes, ...]:
        return (self.issuing.der,)


def load_or_create(folder: Path, orders: Sequence[SealOrder]) -> Pki:
    """The trust service kept in ``folder``; a creation that was interrupted leaves nothing there."""
    if not folder.exists():
        _keep(_create(orders), folder)
    return _load(folder)


def _create(orders: Sequence[SealOrder]) -> Pki:
    now = dt.datetime.now(dt.UTC).replace(microsecond=0)
    root_key = ec.generate_private_key(ec.SECP384R1())
    root_name = _authority("Khizana Demo Root CA", "سلطة التصديق الجذرية، نموذج للعرض")
    root = _issue(root_name, root_key, None, now=now, ends=_ROOT_ENDS, authority=1)
    issuing_key = ec.generate_private_key(ec.SECP256R1())
    issuing_name = _authority("Khizana Demo Issuing CA", "سلطة التصديق الفرعية، نموذج للعرض")
    issuing = _issue(issuing_name, issuing_key, root, now=now, ends=_ISSUING_ENDS, authority=0)
    tsa_key = ec.generate_private_key(ec.SECP256R1())
    tsa_name = _authority("Khizana Demo Time-Stamp Authority", "سلطة ختم التوقيت، نموذج للعرض")
    tsa = _issue(tsa_name, tsa_key, issuing, now=now, ends=_LEAF_ENDS, time_stamping=True)
    seals = {
        order.identifier: _issue(_seal_name(order), _new_key(order.key), issuing, now=now, ends=_LEAF_ENDS)
        for order in orders
    }
    crls = tuple(_empty_crl(authority, now) for authority in (root, issuing))
    return Pki(root=root, issuing=issuing, tsa=tsa, seals=seals, crls=crls)


def _new_key(kind: SealKey) -> PrivateKey:
    if kind == "P-256":
        return ec.generate_private_key(ec.SECP256R1())
    return rsa.generate_private_key(public_exponent=65537, key_size=3072)


def _authority(latin_name: str, arabic_name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "MA"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Khizana Demo Trust Services"),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, arabic_name),
            x509.NameAttribute(NameOID.COMMON_NAME, latin_name),
        ]
    )


def _seal_name(order: SealOrder) -> x509.Name:
    """The subject of a legal person (ETSI EN 319 412-3 §4.2.1)."""
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "MA"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, order.latin_name),
            x509.NameAttribute(NameOID.ORGANIZATION_IDENTIFIER, order.organisation_identifier),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, order.arabic_name),
            x509.NameAttribute(NameOID.COMMON_NAME, f"Cachet (démo) {order.identifier}"),
        ]
    )


def _issue(
    subject: x509.Name,
    key: PrivateKey,
    issuer: Issued | None,
    *,
    now: dt.datetime,
    ends: dt.timedelta,
    authority: int | None = None,
    time_stamping: bool = False,
) -> Issued:
    """``authority`` is the path length of a CA; a root has no issuer."""
    signer = issuer.key if issuer else key
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + _BEGINS)
        .not_valid_after(now + ends)
        .add_extension(x509.BasicConstraints(ca=authority is not None, path_length=authority), critical=True)
        .add_extension(_usage(authority=authority is not None, seal=not time_stamping), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    if issuer:
        identifier = issuer.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        address = f"{_CRL_ADDRESS}/{'root' if authority is not None else 'issuing'}.crl"
        point = x509.DistributionPoint([x509.UniformResourceIdentifier(address)], None, None, None)
        builder = builder.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False
        ).add_extension(x509.CRLDistributionPoints([point]), critical=False)
    if time_stamping:
        # RFC 3161 §2.3: this purpose alone, and critical.
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), critical=True)
    return Issued(builder.sign(signer, _hash_of(signer)), key)


def _usage(*, authority: bool, seal: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        content_commitment=not authority and seal,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )


def _hash_of(key: PrivateKey) -> hashes.SHA256 | hashes.SHA384:
    large = isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.key_size > 256
    return hashes.SHA384() if large else hashes.SHA256()


def _empty_crl(authority: Issued, now: dt.datetime) -> bytes:
    """Valid as long as the certificates it speaks of: nobody renews the demo's lists."""
    identifier = authority.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(authority.certificate.subject)
        .last_update(now)
        .next_update(now + _CRL_ENDS)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False)
        .add_extension(x509.CRLNumber(1), critical=False)
    )
    return builder.sign(authority.key, _hash_of(authority.key)).public_bytes(serialization.Encoding.DER)


def _keep(pki: Pki, folder: Path) -> None:
    """Write beside ``folder`` and rename: it is there as a whole or not at all."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=".pki-", dir=folder.parent))
    try:
        for name, issued in _named(pki).items():
            _write(made / f"{name}.crt", issued.pem.encode("ascii"), mode=0o644)
            _write(made / f"{name}.key", issued.key_pem, mode=0o600)
        for name, crl in zip(("root", "issuing"), pki.crls, strict=True):
            _write(made / f"{name}.crl", crl, mode=0o644)
        made.rename(folder)
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _named(pki: Pki) -> dict[str, Issued]:
    seals = {f"seal-{identifier}": seal for identifier, seal in pki.seals.items()}
    return {"root": pki.root, "issuing": pki.issuing, "tsa": pki.tsa, **seals}


def _write(file: Path, body: bytes, *, mode: int) -> None:
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as out:
        out.write(body)
        out.flush()
        os.fsync(out.fileno())


def _load(folder: Path) -> Pki:
    seals = {file.stem.removeprefix("seal-"): _read(folder, file.stem) for file in sorted(folder.glob("seal-*.crt"))}
    return Pki(
        root=_read(folder, "root"),
        issuing=_read(folder, "issuing"),
        tsa=_read(folder, "tsa"),
        seals=seals,
        crls=tuple((folder / f"{name}.crl").read_bytes() for name in ("root", "issuing")),
    )


def _read(folder: Path, name: str) -> Issued:
    key = serialization.load_pem_private_key((folder / f"{name}.key").read_bytes(), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise ValueError(f"{name}.key: P-256, P-384 or RSA is expected")
    return Issued(x509.load_pem_x509_certificate((folder / f"{name}.crt").read_bytes()), key)
