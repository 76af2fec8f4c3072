"""What officers register: administrations, types, trust. Files in, JSON out, the same twice is the same."""

import datetime as dt
from typing import Any

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from khizana.demo.pki import Pki
from kit.audit import Audit
from kit.db import Database
from kit.errors import Refusal
from locker.administrations.identify import identify
from locker.administrations.refusals import (
    AdministrationSuspended,
    AdministrationUnknown,
    CertificateUnfit,
    ClientTaken,
    NotAnAdministration,
    TypeUnregistered,
)
from locker.administrations.register import register
from locker.administrations.schema import AdministrationRegistered, AdministrationRegistration
from locker.administrations.suspend import resume, suspend
from locker.catalogue.fields import FieldsChecker
from locker.catalogue.find_entitled import find_entitled
from locker.catalogue.refusals import FieldsInvalid, SchemaUnfit, TypeNotAllowed
from locker.catalogue.register_type import register_type
from locker.catalogue.schema import DocumentType, SignatureRequirement, TypeRegistration
from locker.trust.add import add
from locker.trust.refusals import AnchorUnknown, MaterialUnfit
from locker.trust.register import TrustRegister
from locker.trust.schema import TrustAddition
from locker.trust.withdraw import show, withdraw
from tests.locker_world import INTERIOR, JUSTICE, SCHEMA, names, new_pki

AUDIT = Audit("locker")


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return new_pki(tmp_path_factory.mktemp("pki") / "pki")


async def registered_type(db: Database, type_: str = "BIRTHEXTRACT", **changes: Any) -> DocumentType:
    registration = TypeRegistration(
        **{"type": type_, "names": names(type_), "category": "civil-status", "fields": SCHEMA, **changes}
    )
    return await register_type(db, AUDIT, registration, officer="test")


async def registered(db: Database, administration: str = INTERIOR, **changes: Any) -> AdministrationRegistered:
    registration = AdministrationRegistration(administration=administration, names=names("x"), **changes)
    return await register(db, AUDIT, registration, officer="test")


async def test_a_registration_says_all_that_holds(locker_db: Database, pki: Pki) -> None:
    await registered_type(locker_db)
    await registered_type(locker_db, "RESIDENCE")
    seal = pki.seals[INTERIOR]
    wanted = {"clients": ["a", "b"], "types": ["BIRTHEXTRACT", "RESIDENCE"], "seal_certificates": [seal.pem]}
    first = await registered(locker_db, **wanted)
    assert (first.clients, first.types, len(first.seal_certificates)) == (["a", "b"], wanted["types"], 1)
    assert await registered(locker_db, **wanted) == first
    fewer = await registered(locker_db, clients=["b"], types=["RESIDENCE"])
    assert (fewer.clients, fewer.types, fewer.seal_certificates) == (["b"], ["RESIDENCE"], [])
    assert await registered(locker_db, **wanted) == first


async def test_domains_are_of_the_registration_too(locker_db: Database) -> None:
    wanted = ["docs.interieur.gov.ma", "interieur.example"]
    assert (await registered(locker_db, domains=wanted[::-1])).domains == wanted
    assert (await registered(locker_db, domains=wanted[:1])).domains == wanted[:1]
    assert (await registered(locker_db)).domains == []


@pytest.mark.parametrize(
    "domain",
    [
        "ma",
        "localhost",
        "10.0.0.1",
        "a.1",
        ".gov.ma",
        "gov.ma.",
        "Gov.ma",
        "*.gov.ma",
        "a..ma",
        "gov.ma/x",
        "-a.ma",
        "",
    ],
)
def test_a_domain_is_a_name_of_two_labels_at_least(domain: str) -> None:
    told = {"administration": INTERIOR, "names": msgspec.to_builtins(names("x")), "domains": [domain]}
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(told, AdministrationRegistration)


async def test_a_client_speaks_for_one_administration(locker_db: Database) -> None:
    await registered(locker_db, clients=["mine"])
    with pytest.raises(ClientTaken):
        await registered(locker_db, JUSTICE, clients=["mine", "other"])
    with pytest.raises(NotAnAdministration):
        await identify(locker_db, client_id="other")


async def test_an_unknown_type_is_refused_and_nothing_is_registered(locker_db: Database) -> None:
    with pytest.raises(TypeUnregistered):
        await registered(locker_db, "ma.gov.nouveau", types=["NOSUCHTYPE"])
    with pytest.raises(AdministrationUnknown):
        await suspend(locker_db, AUDIT, "ma.gov.nouveau", reason="x", officer="test")


async def test_suspension_counts_from_the_next_request(locker_db: Database) -> None:
    await registered(locker_db, clients=["suspended-backend"])
    await suspend(locker_db, AUDIT, INTERIOR, reason="inquiry", officer="test")
    with pytest.raises(AdministrationSuspended):
        await identify(locker_db, client_id="suspended-backend")
    await resume(locker_db, AUDIT, INTERIOR, officer="test")
    assert (await identify(locker_db, client_id="suspended-backend")).administration == INTERIOR


async def test_a_registration_does_not_end_a_suspension(locker_db: Database) -> None:
    await suspend(locker_db, AUDIT, INTERIOR, reason="inquiry", officer="test")
    assert (await registered(locker_db, clients=["x"])).state == "suspended"
    await resume(locker_db, AUDIT, INTERIOR, officer="test")


@pytest.mark.parametrize(
    "wrong",
    [
        {"administration": "interieur"},
        {"administration": "ma.gov-x.y"},
        {"administration": "MA.GOV.X"},
        {"names": {"ar": "x", "fr": "x", "en": "x"}},
        {"types": ["lower"]},
        {"state": "active"},
    ],
)
def test_a_file_that_says_it_wrongly_is_refused(wrong: dict[str, Any]) -> None:
    right = {"administration": INTERIOR, "names": {"ar": "x", "fr": "x", "zgh": "x", "en": "x"}}
    msgspec.convert(right, AdministrationRegistration)
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({**right, **wrong}, AdministrationRegistration)


def certificate(*, key: Any = None, days: int = 30, usage: bool = True, ca: bool = False, hash_: Any = None) -> str:
    key = key or ec.generate_private_key(ec.SECP256R1())
    now = dt.datetime.now(dt.UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Cachet")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=60))
        .not_valid_after(now + dt.timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(
            x509.KeyUsage(
                digital_signature=True,
                content_commitment=usage,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                key_cert_sign=False,
                crl_sign=False,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
    )
    return builder.sign(key, hash_ or hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


async def test_only_a_sound_seal_certificate_is_registered(locker_db: Database, pki: Pki) -> None:
    good = certificate()
    assert len((await registered(locker_db, seal_certificates=[good])).seal_certificates) == 1
    for bad in (
        "nonsense",
        good + certificate(),
        good[:200],
        certificate(days=-1),
        certificate(usage=False),
        certificate(ca=True),
        certificate(key=rsa.generate_private_key(public_exponent=65537, key_size=1024)),
        certificate(key=ec.generate_private_key(ec.SECP192R1())),
        pki.issuing.pem,
        pki.tsa.pem,
    ):
        with pytest.raises(CertificateUnfit):
            await registered(locker_db, seal_certificates=[bad])


async def test_a_types_version_moves_with_its_fields_alone(locker_db: Database) -> None:
    first = await registered_type(locker_db, "DIPLOMA")
    assert (await registered_type(locker_db, "DIPLOMA", names=names("Other"))).version == first.version
    changed = {**SCHEMA, "required": []}
    assert (await registered_type(locker_db, "DIPLOMA", fields=changed)).version == first.version + 1


async def test_the_order_of_fields_is_kept(locker_db: Database) -> None:
    properties = {name: {"type": "string"} for name in ("zz", "a", "mm", "b")}
    type_ = await registered_type(locker_db, "ORDERED", fields={"type": "object", "properties": properties})
    assert list(type_.fields["properties"]) == ["zz", "a", "mm", "b"]


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"type": "string"},
        {"type": "object", "properties": {"a": {"type": "no-such-type"}}},
        {"type": "object", "properties": {"a": {"$ref": "https://169.254.169.254/schema"}}},
        {"type": "object", "properties": {"a": {"$ref": "file:///etc/passwd"}}},
        {"type": "object", "$ref": "#/$defs/none"},
        {"type": "object", "description": "x" * 70_000},
    ],
)
async def test_a_schema_that_cannot_check_fields_is_refused(locker_db: Database, fields: dict[str, Any]) -> None:
    with pytest.raises(SchemaUnfit):
        await registered_type(locker_db, "BROKEN", fields=fields)


async def test_a_type_is_open_to_the_entitled_alone(locker_db: Database) -> None:
    await registered_type(locker_db)
    await registered(locker_db, types=["BIRTHEXTRACT"])
    assert (await find_entitled(locker_db, administration=INTERIOR, type_="BIRTHEXTRACT")).type == "BIRTHEXTRACT"
    for administration, type_ in ((JUSTICE, "BIRTHEXTRACT"), (INTERIOR, "NOSUCHTYPE")):
        with pytest.raises(TypeNotAllowed):
            await find_entitled(locker_db, administration=administration, type_=type_)


def test_fields_are_checked_by_the_version_that_is_given() -> None:
    checker = FieldsChecker()
    strict = DocumentType(
        type="X",
        version=1,
        names=names("x"),
        category="x",
        fields=SCHEMA,
        signature=SignatureRequirement(),
        validity_days=None,
        retention_days=None,
    )
    checker.check(strict, {"family_name": "Alaoui", "birthdate": "1990-02-28"})
    with pytest.raises(FieldsInvalid):
        checker.check(strict, {})
    checker.check(msgspec.structs.replace(strict, version=2, fields={"type": "object"}), {})
    with pytest.raises(FieldsInvalid):
        checker.check(strict, {"family_name": "x", "birthdate": "1990-02-30"})


def test_a_refusal_names_what_the_schema_names_and_nothing_that_was_sent() -> None:
    """Where a schema leaves names open, they may be somebody's, and a batch keeps its refusals for days."""
    schema = {
        "type": "object",
        "properties": {"children": {"type": "object", "additionalProperties": {"type": "integer"}}},
        "patternProperties": {"^x-": {"type": "array", "items": {"type": "string"}}},
    }
    type_ = DocumentType(
        type="X",
        version=1,
        names=names("x"),
        category="x",
        fields=schema,
        signature=SignatureRequirement(),
        validity_days=None,
        retention_days=None,
    )
    with pytest.raises(FieldsInvalid) as refused:
        FieldsChecker().check(type_, {"children": {"canary": "old"}, "x-canary": ["a", 1]})
    assert [one["pointer"] for one in refused.value.members["errors"]] == ["/children/*", "/*/1"]


async def test_trust_is_what_was_added_and_not_withdrawn(locker_db: Database, pki: Pki) -> None:
    register_ = TrustRegister()
    addition = TrustAddition(anchors=[pki.root.pem], time_stamp_anchors=[pki.tsa.pem], intermediates=[pki.issuing.pem])
    shown = await add(locker_db, AUDIT, addition, officer="test")
    trust = await register_.trust(locker_db)
    assert (trust.anchors, trust.time_stamp_anchors, trust.intermediates) == (
        (pki.root.der,),
        (pki.tsa.der,),
        (pki.issuing.der,),
    )
    await withdraw(locker_db, AUDIT, next(a.sha256 for a in shown.anchors if a.purpose == "any"), officer="test")
    assert (await register_.trust(locker_db)).anchors == ()
    assert [anchor.purpose for anchor in (await show(locker_db)).anchors] == ["time-stamp"]


async def test_a_newer_revocation_list_takes_the_older_ones_place(locker_db: Database, pki: Pki) -> None:
    def crl(day: int) -> str:
        issued = dt.datetime(2026, 1, day, tzinfo=dt.UTC)
        builder = x509.CertificateRevocationListBuilder().issuer_name(pki.issuing.certificate.subject)
        builder = builder.last_update(issued).next_update(issued + dt.timedelta(days=900))
        signed = builder.sign(pki.issuing.key, hashes.SHA256())
        return signed.public_bytes(serialization.Encoding.PEM).decode()

    for day in (3, 4):
        await add(locker_db, AUDIT, TrustAddition(crls=[crl(day)]), officer="test")
    assert len((await TrustRegister().trust(locker_db)).crls) == 1


@pytest.mark.parametrize(
    ("addition", "refusal"),
    [
        (TrustAddition(anchors=["x"]), CertificateUnfit),
        (TrustAddition(crls=["eA=="]), MaterialUnfit),
        (TrustAddition(ocsps=["?"]), MaterialUnfit),
    ],
)
async def test_what_is_no_trust_material_is_refused(
    locker_db: Database, addition: TrustAddition, refusal: type[Refusal]
) -> None:
    version = (await show(locker_db)).version
    with pytest.raises(refusal):
        await add(locker_db, AUDIT, addition, officer="test")
    assert (await show(locker_db)).version == version


async def test_an_unknown_anchor_is_not_withdrawn(locker_db: Database) -> None:
    for fingerprint in ("00" * 32, "nonsense"):
        with pytest.raises(AnchorUnknown):
            await withdraw(locker_db, AUDIT, fingerprint, officer="test")
