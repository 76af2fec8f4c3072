"""OpenID Connect Core §5.1, §5.2, §5.3.2."""

import datetime as dt
from typing import Any
from uuid import UUID

import pytest

from idp.citizens.claims import SCOPE_CLAIMS, full_name, standard_claims
from idp.citizens.schema import Citizen

NOW = dt.datetime(2026, 11, 24, tzinfo=dt.UTC)


def citizen(**claims: Any) -> Citizen:
    return Citizen(
        citizen_id=UUID(int=1),
        uid="2364578913",
        state="active",
        claims={
            "given_name#ar": "أمينة",
            "family_name#ar": "العلوي",
            "given_name#fr": "Amina",
            "family_name#fr": "El Alaoui",
            "birthdate": "1990-03-14",
            "email": "amina@example.org",
            **claims,
        },
        locale="ar",
        proofing="desk",
        updated_at=NOW,
        tokens_valid_from=NOW,
    )


def test_without_a_wish_names_come_in_latin_script() -> None:
    assert standard_claims(citizen(), {"name", "given_name"}, ()) == {"name": "Amina El Alaoui", "given_name": "Amina"}


def test_claims_locales_decide_and_are_tagged_core_5_2() -> None:
    assert standard_claims(citizen(), {"given_name"}, ("ar-MA", "zgh", "fr")) == {
        "given_name": "أمينة",
        "given_name#ar": "أمينة",
        "given_name#fr": "Amina",
    }


def test_a_tag_in_the_wish_gives_that_one_alone() -> None:
    assert standard_claims(citizen(), {"family_name#ar-MA", "family_name#zgh"}, ()) == {"family_name#ar-MA": "العلوي"}


def test_what_is_not_recorded_is_left_out_core_5_3_2() -> None:
    given = standard_claims(citizen(), [name for names in SCOPE_CLAIMS.values() for name in names], ())
    assert "phone_number" not in given
    assert "phone_number_verified" not in given
    assert "address" not in given
    assert None not in given.values()


def test_types_are_those_of_core_5_1() -> None:
    given = standard_claims(citizen(), {"email", "email_verified", "updated_at", "locale"}, ())
    assert given == {
        "email": "amina@example.org",
        "email_verified": False,
        "updated_at": int(NOW.timestamp()),
        "locale": "ar-MA",
    }


@pytest.mark.parametrize("wanted", [set(), {"openid"}, {"uid#ar"}, {"cnie"}])
def test_nothing_else_comes_out(wanted: set[str]) -> None:
    assert standard_claims(citizen(), wanted, ()) == {}


def test_a_page_shows_the_name_in_the_nearest_script() -> None:
    assert full_name(citizen(), "ar") == "أمينة العلوي"
    assert full_name(citizen(), "zgh") == "Amina El Alaoui"
