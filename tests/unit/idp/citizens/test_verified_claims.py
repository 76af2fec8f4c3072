"""verified_claims: said as far as it was asked for, agreed to, and meets what was asked (Identity Assurance 1.0 §5)."""

import datetime as dt
import json
from typing import Any
from uuid import UUID

import msgspec
import pytest

from idp.authorization.schema import VerifiedRequest
from idp.authorization.verified_claims import read_claims
from idp.citizens.enrol import enrol
from idp.citizens.refusals import NotEnrollable
from idp.citizens.schema import Citizen, Enrolment, Verification
from idp.citizens.verified import verified_claims
from idp.discovery.describe import describe
from kit.jose import unverified_claims
from tests.provider import ISSUER, Provider, answer_of, csrf_of

in_one_loop = pytest.mark.asyncio(loop_scope="module")

NOW = dt.datetime(2026, 11, 25, tzinfo=dt.UTC)
CITIZEN = Citizen(
    citizen_id=UUID(int=1),
    uid="2000000000",
    state="active",
    claims={"given_name#fr": "Amina", "family_name#fr": "El Alaoui", "birthdate": "1990-03-14"},
    locale="fr",
    proofing="desk",
    updated_at=NOW,
    tokens_valid_from=NOW,
)
IDCARD = {
    "type": "document",
    "check_details": [{"check_method": "vpip", "organization": "Bureau de Rabat"}],
    "document_details": {"type": "idcard", "issuer": {"name": "DGSN", "country_code": "MAR"}},
}
REGISTER = {"type": "electronic_record", "record": {"type": "birth_register"}}
VERIFICATION = Verification(
    trust_framework="national_registration",
    assurance_level="high",
    verified_at=NOW - dt.timedelta(days=10),
    claims=frozenset({"given_name", "birthdate"}),
    evidence=[IDCARD, REGISTER],
)


def said(verification: dict[str, Any], claims: dict[str, Any], *, given: set[str] | None = None) -> Any:
    request = msgspec.convert({"verification": verification, "claims": claims}, VerifiedRequest)
    found = verified_claims(
        CITIZEN,
        [VERIFICATION],
        [request],
        given=set(claims) if given is None else given,
        locales=("fr",),
        now=NOW,
    )
    return found.get("verified_claims")


def test_the_trust_framework_is_always_said_and_the_rest_only_where_it_was_asked_for() -> None:
    assert said({"trust_framework": None}, {"given_name": None}) == {
        "verification": {"trust_framework": "national_registration"},
        "claims": {"given_name": "Amina", "given_name#fr": "Amina"},
    }
    found = said(
        {"trust_framework": None, "time": None, "evidence": [{"type": {"value": "document"}}]}, {"birthdate": None}
    )
    assert found["verification"]["time"] == "2026-11-15T00:00:00Z"
    assert found["verification"]["evidence"] == [{"type": "document"}]
    assert "assurance_level" not in found["verification"]


@pytest.mark.parametrize(
    "verification",
    [
        {"trust_framework": {"value": "national_registration"}},
        {"trust_framework": {"values": ["eidas", "national_registration"]}},
        {"trust_framework": None, "assurance_level": {"values": ["high", "substantial"]}},
        {"trust_framework": None, "time": {"max_age": 864_001}},
        {"trust_framework": None, "verification_process": None},
        {"trust_framework": None, "verification_process": {"essential": True}},
        {"trust_framework": None, "evidence": [{"type": {"value": "electronic_record"}, "check_details": [{}]}]},
        {"trust_framework": None, "evidence": [{"type": {"value": "vouch"}}, {"type": {"value": "document"}}]},
        {
            "trust_framework": None,
            "evidence": [{"type": {"value": "document"}, "document_details": {"type": {"value": "idcard"}}}],
        },
        {"trust_framework": None, "evidence": [{"check_details": [{"check_method": {"value": "vpip"}}]}]},
    ],
)
def test_a_requirement_that_is_met_is_answered(verification: dict[str, Any]) -> None:
    assert said(verification, {"birthdate": None})["claims"] == {"birthdate": "1990-03-14"}


@pytest.mark.parametrize(
    "verification",
    [
        {"trust_framework": {"value": "eidas"}},
        {"trust_framework": None, "assurance_level": {"value": "very_high"}},
        {"trust_framework": None, "time": {"max_age": 60}},
        {"trust_framework": None, "verification_process": {"value": "x"}},
        {"trust_framework": None, "evidence": [{"type": {"value": "vouch"}}]},
        {
            "trust_framework": None,
            "evidence": [{"type": {"value": "electronic_record"}, "check_details": [{"check_method": {"value": "x"}}]}],
        },
        {"trust_framework": None, "evidence": [{"type": {"value": "document"}, "record": {"type": {"value": "x"}}}]},
        {"trust_framework": "national_registration"},
        {"trust_framework": {"values": "national_registration"}},
    ],
)
def test_a_requirement_that_is_not_met_leaves_the_element_out(verification: dict[str, Any]) -> None:
    assert said(verification, {"birthdate": None}) is None


def test_claims_that_were_not_verified_agreed_to_or_do_not_match_are_left_out() -> None:
    asked = {"given_name": None, "family_name": None, "birthdate": {"value": "2001-01-01"}}
    assert said({"trust_framework": None}, asked)["claims"].keys() == {"given_name", "given_name#fr"}
    assert said({"trust_framework": None}, {"given_name": {"value": "Other"}}) is None
    assert said({"trust_framework": None}, {"birthdate": None}, given=set()) is None
    assert said({"trust_framework": None}, {"family_name": None}) is None


@pytest.mark.parametrize(
    "verified",
    [
        {"verification": {"trust_framework": None}, "claims": {}},
        {"verification": {}, "claims": {"birthdate": None}},
        {"claims": {"birthdate": None}},
        [{"verification": {"trust_framework": None}, "claims": {"birthdate": None}}] * 6,
        "x",
        *(
            {"verification": {"trust_framework": None, "evidence": evidence}, "claims": {"birthdate": None}}
            for evidence in (
                {"type": {"value": "document"}},
                ["document"],
                [{"check_details": [{"check_method": None}]}],
                [{"type": None}],
                [{"type": {"values": ["document", "vouch"]}}],
                [{"type": {"value": ["document"]}}],
            )
        ),
    ],
)
def test_a_request_that_the_standard_does_not_allow_is_refused(verified: Any) -> None:
    with pytest.raises(msgspec.ValidationError):
        read_claims(json.dumps({"userinfo": {"verified_claims": verified}}))


def test_a_day_counts_from_its_last_second_5_5_2() -> None:
    passport = {"type": "document", "document_details": {"type": "passport", "date_of_issuance": "2026-11-24"}}
    verification = msgspec.structs.replace(VERIFICATION, evidence=[passport])

    def found(max_age: int) -> bool:
        asked = {"type": {"value": "document"}, "document_details": {"date_of_issuance": {"max_age": max_age}}}
        request = msgspec.convert(
            {"verification": {"trust_framework": None, "evidence": [asked]}, "claims": {"birthdate": None}},
            VerifiedRequest,
        )
        return bool(verified_claims(CITIZEN, [verification], [request], given={"birthdate"}, locales=(), now=NOW))

    assert (found(1), found(0)) == (True, False)


def enrolment(**verification: Any) -> Enrolment:
    return msgspec.convert(
        {
            "claims": {
                "given_name#ar": "أمينة",
                "family_name#ar": "العلوي",
                "given_name#fr": "Amina",
                "family_name#fr": "El Alaoui",
                "birthdate": "1990-03-14",
            },
            "verifications": [
                {
                    "claims": ["given_name", "birthdate"],
                    "time": "2026-01-05T10:00:00Z",
                    "assurance_level": "high",
                    "evidence": [IDCARD],
                    **verification,
                }
            ],
        },
        Enrolment,
    )


async def enrolled(idp: Provider, **verification: Any) -> Any:
    return await enrol(
        idp.wiring.db,
        idp.wiring.audit,
        idp.wiring.secrets,
        enrolment(**verification),
        officer="test",
        code_lifetime_s=60,
    )


@in_one_loop
async def test_verified_claims_are_agreed_to_as_such_and_reach_userinfo_and_the_id_token(idp: Provider) -> None:
    party, person = await idp.client(), await enrolled(idp)
    await idp.owner("UPDATE idp.citizen SET state = 'active' WHERE citizen_id = $1", person.citizen_id)
    wanted = {
        "verification": {"trust_framework": None, "evidence": [{"type": {"value": "document"}}]},
        "claims": {"birthdate": {"essential": True}, "given_name": None},
    }
    claims = json.dumps({"userinfo": {"verified_claims": wanted}, "id_token": {"verified_claims": [wanted]}})
    async with await idp.signed_in(person.citizen_id) as browser:
        begun = await browser.get("/idp/authorize", params=party.request(scope="openid", claims=claims))
        location = begun.headers["location"]
        page = await browser.get(f"{location}&lang=en")
        assert "It would receive, with how and when it was verified" in page.text
        assert "Given name, with how and when it was verified" in page.text
        answer = await browser.post(location, data={"csrf": csrf_of(page), "decision": "allow"})
        code = answer_of(await browser.get(answer.headers["location"]))["code"]
        tokens = (await idp.http.post("/idp/token", data=party.exchange(code))).json()
        userinfo = (await idp.userinfo(tokens["access_token"])).json()
        history = await browser.get("/idp/account/history?lang=en")
    # What was optional and not ticked is not given.
    for found in (userinfo, unverified_claims(tokens["id_token"])):
        assert found["verified_claims"] == {
            "verification": {"trust_framework": "national_registration", "evidence": [{"type": "document"}]},
            "claims": {"birthdate": "1990-03-14"},
        }
        assert "birthdate" not in found
    assert "Date of birth" in history.text


@in_one_loop
async def test_controls_leave_what_is_said_of_evidence(idp: Provider) -> None:
    person = await enrolled(
        idp, evidence=[{**IDCARD, "document_details": {"type": "idcard", "issuer": {"name": "D\x00\u202eGSN"}}}]
    )
    kept = await idp.owner(
        "SELECT evidence::text AS kept FROM idp.verification WHERE citizen_id = $1", person.citizen_id
    )
    assert json.loads(kept[0]["kept"])[0]["document_details"]["issuer"] == {"name": "DGSN"}


@in_one_loop
async def test_enrolment_takes_no_evidence_for_what_is_not_recorded(idp: Provider) -> None:
    for wrong in (
        {"claims": ["email"]},
        {"claims": ["middle_name"]},
        {"trust_framework": "somewhere_else"},
        {"time": "2999-01-01T00:00:00Z"},
        {"time": "2026-01-05T10:00:00"},
        {"evidence": [{**IDCARD, "check_details": [{"check_method": "vpip", "time": "2999-01-01T00:00:00Z"}]}]},
    ):
        with pytest.raises(NotEnrollable):
            await enrolled(idp, **wrong)


@in_one_loop
async def test_discovery_says_what_is_served(idp: Provider) -> None:
    found = (await idp.http.get("/idp/.well-known/openid-configuration")).json()
    assert found["verified_claims_supported"] is True
    assert found["trust_frameworks_supported"] == ["national_registration"]
    assert "idcard" in found["documents_supported"]


def test_who_names_no_trust_framework_serves_no_verified_claims_8() -> None:
    found = describe(ISSUER, signing=["ES256"], trust_frameworks=[])
    assert not [name for name in found if "evidence" in name or "verified" in name or "trust" in name]
