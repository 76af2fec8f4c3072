"""What the consent page says of each claim."""

import datetime as dt
from uuid import UUID

import pytest

from idp.authorization.schema import AuthorizationRequest
from idp.citizens.schema import Citizen
from idp.consents.released import needed_values

RECORDED = {
    "given_name": "Amina",
    "family_name": "El Alaoui",
    "gender": "female",
    "birthdate": "1990-03-14",
    "address": {"formatted": "12, rue des Orangers\n10090 Rabat", "country": "Maroc"},
    "place_of_birth": {"locality": "Fès", "country": "Maroc"},
    "nationalities": ["MAR", "FRA"],
    "phone_number": "+212600000001",
    "email": "amina@example.com",
}


@pytest.mark.parametrize("language", ["ar", "zgh", "fr", "en"])
def test_every_recorded_claim_has_words_of_its_own(language: str) -> None:
    citizen = Citizen(
        citizen_id=UUID(int=1),
        uid="2345678901",
        state="active",
        claims=RECORDED,
        locale="fr",
        proofing="desk",
        updated_at=dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
        tokens_valid_from=dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
    )
    request = AuthorizationRequest(
        client_id="c", redirect_uri="https://rp.test/", scopes=("address", "email", "openid", "phone", "profile")
    )
    shown = [str(value) for _label, value in needed_values(request, citizen, language)]
    assert "12, rue des Orangers\n10090 Rabat" in shown
    assert not [value for value in shown if "{" in value or "[" in value]
