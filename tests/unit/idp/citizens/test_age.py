"""Over an age or not: by the calendar of where one lives, and nothing more than that."""

import datetime as dt

import pytest

from idp.citizens.age import age_statements, has_reached
from tests.provider import Provider, answer_of, csrf_of

in_one_loop = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize(
    ("born", "today", "over"),
    [
        ("2008-11-25", "2026-11-24", False),
        ("2008-11-25", "2026-11-25", True),
        ("2008-02-29", "2026-02-28", False),
        ("2008-02-29", "2026-03-01", True),
        ("2008-02-29", "2028-02-29", True),
    ],
)
def test_the_day_is_the_birthday(born: str, today: str, over: bool) -> None:
    assert has_reached(18, born=dt.date.fromisoformat(born), today=dt.date.fromisoformat(today)) is over


def test_the_day_begins_where_the_citizen_lives() -> None:
    claims = {"birthdate": "2008-11-25"}
    half_past_eleven_in_utc = dt.datetime(2026, 11, 24, 23, 30, tzinfo=dt.UTC)
    assert age_statements(claims, half_past_eleven_in_utc)["age_over_18"] is True
    assert age_statements({**claims, "zoneinfo": "America/Montreal"}, half_past_eleven_in_utc)["age_over_18"] is False
    assert age_statements({**claims, "zoneinfo": "no/where"}, half_past_eleven_in_utc)["age_over_18"] is True
    assert age_statements({}, half_past_eleven_in_utc) == {}


@in_one_loop
async def test_p_11_an_age_statement_comes_without_a_birth_date(idp: Provider) -> None:
    party = await idp.client()
    citizen = await idp.citizen(birthdate="2001-07-09")
    asked = '{"userinfo": {"age_over_18": {"essential": true}}, "id_token": {"age_over_21": {"essential": true}}}'
    async with await idp.signed_in(citizen) as browser:
        begun = await browser.get("/idp/authorize", params=party.request(scope="openid", claims=asked))
        location = begun.headers["location"]
        page = await browser.get(f"{location}&lang=en")
        assert "That you are over 18 (yes or no), not your date of birth" in page.text
        assert "2001" not in page.text
        answer = await browser.post(location, data={"csrf": csrf_of(page), "decision": "allow"})
        code = answer_of(await browser.get(answer.headers["location"]))["code"]
    tokens = (await idp.http.post("/idp/token", data=party.exchange(code))).json()
    userinfo = await idp.userinfo(tokens["access_token"])
    assert userinfo.json().keys() == {"sub", "age_over_18"}
    assert userinfo.json()["age_over_18"] is True
    assert "2001" not in userinfo.text
