"""Whatever is asked, ``verified_claims`` has the form of OpenID Identity Assurance Schema Definition 1.0 §5.

The schema below is that text for the evidence that we keep, in our words and stricter: nothing beside it.
"""

import datetime as dt
import json
from typing import Any
from uuid import UUID

import jsonschema
import msgspec
import pytest

from idp.authorization.verified_claims import read_claims
from idp.citizens.schema import Citizen, DocumentEvidence, RecordEvidence, Verification, VouchEvidence
from idp.citizens.verified import verified_claims

NOW = dt.datetime(2026, 11, 25, tzinfo=dt.UTC)
TEXT = {"type": "string", "minLength": 1}
DATE = {"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}$"}
TIME = {"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})$"}
COUNTRY = {"type": "string", "pattern": "^[A-Z]{2,3}$"}


def members(required: tuple[str, ...] = (), /, **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
        "minProperties": 1,
    }


def list_of(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items, "minItems": 1}


WHO = members(name=TEXT, country_code=COUNTRY)
CHECKS = list_of(members(("check_method",), check_method=TEXT, organization=TEXT, time=TIME))


def evidence(kind: str, **more: Any) -> dict[str, Any]:
    return members(("type",), type={"const": kind}, check_details=CHECKS, **more)


EVIDENCE = {
    "oneOf": [
        evidence(
            "document",
            document_details=members(("type",), type=TEXT, issuer=WHO, date_of_issuance=DATE, date_of_expiry=DATE),
        ),
        evidence("electronic_record", record=members(("type",), type=TEXT, source=WHO)),
        evidence("vouch", attestation=members(("type",), type=TEXT, voucher=WHO)),
    ]
}
ELEMENT = members(
    ("verification", "claims"),
    verification=members(
        ("trust_framework",), trust_framework=TEXT, assurance_level=TEXT, time=TIME, evidence=list_of(EVIDENCE)
    ),
    claims={"type": "object", "minProperties": 1},
)
SCHEMA = jsonschema.Draft202012Validator({"oneOf": [ELEMENT, list_of(ELEMENT)]})

KEPT = [
    {
        "type": "document",
        "check_details": [
            {"check_method": "vpip", "organization": "Bureau de Rabat", "time": "2026-01-05T10:00:00Z"},
            {"check_method": "vcrypt"},
        ],
        "document_details": {
            "type": "idcard",
            "issuer": {"name": "DGSN", "country_code": "MAR"},
            "date_of_issuance": "2025-06-01",
            "date_of_expiry": "2035-06-01",
        },
    },
    {"type": "electronic_record", "record": {"type": "birth_register", "source": {"name": "Rabat"}}},
    {"type": "vouch", "attestation": {"type": "written_attestation", "voucher": {"name": "Moqaddem"}}},
]
VERIFICATION = Verification(
    trust_framework="national_registration",
    assurance_level="high",
    verified_at=NOW - dt.timedelta(days=10),
    claims=frozenset({"given_name", "birthdate", "place_of_birth"}),
    evidence=KEPT,
)
CITIZEN = Citizen(
    citizen_id=UUID(int=1),
    uid="2000000000",
    state="active",
    claims={"given_name#fr": "Amina", "birthdate": "1990-03-14", "place_of_birth#fr": {"country": "MA"}},
    locale="fr",
    proofing="desk",
    updated_at=NOW,
    tokens_valid_from=NOW,
)


def test_what_is_kept_is_what_an_officer_may_enrol() -> None:
    taken = msgspec.convert(KEPT, list[DocumentEvidence | RecordEvidence | VouchEvidence])
    assert msgspec.json.decode(msgspec.json.encode(taken)) == KEPT


def said(*verifications: dict[str, Any]) -> Any:
    """The answer to a request with one element for each of them."""
    claims: dict[str, Any] = {"given_name": None, "birthdate": {"essential": False}, "place_of_birth": {}}
    asked = [{"verification": {"trust_framework": None, **one}, "claims": claims} for one in verifications]
    requests = read_claims(json.dumps({"userinfo": {"verified_claims": asked}})).verified_userinfo
    found = verified_claims(CITIZEN, [VERIFICATION], requests, given=set(claims), locales=("fr",), now=NOW)
    return found.get("verified_claims")


def of(kind: str, **more: Any) -> dict[str, Any]:
    return {"type": {"value": kind}, **more}


@pytest.mark.parametrize(
    "verification",
    [
        {},
        {"time": {"max_age": 864_000}, "assurance_level": {"value": "high"}},
        {"assurance_process": None, "verification_process": None, "nothing_of_the_kind": {}},
        {"evidence": [of("document"), of("electronic_record"), of("vouch")]},
        {"evidence": [of("document", document_details=None, check_details=None)]},
        {"evidence": [of("document", document_details={"serial_number": None}, check_details=[{"time": None}])]},
        {"evidence": [of("document", document_details={"issuer": {"jurisdiction": None}})]},
        {"evidence": [of("document", document_details={"issuer": {"name": None}, "date_of_expiry": None})]},
        {"evidence": [of("document", check_details=[{"check_method": {"values": ["vpip", "x"]}, "check_id": None}])]},
        {"evidence": [of("electronic_record", record={"source": None}, check_details=[{"check_method": None}])]},
        {"evidence": [of("electronic_record", record={"created_at": {"essential": True}}, attachments=None)]},
        {"evidence": [of("vouch", attestation={"voucher": {"occupation": None}}), of("electronic_signature")]},
    ],
    ids=range(12),
)
def test_an_answer_has_the_form_of_the_schema(verification: dict[str, Any]) -> None:
    SCHEMA.validate(said(verification))
    SCHEMA.validate(said(verification, {}))


def test_nothing_is_said_that_was_not_asked_for_but_what_the_schema_requires() -> None:
    found = said({"evidence": [of("document", document_details={"date_of_expiry": None}, check_details=[{}])]})
    assert found["verification"] == {
        "trust_framework": "national_registration",
        "evidence": [
            {
                "type": "document",
                "document_details": {"type": "idcard", "date_of_expiry": "2035-06-01"},
                "check_details": [{"check_method": "vpip"}, {"check_method": "vcrypt"}],
            }
        ],
    }


def test_what_cannot_be_met_is_not_said_at_all_5_7_4() -> None:
    assert said({"evidence": [of("electronic_signature")]}) is None
    assert said({"evidence": [of("document", document_details={"type": {"value": "passport"}})]}) is None
    assert said({"time": {"max_age": 60}}, {"assurance_level": {"value": "low"}}) is None
