"""Signing in, over HTTP, on the real app and a real database."""

import argon2
import httpx
import jwt
import pytest

from tests.people import active, first_factor, last_code, post, rested, second_factor, sign_in, signed_in, submit
from tests.provider import Provider, RelyingParty, answer_of, press_allow

pytestmark = pytest.mark.asyncio(loop_scope="module")


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


async def begun(browser: httpx.AsyncClient, party: RelyingParty, **changed: str | None) -> str:
    """Query of the sign-in page that an authorization request leads to."""
    answer = await browser.get("/idp/authorize", params=party.request(**changed))
    path, _, query = answer.headers["location"].partition("?")
    assert path == "/idp/sign-in", answer.headers
    return f"?{query}"


async def test_the_registered_name_and_purpose_stand_above_the_fields(idp: Provider) -> None:
    party = await idp.client(client_name="A bank", **{"client_name#fr": "Une banque", "purpose": "To open an account"})
    async with idp.browser() as browser:
        query = await begun(browser, party, login_hint="2364578913", ui_locales="en")
        page = await browser.get(f"/idp/sign-in{query}")
        assert "A bank" in page.text
        assert "To open an account" in page.text
        assert 'value="2364578913"' in page.text
        assert page.text.index("A bank") < page.text.index('id="username"')
        for element in ("username", "password", "login-submit"):
            assert f'id="{element}"' in page.text
        assert "form-action 'self' https://rp.test;" in page.headers["content-security-policy"]
        page = await browser.get(f"/idp/sign-in{query}&lang=fr")
        assert "Une banque" in page.text


async def test_a_sign_in_for_a_relying_party_ends_there_with_a_code(idp: Provider) -> None:
    person, party = await active(idp), await idp.client()
    async with idp.browser() as browser:
        query = await begun(browser, party)
        answer = await sign_in(browser, person, query=query)
        assert answer.headers["location"] == f"/idp/authorize/resume{query}"
        answer = await browser.get(answer.headers["location"])
        assert answer.headers["location"].startswith("/idp/consent")
        answer = await press_allow(browser, answer.headers["location"])
        tokens = await idp.http.post("/idp/token", data=party.exchange(answer_of(answer)["code"]))
        claims = jwt.decode(tokens.json()["id_token"], options={"verify_signature": False})
        assert claims["acr"] == "substantial"
        assert claims["amr"] == ["pwd", "otp", "mfa"]


async def test_a_client_registered_with_low_signs_in_with_one_factor(idp: Provider) -> None:
    person, party = await active(idp), await idp.client(default_acr_values=["low"])
    async with idp.browser() as browser:
        query = await begun(browser, party)
        answer = await first_factor(browser, person, query=query)
        assert answer.headers["location"] == f"/idp/authorize/resume{query}"
        # A request that asks for more gets more: only the second factor is asked for.
        answer = await browser.get("/idp/authorize", params=party.request(acr_values="substantial"))
        answer = await browser.get(answer.headers["location"])
        assert answer.headers["location"].startswith("/idp/sign-in/second-factor")
        query = "?" + answer.headers["location"].partition("?")[2]
        answer = await second_factor(browser, person.otp(), query=query)
        assert answer.headers["location"] == f"/idp/authorize/resume{query}"


async def test_prompt_login_asks_for_both_factors_again(idp: Provider) -> None:
    person, party = await active(idp), await idp.client()
    async with signed_in(idp, person) as browser:
        query = await begun(browser, party, prompt="login")
        assert (await browser.get(f"/idp/sign-in{query}")).status_code == 200
        await rested(idp, person)
        answer = await sign_in(browser, person, query=query)
        answer = await browser.get(answer.headers["location"])
        assert answer.headers["location"].startswith("/idp/consent")


async def test_an_interaction_of_another_browser_is_not_shown(idp: Provider) -> None:
    party = await idp.client()
    async with idp.browser() as mine, idp.browser() as other:
        query = await begun(mine, party)
        page = await other.get(f"/idp/sign-in{query}")
        assert (page.status_code, "interaction-over" in page.text) == (400, True)
        assert 'id="password"' not in page.text


@pytest.mark.parametrize(
    ("state", "code"),
    [
        ("suspended", "account-closed"),
        ("frozen", "account-frozen"),
        ("deceased", "account-closed"),
        ("registered", "account-not-active"),
    ],
)
async def test_who_is_not_active_is_told_so_only_after_the_right_password(idp: Provider, state: str, code: str) -> None:
    person = await active(idp)
    await idp.owner("UPDATE idp.citizen SET state = $2 WHERE citizen_id = $1", person.citizen_id, state)
    async with idp.browser() as browser:
        answer = await post(browser, "/idp/sign-in", username=person.uid, password="not this one")
        assert (answer.status_code, code in answer.text) == (422, False)
        answer = await first_factor(browser, person)
        assert (answer.status_code, code in answer.text) == (403, True)
    assert await idp.owner("SELECT 1 FROM idp.session WHERE citizen_id = $1", person.citizen_id) == []


async def test_a_citizen_suspended_between_the_factors_does_not_get_in(idp: Provider) -> None:
    person = await active(idp)
    async with idp.browser() as browser:
        await first_factor(browser, person)
        page = await browser.get("/idp/sign-in/second-factor")
        await idp.owner("UPDATE idp.citizen SET state = 'suspended' WHERE citizen_id = $1", person.citizen_id)
        answer = await submit(browser, "/idp/sign-in/second-factor", page, otp=person.otp())
        assert (answer.status_code, "sign-in-over" in answer.text) == (403, True)
    assert await idp.owner("SELECT 1 FROM idp.session WHERE citizen_id = $1", person.citizen_id) == []


async def test_another_way_is_always_there_and_the_last_one_used_comes_first(idp: Provider) -> None:
    person = await active(idp)
    async with signed_in(idp, person) as browser:
        await post(browser, "/idp/account/codes", channel="sms", expect=303)
        await post(browser, "/idp/account/codes/confirm", otp=await last_code(idp, person.citizen_id), expect=303)
    await rested(idp, person)
    for _ in range(2):
        async with idp.browser() as browser:
            await first_factor(browser, person)
            page = await browser.get("/idp/sign-in/second-factor?lang=en")
            if "authenticator app and type" in page.text:
                answer = await submit(browser, "/idp/sign-in/another-way", page, way="code")
                assert answer.status_code == 303
                page = await browser.get("/idp/sign-in/second-factor?lang=en")
            assert "We sent six digits" in page.text
            assert 'value="totp"' in page.text
            answer = await submit(
                browser, "/idp/sign-in/second-factor", page, otp=await last_code(idp, person.citizen_id)
            )
            assert answer.status_code == 303


async def test_no_email_nor_number_is_shown_whole_before_the_second_factor(idp: Provider) -> None:
    person = await active(idp, method="email")
    async with idp.browser() as browser:
        await first_factor(browser, person)
        page = await browser.get("/idp/sign-in/second-factor")
    row = (await idp.owner("SELECT claims ->> 'email' AS email FROM idp.citizen WHERE uid = $1", person.uid))[0]
    assert row["email"] not in page.text


async def test_too_many_codes_keep_the_page_and_offer_another_way(idp: Provider) -> None:
    person = await active(idp, method="sms")
    async with idp.browser() as browser:
        await first_factor(browser, person)
        statuses = []
        for _ in range(6):
            page = await browser.get("/idp/sign-in/second-factor")
            answer = await submit(browser, "/idp/sign-in/another-way", page, way="code")
            statuses.append(answer.status_code)
    assert statuses == [303] * 4 + [429] * 2


async def test_without_any_second_factor_a_clear_page_says_so(idp: Provider) -> None:
    person = await active(idp)
    await idp.owner("DELETE FROM idp.totp WHERE citizen_id = $1", person.citizen_id)
    async with idp.browser() as browser:
        answer = await first_factor(browser, person)
    assert answer.status_code == 403
    assert "no-second-factor" in answer.text


async def test_a_password_under_old_parameters_is_stretched_again(idp: Provider) -> None:
    person = await active(idp)
    old = argon2.PasswordHasher(memory_cost=8_192, time_cost=1, parallelism=1).hash(person.password)
    await idp.owner("UPDATE idp.password SET argon2 = $2 WHERE citizen_id = $1", person.citizen_id, old)
    async with idp.browser() as browser:
        assert (await first_factor(browser, person)).status_code == 303
    row = (await idp.owner("SELECT argon2 FROM idp.password WHERE citizen_id = $1", person.citizen_id))[0]
    assert row["argon2"].startswith("$argon2id$v=19$m=19456,t=2,p=1$")
