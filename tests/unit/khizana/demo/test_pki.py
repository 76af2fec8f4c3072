import stat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from khizana.demo.country import ADMINISTRATIONS
from khizana.demo.pki import Pki, load_or_create

ORDERS = [administration.seal_order for administration in ADMINISTRATIONS]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo") / "pki"


@pytest.fixture(scope="module")
def pki(folder: Path) -> Pki:
    return load_or_create(folder, ORDERS)


def test_it_is_made_once_and_loaded_afterwards(pki: Pki, folder: Path) -> None:
    again = load_or_create(folder, ORDERS)
    assert again.anchors == pki.anchors
    assert again.crls == pki.crls
    assert {name: seal.der for name, seal in again.seals.items()} == {name: s.der for name, s in pki.seals.items()}
    assert [entry.name for entry in folder.parent.iterdir()] == ["pki"]


def test_only_its_owner_reads_the_keys(pki: Pki, folder: Path) -> None:
    keys = list(folder.glob("*.key"))
    assert len(keys) == 3 + len(pki.seals)
    assert {stat.S_IMODE(key.stat().st_mode) for key in keys} == {0o600}


def test_each_certificate_is_issued_by_the_one_above(pki: Pki) -> None:
    pki.root.certificate.verify_directly_issued_by(pki.root.certificate)
    pki.issuing.certificate.verify_directly_issued_by(pki.root.certificate)
    for issued in (pki.tsa, *pki.seals.values()):
        issued.certificate.verify_directly_issued_by(pki.issuing.certificate)
        assert issued.certificate.not_valid_after_utc < pki.issuing.certificate.not_valid_after_utc


@pytest.mark.parametrize("administration", ADMINISTRATIONS, ids=lambda a: a.identifier)
def test_a_seal_names_its_administration_in_two_scripts(pki: Pki, administration: object) -> None:
    seal = pki.seals[administration.identifier]  # type: ignore[attr-defined]
    subject = seal.certificate.subject
    values = {attribute.oid: attribute.value for attribute in subject}
    assert values[NameOID.ORGANIZATION_NAME] == administration.names["fr"]  # type: ignore[attr-defined]
    assert values[NameOID.ORGANIZATIONAL_UNIT_NAME] == administration.names["ar"]  # type: ignore[attr-defined]
    assert str(values[NameOID.ORGANIZATION_IDENTIFIER]).startswith("NTRMA-")
    usage = seal.certificate.extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical
    assert usage.value.content_commitment
    assert usage.value.digital_signature
    assert not usage.value.key_cert_sign


def test_seals_are_p256_and_rsa_3072(pki: Pki) -> None:
    kinds = {
        f"P-{key.curve.key_size}" if isinstance(key, ec.EllipticCurvePrivateKey) else f"RSA-{key.key_size}"
        for key in (seal.key for seal in pki.seals.values())
        if isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey)
    }
    assert kinds == {"P-256", "RSA-3072"}


def test_the_time_stamp_authority_may_do_nothing_else_rfc3161_2_3(pki: Pki) -> None:
    purpose = pki.tsa.certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    assert purpose.critical
    assert list(purpose.value) == [ExtendedKeyUsageOID.TIME_STAMPING]
    usage = pki.tsa.certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    assert not usage.content_commitment


def test_root_and_issuing_authority_publish_empty_lists(pki: Pki) -> None:
    for der, authority in zip(pki.crls, (pki.root, pki.issuing), strict=True):
        crl = x509.load_der_x509_crl(der)
        public_key = authority.certificate.public_key()
        assert isinstance(public_key, ec.EllipticCurvePublicKey)
        assert crl.is_signature_valid(public_key)
        assert len(crl) == 0
