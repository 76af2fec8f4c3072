"""An account is erased at the provider: canaries that stood in its tables stand nowhere, its identifier stays taken."""

import asyncio
from typing import Any

import pytest

from idp.citizens.refusals import StateRefused, UnknownCitizen
from idp.erasing.erase_account import erase_account
from idp.subjects import store as subjects
from tests.people import Person, active, enrolled, first_factor, last_code, post, signed_in
from tests.provider import Provider

pytestmark = pytest.mark.asyncio(loop_scope="module")

CANARIES = {
    "given_name#fr": "Canarelle",
    "family_name#fr": "Zibouane",
    "given_name#ar": "قنارين",
    "family_name#ar": "زيبوان",
    "birthdate": "1971-02-03",
    "email": "canary.zib@example.net",
    "phone_number": "+212677553311",
}
CNIE = "ZC908172"


async def everything(idp: Provider) -> list[str]:
    """Every row of every table of the provider, by the owner's eyes."""
    tables = await idp.owner(
        """SELECT c.oid::regclass::text AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE n.nspname = 'idp' AND c.relkind = 'r'"""
    )
    assert len(tables) > 25
    return [
        f"{table['name']} {row['row']}"
        for table in tables
        for row in await idp.owner(f"SELECT t::text AS row FROM {table['name']} t")
    ]


async def lived(idp: Provider) -> tuple[Person, dict[str, Any]]:
    """Signs in, agrees, changes the second factor, is a party to a mandate."""
    person = await active(idp, claims=CANARIES, cnie=CNIE)
    party = await idp.client(grant_types=["authorization_code", "refresh_token"])
    async with signed_in(idp, person) as browser:
        await post(browser, "/idp/account/codes", channel="sms", expect=303)
        code = await last_code(idp, person.citizen_id)
        await post(browser, "/idp/account/codes/confirm", otp=code, expect=303)
        grant = await idp.code(browser, party, scope="openid profile email phone offline_access")
        tokens = (await idp.http.post("/idp/token", data=party.exchange(grant))).json()
        await idp.userinfo(tokens["access_token"])
    other = await enrolled(idp)
    await idp.owner(
        """INSERT INTO idp.mandate (mandate_id, represented_id, actor_id, kind, valid_from, valid_until, accepted_at)
           VALUES (gen_random_uuid(), $1, $2, 'proxy', now(), now() + interval '1 day', now())""",
        other.citizen_id,
        person.citizen_id,
    )
    return person, {"party": party, "tokens": tokens, "other": other}


async def erase(idp: Provider, uid: str) -> int:
    return await erase_account(idp.wiring.db, idp.wiring.audit, uid, officer="clerk", reference="D 7/2026")


async def test_p_01_nothing_of_an_erased_account_stands_in_any_table(idp: Provider) -> None:
    neighbour = await active(idp)
    person, held = await lived(idp)
    before = await everything(idp)
    named = {row.partition(" ")[0] for row in before if str(person.citizen_id) in row}
    assert len(named) > 10, named
    assert await erase(idp, person.uid) > 10
    after = await everything(idp)
    for canary in (*CANARIES.values(), CNIE):
        assert not [row for row in after if canary in row], canary
    assert {row.partition(" ")[0] for row in after if str(person.citizen_id) in row} == {"idp.citizen"}
    # Tokens and sessions ended with it.
    party, tokens = held["party"], held["tokens"]
    assert (await idp.userinfo(tokens["access_token"])).status_code == 401
    refreshed = await idp.http.post(
        "/idp/token",
        data={"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"], **party.authentication()},
    )
    assert refreshed.status_code == 400
    # The other party of the mandate, and everybody else, are as they were.
    assert [row for row in after if str(held["other"].citizen_id) in row]
    async with signed_in(idp, neighbour) as browser:
        assert (await browser.get("/idp/account")).status_code == 200
    acts = await idp.owner("SELECT actor, owner, purpose FROM idp.audit WHERE action = 'account.erased'")
    assert [tuple(act) for act in acts] == [("clerk", None, "D 7/2026")]


async def test_the_identifier_stays_taken_and_opens_nothing(idp: Provider) -> None:
    person = await active(idp)
    async with idp.browser() as browser:
        right = await first_factor(browser, person)
        assert right.status_code == 303
    await erase(idp, person.uid)
    async with idp.browser() as browser:
        refused = await first_factor(browser, person)
        assert refused.status_code != 303
        unknown = await first_factor(browser, Person("2999999999", person.citizen_id, person.password, None))
        assert refused.status_code == unknown.status_code, "who tries it cannot tell"
    assert {row.partition(" ")[0] for row in await everything(idp) if str(person.citizen_id) in row} == {"idp.citizen"}
    assert await subjects.select_citizen_by_uid(idp.wiring.db, person.uid) is None
    with pytest.raises(UnknownCitizen):
        await erase(idp, person.uid)
    with pytest.raises(UnknownCitizen):
        await erase(idp, "2999999999")
    # Its card may be enrolled again, under another identifier.
    one = await enrolled(idp, cnie="ZC111222")
    await erase(idp, one.uid)
    again = await enrolled(idp, cnie="ZC111222")
    assert again.uid != one.uid


async def test_two_officers_at_once_erase_once(idp: Provider) -> None:
    person = await enrolled(idp)
    done = await asyncio.gather(*(erase(idp, person.uid) for _ in range(4)), return_exceptions=True)
    assert len([each for each in done if isinstance(each, int)]) == 1
    assert {type(each) for each in done if not isinstance(each, int)} <= {UnknownCitizen, StateRefused}


async def test_the_app_erases_nobody_whose_state_does_not_say_so(idp: Provider) -> None:
    person = await enrolled(idp)
    with pytest.raises(Exception, match="needs a citizen whose state is erased"):
        await idp.wiring.db.fetchval("SELECT idp.erase_citizen($1)", person.citizen_id)
