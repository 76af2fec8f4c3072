"""Acting for somebody else: said each time, seen by the represented, and over the moment that it is over."""

import asyncio
import datetime as dt
from typing import Any
from uuid import UUID

import httpx
import pytest

from idp.citizens.change_state import change_state
from idp.citizens.enrol import enrol
from idp.mandates.record import majority_of, record
from idp.mandates.refusals import MandateRefused
from idp.mandates.routes import parts_of
from idp.mandates.schema import Record
from idp.subjects.pairwise import pairwise_sub
from kit.jose import unverified_claims
from tests.people import Person, active, enrolment, letters, post, signed_in
from tests.provider import Provider, RelyingParty, answer_of, csrf_of, press_allow

in_one_loop = pytest.mark.asyncio(loop_scope="module")

MANDATES = "/idp/account/mandates"
TODAY = dt.datetime.now(dt.UTC).date()


async def party_of(idp: Provider, **metadata: Any) -> RelyingParty:
    return await idp.client(representation_allowed=True, **metadata)


async def recorded(idp: Provider, represented: str, actor: str, **changed: Any) -> UUID:
    wanted = Record(
        **{  # type: ignore[arg-type]
            "represented": represented,
            "actor": actor,
            "kind": "proxy",
            "legal_reference": "court of Rabat, 12/2026",
            "valid_until": TODAY + dt.timedelta(days=30),
            **changed,
        }
    )
    return await idp.wiring.db.transact(
        lambda tx: record(tx, parts_of(idp.wiring), wanted, officer="desk", majority_years=18)
    )


async def two(idp: Provider, **changed: Any) -> tuple[Person, Person, UUID]:
    """Whoever is represented, who acts, and the mandate."""
    represented, actor = await active(idp), await active(idp)
    return represented, actor, await recorded(idp, represented.uid, actor.uid, **changed)


async def chosen(browser: httpx.AsyncClient, party: RelyingParty, whom: str, **changed: str | None) -> httpx.Response:
    """The answer to the page "For whom do you act?"."""
    begun = await browser.get("/idp/authorize", params=party.request(**changed))
    location = begun.headers["location"]
    assert location.startswith("/idp/act-for"), location
    page = await browser.get(location)
    assert page.status_code == 200, page.text
    return await browser.post(location, data={"csrf": csrf_of(page), "whom": whom})


async def code_for(browser: httpx.AsyncClient, party: RelyingParty, whom: str, **changed: str | None) -> str:
    answer = await chosen(browser, party, whom, **changed)
    assert answer.status_code == 303, answer.text
    answer = await browser.get(answer.headers["location"])
    if answer.headers["location"].startswith("/idp/consent"):
        answer = await press_allow(browser, answer.headers["location"])
    return answer_of(answer)["code"]


async def tokens_for(idp: Provider, browser: httpx.AsyncClient, party: RelyingParty, whom: str) -> dict[str, Any]:
    code = await code_for(browser, party, whom, scope="openid profile offline_access")
    answer = await idp.http.post("/idp/token", data=party.exchange(code))
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def is_dead(idp: Provider, party: RelyingParty, tokens: dict[str, Any]) -> bool:
    answers = {
        (await idp.userinfo(tokens["access_token"])).status_code == 401,
        (await idp.refresh(party, tokens["refresh_token"])).status_code == 400,
        (
            await idp.http.post("/idp/introspect", data={"token": tokens["access_token"], **party.authentication()})
        ).json()
        == {"active": False},
    }
    assert len(answers) == 1
    return answers.pop()


@in_one_loop
async def test_the_subject_is_the_represented_and_act_is_the_person(idp: Provider) -> None:
    represented, actor, mandate_id = await two(idp)
    party = await party_of(idp)
    async with signed_in(idp, actor) as browser:
        tokens = await tokens_for(idp, browser, party, str(mandate_id))
    sub, act = (
        pairwise_sub(idp.wiring.secrets, sector="test", citizen_id=person.citizen_id) for person in (represented, actor)
    )
    userinfo = (await idp.userinfo(tokens["access_token"])).json()
    introspected = [
        (await idp.http.post("/idp/introspect", data={"token": tokens[name], **party.authentication()})).json()
        for name in ("access_token", "refresh_token")
    ]
    for found in (
        unverified_claims(tokens["id_token"]),
        unverified_claims(tokens["access_token"]),
        userinfo,
        *introspected,
    ):
        assert found["sub"] == sub
        assert found["act"] == {"sub": act}


@in_one_loop
async def test_what_is_done_in_a_name_stands_in_both_histories(idp: Provider) -> None:
    represented, actor, mandate_id = await two(idp)
    async with signed_in(idp, actor) as browser:
        await tokens_for(idp, browser, await party_of(idp), str(mandate_id))

    async def actions(person: Person) -> set[str]:
        rows = await idp.owner("SELECT action FROM idp.audit WHERE owner = $1", str(person.citizen_id))
        return {row["action"] for row in rows}

    assert {"authorization.given", "consent.given", "token.issued", "mandate.recorded"} <= await actions(represented)
    assert {"authorization.given-for", "consent.given-for", "mandate.recorded"} <= await actions(actor)
    assert "token.issued" not in await actions(actor)


@in_one_loop
async def test_for_oneself_nothing_is_different(idp: Provider) -> None:
    _, actor, _ = await two(idp)
    party = await party_of(idp)
    async with signed_in(idp, actor) as browser:
        tokens = await tokens_for(idp, browser, party, "self")
    claims = unverified_claims(tokens["id_token"])
    assert "act" not in claims
    assert claims["sub"] == pairwise_sub(idp.wiring.secrets, sector="test", citizen_id=actor.citizen_id)


@in_one_loop
async def test_the_choice_is_for_one_request_and_nothing_is_chosen_silently(idp: Provider) -> None:
    _, actor, mandate_id = await two(idp)
    party = await party_of(idp)
    async with signed_in(idp, actor) as browser:
        await tokens_for(idp, browser, party, str(mandate_id))
        again = await browser.get("/idp/authorize", params=party.request())
        assert again.headers["location"].startswith("/idp/act-for")
        silent = await browser.get("/idp/authorize", params=party.request(prompt="none"))
        assert answer_of(silent)["error"] == "account_selection_required"


@in_one_loop
async def test_a_client_that_does_not_read_act_is_never_offered_it(idp: Provider) -> None:
    _, actor, _ = await two(idp)
    async with signed_in(idp, actor) as browser:
        answer = await browser.get("/idp/authorize", params=(await idp.client()).request())
        assert answer.headers["location"].startswith("/idp/consent")


@pytest.mark.parametrize("whom", ["", "other", "of-others", "ended", "not-accepted"])
@in_one_loop
async def test_attack_a_forged_choice_leads_nowhere(idp: Provider, whom: str) -> None:
    _, actor, _ = await two(idp)
    party = await party_of(idp)
    if whom == "of-others":
        _, _, mandate_id = await two(idp)
        whom = str(mandate_id)
    if whom == "ended":
        third = await active(idp)
        mandate_id = await recorded(idp, third.uid, actor.uid)
        await idp.owner("UPDATE idp.mandate SET ended_at = now() WHERE mandate_id = $1", mandate_id)
        whom = str(mandate_id)
    if whom == "not-accepted":
        third = await active(idp)
        async with signed_in(idp, third) as browser:
            await post(browser, MANDATES, uid=actor.uid, until=_in_days(9), what="all", expect=303)
        rows = await idp.owner("SELECT mandate_id FROM idp.mandate WHERE represented_id = $1", third.citizen_id)
        whom = str(rows[0][0])
    async with signed_in(idp, actor) as browser:
        refused = await chosen(browser, party, whom)
        assert (refused.status_code, "unknown-mandate" in refused.text) == (404, True)


@in_one_loop
async def test_attack_a_choice_of_somebody_else_in_the_same_browser_counts_for_nobody(idp: Provider) -> None:
    """The interaction is the browser's; the choice is the person's."""
    _, actor, mandate_id = await two(idp)
    other, party = await active(idp), await party_of(idp)
    async with signed_in(idp, actor) as browser:
        answer = await chosen(browser, party, str(mandate_id))
        await idp.owner(
            "UPDATE idp.session SET citizen_id = $2 WHERE citizen_id = $1", actor.citizen_id, other.citizen_id
        )
        answer = await browser.get(answer.headers["location"])
        code = answer_of(await press_allow(browser, answer.headers["location"]))["code"]
    claims = unverified_claims((await idp.http.post("/idp/token", data=party.exchange(code))).json()["id_token"])
    assert claims["sub"] == pairwise_sub(idp.wiring.secrets, sector="test", citizen_id=other.citizen_id)
    assert "act" not in claims


@in_one_loop
async def test_attack_a_mandate_that_ends_between_page_and_code_gives_no_code(idp: Provider) -> None:
    _, actor, mandate_id = await two(idp)
    party = await party_of(idp)
    async with signed_in(idp, actor) as browser:
        answer = await chosen(browser, party, str(mandate_id))
        consent = (await browser.get(answer.headers["location"])).headers["location"]
        page = await browser.get(consent)
        await idp.owner("UPDATE idp.mandate SET valid_until = now() WHERE mandate_id = $1", mandate_id)
        answer = await browser.post(consent, data={"csrf": csrf_of(page), "decision": "allow"})
        assert answer.status_code == 400
        assert (await browser.get(f"/idp/authorize/resume?{consent.partition('?')[2]}")).status_code == 400


ENDINGS = {
    "date": "UPDATE idp.mandate SET valid_until = now()",
    "not-yet": "UPDATE idp.mandate SET valid_from = now() + interval '1 hour'",
    "client": "UPDATE idp.mandate SET clients = '{another}'",
    "scope": "UPDATE idp.mandate SET scopes = '{email}'",
}


@pytest.mark.parametrize("ending", [*ENDINGS, "represented", "actor", "freeze-one", "freeze-other", "death"])
@in_one_loop
async def test_a_mandate_that_is_over_is_over_for_code_and_tokens_at_once(idp: Provider, ending: str) -> None:
    represented, actor, mandate_id = await two(idp)
    party = await party_of(idp)
    async with signed_in(idp, actor) as browser, signed_in(idp, represented) as theirs:
        tokens = await tokens_for(idp, browser, party, str(mandate_id))
        code = await code_for(browser, party, str(mandate_id))
        assert not await is_dead(idp, party, tokens)
        match ending:
            case "represented" | "actor":
                side = theirs if ending == "represented" else browser
                await post(side, f"{MANDATES}/answer", page=MANDATES, mandate=str(mandate_id), expect=303)
            case "freeze-one" | "freeze-other":
                side = theirs if ending == "freeze-one" else browser
                await post(side, "/idp/account/freeze", what="identity", expect=303)
            case "death":
                await change_state(
                    idp.wiring.db,
                    idp.wiring.audit,
                    represented.uid,
                    "record-death",
                    actor_kind="officer",
                    actor="desk",
                    reason="test",
                )
            case _:
                await idp.owner(f"{ENDINGS[ending]} WHERE mandate_id = $1", mandate_id)
        assert await is_dead(idp, party, tokens)
        refused = await idp.http.post("/idp/token", data=party.exchange(code))
        assert refused.json()["error"] == "invalid_grant"


@in_one_loop
async def test_what_a_freeze_ended_does_not_come_back_with_the_thaw(idp: Provider) -> None:
    represented, actor, _ = await two(idp)
    for change in ("freeze", "unfreeze"):
        await change_state(
            idp.wiring.db,
            idp.wiring.audit,
            represented.uid,
            change,  # type: ignore[arg-type]
            actor_kind="officer",
            actor="desk",
            reason="test",
        )
    async with signed_in(idp, actor) as browser:
        answer = await browser.get("/idp/authorize", params=(await party_of(idp)).request())
        assert answer.headers["location"].startswith("/idp/consent")


@in_one_loop
async def test_attack_revocation_and_code_race_and_nothing_lives_after(idp: Provider) -> None:
    represented, actor, mandate_id = await two(idp)
    party = await party_of(idp)
    async with signed_in(idp, actor) as browser, signed_in(idp, represented) as theirs:
        code = await code_for(browser, party, str(mandate_id), scope="openid offline_access")
        page = await theirs.get(MANDATES)
        exchanged, _ = await asyncio.gather(
            idp.http.post("/idp/token", data=party.exchange(code)),
            theirs.post(f"{MANDATES}/answer", data={"csrf": csrf_of(page), "mandate": str(mandate_id)}),
        )
        if exchanged.status_code == 200:
            assert await is_dead(idp, party, exchanged.json())


@in_one_loop
async def test_there_is_no_chain_of_mandates(idp: Provider) -> None:
    """Who acts for somebody does not act for those for whom that one acts."""
    _, middle, _ = await two(idp)
    last = await active(idp)
    mandate_id = await recorded(idp, middle.uid, last.uid)
    async with signed_in(idp, last) as browser:
        begun = await browser.get("/idp/authorize", params=(await party_of(idp)).request())
        page = await browser.get(begun.headers["location"])
    assert page.text.count('name="whom"') == 2
    assert str(mandate_id) in page.text


@in_one_loop
async def test_a_mandate_gives_no_level_that_the_represented_could_not_reach(idp: Provider) -> None:
    represented, actor, mandate_id = await two(idp)
    await idp.owner("UPDATE idp.citizen SET proofing = 'none' WHERE citizen_id = $1", represented.citizen_id)
    async with signed_in(idp, actor) as browser:
        answer = await browser.get("/idp/authorize", params=(await party_of(idp)).request())
        assert answer.headers["location"].startswith("/idp/consent")
        low = await party_of(idp, default_acr_values=["low"])
        tokens = await tokens_for(idp, browser, low, str(mandate_id))
    assert unverified_claims(tokens["id_token"])["acr"] == "low"


@in_one_loop
async def test_a_mandate_for_named_scopes_gives_no_claim_outside_them(idp: Provider) -> None:
    _, actor, mandate_id = await two(idp, scopes=("email",))
    party = await party_of(idp)
    async with signed_in(idp, actor) as browser:
        for changed in (
            {"scope": "openid profile"},
            {"scope": "openid email", "claims": '{"userinfo": {"birthdate": null}}'},
        ):
            answer = await browser.get("/idp/authorize", params=party.request(**changed))
            assert answer.headers["location"].startswith("/idp/consent")
        await code_for(browser, party, str(mandate_id), scope="openid email")


@in_one_loop
async def test_a_guardian_acts_for_a_child_that_never_signed_in_until_its_majority(idp: Provider) -> None:
    guardian, party = await active(idp), await party_of(idp)
    born = TODAY.replace(year=TODAY.year - 9, day=1)
    child = await enrol(
        idp.wiring.db,
        idp.wiring.audit,
        idp.wiring.secrets,
        enrolment(claims={"birthdate": born.isoformat()}),
        officer="test",
        code_lifetime_s=60,
    )
    mandate_id = await recorded(
        idp, child.uid, guardian.uid, kind="guardian", valid_until=TODAY + dt.timedelta(days=9_999)
    )
    until = (await idp.owner("SELECT valid_until FROM idp.mandate WHERE mandate_id = $1", mandate_id))[0][0]
    assert until == majority_of(born.isoformat(), 18)
    async with signed_in(idp, guardian) as browser:
        tokens = await tokens_for(idp, browser, party, str(mandate_id))
        assert not await is_dead(idp, party, tokens)


def test_majority_is_the_eighteenth_birthday_and_never_later() -> None:
    assert majority_of("2008-11-03", 18).isoformat() == "2026-11-03T00:00:00+01:00"
    assert majority_of("2008-02-29", 18).date() == dt.date(2026, 2, 28)


def _in_days(days: int) -> str:
    return (TODAY + dt.timedelta(days=days)).isoformat()


@in_one_loop
async def test_a_citizen_gives_and_the_other_accepts(idp: Provider) -> None:
    giver, proxy, party = await active(idp), await active(idp), await party_of(idp)
    async with signed_in(idp, giver) as browser, signed_in(idp, proxy) as theirs:
        await post(browser, MANDATES, uid=proxy.uid, until=_in_days(30), what="all", expect=303)
        answer = await theirs.get("/idp/authorize", params=party.request())
        assert answer.headers["location"].startswith("/idp/consent")
        rows = await idp.owner("SELECT mandate_id FROM idp.mandate WHERE represented_id = $1", giver.citizen_id)
        mandate = str(rows[0][0])
        # Who gives does not accept in the other's name.
        answer = await post(browser, f"{MANDATES}/answer", page=MANDATES, mandate=mandate, decision="accept")
        assert (answer.status_code, "unknown-mandate" in answer.text) == (404, True)
        await post(theirs, f"{MANDATES}/answer", page=MANDATES, mandate=mandate, decision="accept", expect=303)
        tokens = await tokens_for(idp, theirs, party, mandate)
        assert not await is_dead(idp, party, tokens)
    for person in (giver, proxy):
        kinds = [letter.kind for letter in await letters(idp, person.citizen_id)]
        assert kinds.count("mandate.changed") == 4  # given and accepted, at two contact points


@pytest.mark.parametrize("wrong", ["myself", "nobody", "past", "too-long", "no-service", "no-date"])
@in_one_loop
async def test_a_mandate_that_cannot_be_is_not_given(idp: Provider, wrong: str) -> None:
    person, other = await active(idp), await active(idp)
    fields = {"uid": other.uid, "until": _in_days(9), "what": "all"}
    fields |= {
        "myself": {"uid": person.uid},
        "nobody": {"uid": "2999999990"},
        "past": {"until": "2020-01-01"},
        "too-long": {"until": _in_days(3_000)},
        "no-service": {"what": "some"},
        "no-date": {"until": "soon"},
    }[wrong]
    async with signed_in(idp, person) as browser:
        assert (await post(browser, MANDATES, **fields)).status_code == 422
    assert await idp.owner("SELECT 1 FROM idp.mandate WHERE represented_id = $1", person.citizen_id) == []


@in_one_loop
async def test_attack_whoever_tries_identifiers_is_stopped(idp: Provider) -> None:
    person = await active(idp)
    async with signed_in(idp, person) as browser:
        page = await browser.get(MANDATES)
        fields = {"csrf": csrf_of(page), "uid": "2999999990", "until": _in_days(9), "what": "all"}
        answers = [(await browser.post(MANDATES, data=fields)).status_code for _ in range(11)]
    assert answers == [422] * 10 + [429]


@in_one_loop
async def test_an_officer_records_no_mandate_that_would_be_over(idp: Provider) -> None:
    grown, guardian = await active(idp), await active(idp)
    with pytest.raises(MandateRefused):
        await recorded(idp, grown.uid, guardian.uid, kind="guardian")
    with pytest.raises(MandateRefused):
        await recorded(idp, grown.uid, grown.uid)


@pytest.mark.parametrize("language", ["ar", "fr", "zgh", "en"])
@in_one_loop
async def test_the_pages_are_there_in_every_language(idp: Provider, language: str) -> None:
    _, actor, _ = await two(idp)
    async with signed_in(idp, actor) as browser:
        begun = await browser.get("/idp/authorize", params=(await party_of(idp)).request())
        for path in (MANDATES + "?", begun.headers["location"] + "&"):
            page = await browser.get(f"{path}lang={language}")
            assert page.status_code == 200, page.text
            assert f'lang="{language}' in page.text
