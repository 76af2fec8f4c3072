import datetime as dt
import unicodedata

import jsonschema
import msgspec
import pytest

from idp.citizens.enrol import recorded
from idp.citizens.schema import Enrolment
from khizana.demo.country import ADMINISTRATIONS, CITIZENS, TYPES, Citizen, DocumentType
from khizana.demo.papers import Paper, papers
from locker.administrations.schema import AdministrationRegistration
from locker.catalogue.fields import compile_schema
from locker.catalogue.schema import TypeRegistration

TODAY = dt.date(2026, 11, 24)
PAPERS = papers(TODAY)


def by_key(paper: Paper) -> str:
    return paper.key


def test_it_has_five_administrations_twelve_types_and_eight_citizens() -> None:
    assert (len(ADMINISTRATIONS), len(TYPES), len(CITIZENS)) == (5, 12, 8)
    assert {administration.seal_key for administration in ADMINISTRATIONS} == {"P-256", "RSA-3072"}


@pytest.mark.parametrize("type_", TYPES, ids=lambda type_: type_.code)
def test_a_type_can_be_registered(type_: DocumentType) -> None:
    msgspec.convert(
        {
            "type": type_.code,
            "names": type_.names,
            "category": type_.category,
            "fields": type_.schema(),
            "validity_days": type_.validity_days,
            "retention_days": type_.retention_days,
        },
        TypeRegistration,
    )
    assert compile_schema(type_.schema()).is_valid({}) is False
    assert set(type_.issuers) <= {administration.identifier for administration in ADMINISTRATIONS}
    for member in type_.schema()["properties"].values():
        assert set(member["names"]) == {"ar", "fr", "zgh", "en"}


def test_an_administration_can_be_registered_under_its_four_names() -> None:
    for administration in ADMINISTRATIONS:
        msgspec.convert(
            {"administration": administration.identifier, "names": administration.names}, AdministrationRegistration
        )
        assert all("TIFINAGH" in unicodedata.name(c) for c in administration.names["zgh"] if c.isalpha())


@pytest.mark.parametrize("citizen", CITIZENS, ids=lambda citizen: citizen.key)
def test_a_citizen_can_be_enrolled(citizen: Citizen) -> None:
    claims = recorded(msgspec.convert(citizen.enrolment(), Enrolment))
    assert claims["given_name#ar"] == citizen.given.ar
    assert claims["family_name#fr"] == citizen.family.fr
    assert citizen.cnie.startswith("ZZ")
    assert citizen.email.endswith("@example.org")
    assert citizen.phone.startswith("+21260000000")


def test_one_citizen_has_every_standard_claim() -> None:
    from idp.citizens.claims import SCOPE_CLAIMS

    # Composed by the provider, not recorded: name, locale, updated_at.
    recorded_names = {name.partition("#")[0] for name in CITIZENS[0].claims()} | {"name", "locale", "updated_at"}
    assert {name for names in SCOPE_CLAIMS.values() for name in names} <= recorded_names


def test_names_come_in_every_kind() -> None:
    latin = " ".join(citizen.full.fr for citizen in CITIZENS)
    for kind in ("-", "’", "Aït ", "El ", "Ben ", "SNP"):
        assert kind in latin
    assert sum(citizen.tifinagh is not None for citizen in CITIZENS) == 3
    assert max(len(citizen.full.fr) for citizen in CITIZENS) > 50


@pytest.mark.parametrize("paper", PAPERS, ids=by_key)
def test_the_fields_of_a_paper_fit_the_schema_of_its_type(paper: Paper) -> None:
    jsonschema.Draft202012Validator(
        paper.type.schema(), format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
    ).validate(paper.fields)
    assert paper.administration in paper.type.issuers


def test_papers_are_told_apart_and_each_citizen_holds_some() -> None:
    assert len({paper.key for paper in PAPERS}) == len({paper.reference for paper in PAPERS}) == len(PAPERS) == 44
    assert {paper.citizen.key for paper in PAPERS} == {citizen.key for citizen in CITIZENS}
    assert {paper.type.code for paper in PAPERS} == {type_.code for type_ in TYPES}


def test_one_paper_is_revoked_one_superseded_and_one_expired() -> None:
    assert [paper.key for paper in PAPERS if paper.revoked] == ["taxstatus-youssef"]
    (replacing,) = [paper for paper in PAPERS if paper.replaces]
    before = [paper.key for paper in PAPERS[: PAPERS.index(replacing)]]
    assert replacing.replaces in before
    assert [paper.key for paper in PAPERS if paper.valid_until and paper.valid_until < TODAY] == ["residence-youssef"]


def test_every_paper_was_issued_before_the_demo_began() -> None:
    assert all(TODAY - dt.timedelta(days=730) < paper.issued_on < TODAY for paper in PAPERS)
