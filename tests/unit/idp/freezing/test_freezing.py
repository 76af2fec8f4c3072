"""What a citizen froze is dead at once, everywhere, and is opened again only by who may."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
import pytest_asyncio

from idp.citizens.change_state import change_state
from idp.freezing import store
from idp.freezing.freeze import freeze
from idp.freezing.routes import parts_of
from idp.freezing.schema import Identity, Service
from tests.passkeys import SoftPasskey, b64, set_up, use
from tests.people import (
    Person,
    active,
    first_factor,
    last_code,
    letters,
    post,
    rested,
    second_factor,
    sign_in,
    signed_in,
)
from tests.provider import Provider, RelyingParty, answer_of, running_provider

pytestmark = pytest.mark.asyncio(loop_scope="module")

FREEZE = "/idp/account/freeze"


async def pressed(browser: Any, what: str) -> Any:
    return await post(browser, FREEZE, what=what)


async def given(idp: Provider, browser: Any, party: RelyingParty) -> dict[str, Any]:
    return await idp.tokens(browser, party, scope="openid offline_access")


async def is_dead(idp: Provider, party: RelyingParty, tokens: dict[str, Any]) -> bool:
    """At userinfo, at introspection of both tokens, at refresh: everywhere or nowhere."""
    answers = [
        (await idp.userinfo(tokens["access_token"])).status_code == 401,
        (await idp.refresh(party, tokens["refresh_token"])).status_code == 400,
    ]
    for token in (tokens["access_token"], tokens["refresh_token"]):
        answer = await idp.http.post("/idp/introspect", data={"token": token, **party.authentication()})
        answers.append(answer.json() == {"active": False})
    assert len(set(answers)) == 1, answers
    return answers[0]


async def test_a_frozen_identity_is_dead_everywhere_at_once(idp: Provider) -> None:
    person, party = await active(idp), await idp.client()
    async with signed_in(idp, person) as browser, idp.browser() as elsewhere:
        tokens = await given(idp, browser, party)
        assert not await is_dead(idp, party, tokens)
        code = await idp.code(browser, party, scope="openid")
        await rested(idp, person)
        await sign_in(elsewhere, person)
        answer = await pressed(browser, "identity")
        assert answer.headers["location"] == "/idp/frozen"
        assert await is_dead(idp, party, tokens)
        refused = await idp.http.post("/idp/token", data=party.exchange(code))
        assert refused.json()["error"] == "invalid_grant"
        for other in (browser, elsewhere):
            answer = await other.get("/idp/authorize", params=party.request(prompt="none"))
            assert answer_of(answer)["error"] == "login_required"
        await rested(idp, person)
        assert (await first_factor(elsewhere, person)).status_code == 403
    kinds = [letter.kind for letter in await letters(idp, person.citizen_id)]
    assert kinds.count("identity.frozen") == 2  # the phone and the mailbox


async def test_a_code_of_before_the_freeze_stays_dead_where_a_desk_opens_at_once(idp: Provider) -> None:
    person, party = await active(idp), await idp.client()
    async with signed_in(idp, person) as browser:
        code = await idp.code(browser, party, scope="openid")
        await pressed(browser, "identity")
    await at_the_desk(idp, person)
    refused = await idp.http.post("/idp/token", data=party.exchange(code))
    assert refused.json()["error"] == "invalid_grant"


async def at_the_desk(idp: Provider, person: Person) -> None:
    await change_state(
        idp.wiring.db, idp.wiring.audit, person.uid, "unfreeze", actor_kind="officer", actor="desk", reason="came here"
    )


async def test_who_lost_the_second_step_freezes_with_the_password_alone(idp: Provider) -> None:
    person = await active(idp)
    async with idp.browser() as browser:
        assert (await browser.get(FREEZE)).headers["location"] == "/idp/sign-in?to=freeze"
        answer = await first_factor(browser, person, query="?to=freeze")
        assert answer.headers["location"] == FREEZE
        assert (await browser.get("/idp/account")).headers["location"] == "/idp/sign-in"
        assert (await pressed(browser, "identity")).headers["location"] == "/idp/frozen"


async def asked(idp: Provider, person: Person, to: str = "unfreeze") -> str:
    await rested(idp, person)
    async with idp.browser() as browser:
        await browser.get("/idp/unfreeze?lang=en")
        await first_factor(browser, person, query=f"?to={to}")
        answer = await second_factor(browser, person.otp(), query=f"?to={to}")
        assert answer.status_code == 200, answer.text
        assert "__Host-idp-session" not in browser.cookies
        return answer.text


async def frozen(idp: Provider, person: Person) -> None:
    await idp.wiring.db.transact(
        lambda tx: freeze(tx, parts_of(idp.wiring), person.citizen_id, Identity(), because="test")
    )


async def waited(idp: Provider, person: Person) -> None:
    await idp.owner("UPDATE idp.thaw SET opens_at = now() WHERE citizen_id = $1", person.citizen_id)


async def test_an_identity_opens_by_two_factors_and_a_wait_of_which_everybody_is_told(idp: Provider) -> None:
    person = await active(idp)
    await frozen(idp, person)
    assert "not open yet" in await asked(idp, person)
    assert "not open yet" in await asked(idp, person)
    kinds = [letter.kind for letter in await letters(idp, person.citizen_id)]
    assert kinds.count("identity.thaw-asked") == 2  # once, at two contact points
    await waited(idp, person)
    assert "open again" in await asked(idp, person)
    async with signed_in(idp, person) as browser:
        assert (await browser.get("/idp/account")).status_code == 200


async def test_the_password_alone_asks_for_nothing(idp: Provider) -> None:
    person = await active(idp)
    await frozen(idp, person)
    async with idp.browser() as browser:
        await first_factor(browser, person, query="?to=unfreeze")
        assert (await second_factor(browser, "000000", query="?to=unfreeze")).status_code == 422
    assert await idp.owner("SELECT 1 FROM idp.thaw WHERE citizen_id = $1", person.citizen_id) == []


async def test_a_wait_of_an_earlier_freeze_opens_no_later_one(idp: Provider) -> None:
    person = await active(idp)
    await frozen(idp, person)
    await asked(idp, person)
    await waited(idp, person)
    await at_the_desk(idp, person)
    await frozen(idp, person)
    assert "not open yet" in await asked(idp, person)


async def test_who_asked_and_did_not_come_for_a_week_asks_anew(idp: Provider) -> None:
    person = await active(idp)
    await frozen(idp, person)
    await asked(idp, person)
    await idp.owner("UPDATE idp.thaw SET opens_at = now() - interval '8 days'")
    assert "not open yet" in await asked(idp, person)


async def test_what_was_asked_for_another_freeze_or_lapsed_is_swept(idp: Provider) -> None:
    people = {name: await idp.citizen() for name in ("waits", "lapsed", "open", "earlier", "desk")}
    for name, citizen_id in people.items():
        await idp.owner(
            "UPDATE idp.citizen SET state = $2, state_changed_at = now() - interval '10 days' WHERE citizen_id = $1",
            citizen_id,
            "active" if name == "open" else "frozen",
        )
        await idp.owner(
            "INSERT INTO idp.thaw (citizen_id, asked_at, opens_at, desk_only)"
            " VALUES ($1, now() - $2::text::interval, now() - $3::text::interval, $4)",
            citizen_id,
            "11 days" if name == "earlier" else "9 days",
            "8 days" if name in ("lapsed", "desk") else "1 day",
            name == "desk",
        )
    await store.sweep(idp.wiring.db)
    left = await idp.owner("SELECT citizen_id FROM idp.thaw WHERE citizen_id = ANY ($1)", list(people.values()))
    assert {row[0] for row in left} == {people["waits"], people["desk"]}


async def test_what_somebody_else_asked_for_is_left_to_the_desk(idp: Provider) -> None:
    person = await active(idp)
    await frozen(idp, person)
    await asked(idp, person)
    assert "stays frozen" in await asked(idp, person, "stay-frozen")
    await waited(idp, person)
    assert "stays frozen" in await asked(idp, person)
    await at_the_desk(idp, person)
    async with signed_in(idp, person) as browser:
        assert (await browser.get("/idp/account")).status_code == 200


async def test_opening_a_frozen_account_is_no_way_in_for_another_state(idp: Provider) -> None:
    person = await active(idp)
    async with idp.browser() as browser:
        refused = await first_factor(browser, person, query="?to=unfreeze")
        assert (refused.status_code, "account-not-frozen" in refused.text) == (409, True)
    await change_state(
        idp.wiring.db, idp.wiring.audit, person.uid, "suspend", actor_kind="officer", actor="desk", reason="test"
    )
    async with idp.browser() as browser:
        refused = await first_factor(browser, person, query="?to=unfreeze")
        assert (refused.status_code, "account-closed" in refused.text) == (403, True)


async def test_a_frozen_service_gets_nothing_until_it_is_thawed_and_others_go_on(idp: Provider) -> None:
    person, party, other = await active(idp), await idp.client(), await idp.client()
    async with signed_in(idp, person) as browser:
        tokens, others = await given(idp, browser, party), await given(idp, browser, other)
        code = await idp.code(browser, party, scope="openid")
        answer = await pressed(browser, f"service:{party.client_id}")
        assert answer.headers["location"] == f"{FREEZE}?done=frozen"
        assert await is_dead(idp, party, tokens)
        assert not await is_dead(idp, other, others)
        refused = await idp.http.post("/idp/token", data=party.exchange(code))
        assert refused.json()["error"] == "invalid_grant"
        for prompt in ("none", None, "consent"):
            answer = await browser.get("/idp/authorize", params=party.request(prompt=prompt, scope="openid"))
            assert answer_of(answer)["error"] == "access_denied"
        answer = await post(browser, "/idp/account/thaw", page=FREEZE, what=f"service:{party.client_id}")
        assert answer.headers["location"] == f"{FREEZE}?done=thawed"
        assert not await is_dead(idp, party, tokens)
    kinds = [letter.kind for letter in await letters(idp, person.citizen_id)]
    assert (kinds.count("service.frozen"), kinds.count("service.thawed")) == (2, 2)


async def test_a_service_that_is_frozen_while_a_page_is_open_gets_no_code(idp: Provider) -> None:
    person, party = await active(idp), await idp.client()
    async with signed_in(idp, person) as browser:
        page = await browser.get("/idp/authorize", params=party.request())
        await idp.wiring.db.transact(
            lambda tx: freeze(tx, parts_of(idp.wiring), person.citizen_id, Service(party.client_id), because="test")
        )
        location = page.headers["location"]
        answer = await post(browser, location, decision="allow")
        answer = await browser.get(answer.headers["location"])
        assert answer_of(answer)["error"] == "access_denied"


@pytest.mark.parametrize("what", ["service:nobody", "authenticator:code", "authenticator:", "x", "", "identity:1"])
async def test_nothing_else_is_frozen(idp: Provider, what: str) -> None:
    person = await active(idp)
    async with signed_in(idp, person) as browser:
        refused = await pressed(browser, what)
        assert (refused.status_code, "nothing-to-freeze" in refused.text) == (404, True)
    assert await idp.owner("SELECT 1 FROM idp.frozen WHERE citizen_id = $1", person.citizen_id) == []


async def with_two_second_steps(idp: Provider) -> Person:
    person = await active(idp)
    async with signed_in(idp, person) as browser:
        await post(browser, "/idp/account/codes", channel="sms", expect=303)
        await post(browser, "/idp/account/codes/confirm", otp=await last_code(idp, person.citizen_id), expect=303)
    return person


@asynccontextmanager
async def signed_in_by_app(idp: Provider, person: Person) -> AsyncIterator[httpx.AsyncClient]:
    """The app, also where a code by message would come first."""
    await rested(idp, person)
    async with idp.browser() as browser:
        await first_factor(browser, person)
        await post(browser, "/idp/sign-in/another-way", page="/idp/sign-in/second-factor", way="totp", expect=303)
        assert (await second_factor(browser, person.otp())).status_code == 303
        yield browser


async def test_a_frozen_authenticator_proves_nothing_and_two_others_open_it(idp: Provider) -> None:
    person, party = await with_two_second_steps(idp), await idp.client()
    async with signed_in_by_app(idp, person) as browser, signed_in_by_app(idp, person) as elsewhere:
        tokens = await given(idp, elsewhere, party)
        await pressed(browser, "authenticator:totp")
        assert await is_dead(idp, party, tokens)
        assert (await elsewhere.get("/idp/account")).status_code == 303
        assert (await browser.get("/idp/account")).status_code == 200
        # The session in which it was frozen may have been opened by that very authenticator.
        answer = await post(browser, "/idp/account/thaw", page=FREEZE, what="authenticator:totp")
        assert (answer.status_code, "not-thawed" in answer.text) == (409, True)
    await rested(idp, person)
    async with idp.browser() as browser:
        await first_factor(browser, person)
        assert (await second_factor(browser, person.otp())).status_code == 422
        answer = await second_factor(browser, await last_code(idp, person.citizen_id))
        assert answer.status_code == 303
        answer = await post(browser, "/idp/account/thaw", page=FREEZE, what="authenticator:totp")
        assert answer.headers["location"] == f"{FREEZE}?done=thawed"
    async with signed_in_by_app(idp, person) as browser:
        assert (await browser.get("/idp/account")).status_code == 200


async def test_one_passkey_is_frozen_and_the_other_still_signs_in(idp: Provider) -> None:
    person, lost, kept = await active(idp), SoftPasskey(), SoftPasskey()
    async with signed_in(idp, person) as browser:
        await set_up(browser, lost, name="lost phone")
        await set_up(browser, kept, name="laptop")
        passkey_id = (
            await idp.owner(
                "SELECT passkey_id FROM idp.passkey WHERE citizen_id = $1 AND name = $2",
                person.citizen_id,
                "lost phone",
            )
        )[0][0]
        async with idp.browser() as thief:
            assert (await use(thief, lost)).status_code == 303
            answer = await pressed(browser, f"authenticator:passkey:{passkey_id}")
            assert answer.headers["location"] == f"{FREEZE}?done=frozen"
            assert (await thief.get("/idp/account")).status_code == 303
    async with idp.browser() as browser:
        assert (await use(browser, lost)).status_code == 422
        # Nor as the second factor after a password.
        await rested(idp, person)
        await first_factor(browser, person)
        options = (await browser.get("/idp/sign-in/passkey")).json()
        assert b64(lost.credential_id) not in str(options.get("allowCredentials"))
        assert (await use(browser, kept)).status_code == 303
        answer = await post(browser, "/idp/account/thaw", page=FREEZE, what=f"authenticator:passkey:{passkey_id}")
        assert answer.headers["location"] == f"{FREEZE}?done=thawed"
    async with idp.browser() as browser:
        assert (await use(browser, lost)).status_code == 303


async def test_a_frozen_password_is_answered_as_a_wrong_one(idp: Provider) -> None:
    person = await active(idp)
    async with signed_in(idp, person) as browser:
        await pressed(browser, "authenticator:password")
    async with idp.browser() as browser:
        assert (await first_factor(browser, person)).status_code == 422


async def test_a_half_done_sign_in_ends_with_the_authenticator_that_it_waits_for(idp: Provider) -> None:
    person = await active(idp)
    async with signed_in(idp, person) as browser, idp.browser() as half:
        await rested(idp, person)
        await first_factor(half, person)
        await pressed(browser, "authenticator:totp")
        assert (await second_factor(half, person.otp())).status_code == 422


@pytest_asyncio.fixture(loop_scope="module")
async def quick(dsns: Any) -> AsyncIterator[Provider]:
    async with running_provider(dsns.idp, dsns.owner, unfreeze_waiting_s=0) as provider:
        yield provider


async def test_the_waiting_time_is_a_setting(quick: Provider) -> None:
    person = await active(quick)
    await frozen(quick, person)
    assert "open again" in await asked(quick, person)


@pytest.mark.parametrize("language", ["ar", "fr", "zgh", "en"])
@pytest.mark.parametrize("path", [FREEZE, "/idp/frozen", "/idp/unfreeze"])
async def test_every_page_of_freezing_is_there_in_every_language(idp: Provider, path: str, language: str) -> None:
    async with await idp.signed_in(await idp.citizen()) as browser:
        page = await browser.get(f"{path}?lang={language}")
    assert page.status_code == 200, page.text
    assert f'lang="{language}' in page.text
