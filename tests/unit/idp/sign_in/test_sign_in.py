"""Signing in, over HTTP, on the real app and a real database."""

import pytest

from tests.people import active, first_factor, last_code, second_factor
from tests.provider import Provider

pytestmark = pytest.mark.asyncio


async def test_a_citizen_activates_and_signs_in_with_two_factors(idp: Provider) -> None:
    person = await active(idp)
    async with idp.browser() as browser:
        answer = await first_factor(browser, person)
        assert (answer.status_code, answer.headers["location"]) == (303, "/idp/sign-in/second-factor")
        answer = await second_factor(browser, person.otp())
        assert (answer.status_code, answer.headers["location"]) == (303, "/idp/account")
    rows = await idp.owner("SELECT acr, amr FROM idp.session WHERE citizen_id = $1", person.citizen_id)
    assert [(row["acr"], row["amr"]) for row in rows] == [("substantial", ["pwd", "otp", "mfa"])]


@pytest.mark.parametrize(("channel", "value"), [("sms", "sms"), ("email", "otp")])
async def test_a_code_by_message_is_a_second_factor(idp: Provider, channel: str, value: str) -> None:
    person = await active(idp, method=channel)
    async with idp.browser() as browser:
        await first_factor(browser, person)
        answer = await second_factor(browser, await last_code(idp, person.citizen_id))
        assert answer.status_code == 303
    rows = await idp.owner("SELECT amr FROM idp.session WHERE citizen_id = $1", person.citizen_id)
    assert rows[0]["amr"] == ["pwd", value, "mfa"]
