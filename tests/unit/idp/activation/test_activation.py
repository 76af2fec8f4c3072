import pytest

from idp.authenticators.printed_code import as_typed, new_code
from tests.people import PASSWORD, active, enrolled, first_factor, post, submit
from tests.provider import Provider

in_one_loop = pytest.mark.asyncio(loop_scope="module")


def test_codes_are_read_as_people_type_them() -> None:
    code = new_code()
    assert len(as_typed(code)) == 12
    assert as_typed(f" {code.lower().replace('-', ' ')} ") == as_typed(code)
    assert as_typed("iIlLoO") == "111100"


@in_one_loop
async def test_a_code_is_good_for_thirty_days_and_one_account(idp: Provider) -> None:
    one, two = await enrolled(idp), await enrolled(idp)
    rows = await idp.owner("SELECT expires_at - created_at AS life FROM idp.activation")
    assert {row["life"].days for row in rows} == {30}
    async with idp.browser() as browser:
        answer = await post(browser, "/idp/activate", username=two.uid, activation_code=one.activation_code or "")
        assert answer.status_code == 422
        await idp.owner("UPDATE idp.activation SET expires_at = now() WHERE citizen_id = $1", one.citizen_id)
        answer = await post(browser, "/idp/activate", username=one.uid, activation_code=one.activation_code or "")
        assert answer.status_code == 422


@in_one_loop
async def test_a_code_is_spent_by_the_activation(idp: Provider) -> None:
    await active(idp)
    person = await enrolled(idp)
    fields = {"username": person.uid, "activation_code": person.activation_code or ""}
    async with idp.browser() as browser:
        await post(browser, "/idp/activate", **fields)
        await idp.owner("DELETE FROM idp.activation WHERE citizen_id = $1", person.citizen_id)
        assert (await browser.get("/idp/activate/password")).status_code == 403
        assert (await post(browser, "/idp/activate", **fields)).status_code == 422


@in_one_loop
async def test_no_step_opens_without_the_one_before(idp: Provider) -> None:
    person = await enrolled(idp)
    async with idp.browser() as browser:
        for step in ("password", "second-factor", "totp", "code"):
            refused = await browser.get(f"/idp/activate/{step}")
            assert (refused.status_code, "activation-over" in refused.text) == (403, True)
        await post(browser, "/idp/activate", username=person.uid, activation_code=person.activation_code or "")
        for step in ("second-factor", "totp"):
            assert (await browser.get(f"/idp/activate/{step}")).headers["location"] == "/idp/activate/password"
        page = await browser.get("/idp/activate/password")
        answer = await submit(browser, "/idp/activate/totp", page, otp="123456")
        assert answer.status_code == 403


@in_one_loop
async def test_an_activation_goes_on_in_the_browser_where_it_was_opened_last(idp: Provider) -> None:
    person = await enrolled(idp)
    fields = {"username": person.uid, "activation_code": person.activation_code or ""}
    async with idp.browser() as one, idp.browser() as two:
        await post(one, "/idp/activate", **fields)
        await post(two, "/idp/activate", **fields)
        assert (await one.get("/idp/activate/password")).status_code == 403
        assert (await two.get("/idp/activate/password")).status_code == 200
        await idp.owner("UPDATE idp.activation SET opened_until = now() WHERE citizen_id = $1", person.citizen_id)
        assert (await two.get("/idp/activate/password")).status_code == 403


@in_one_loop
async def test_a_password_of_an_unfinished_activation_signs_nobody_in(idp: Provider) -> None:
    person = await enrolled(idp)
    async with idp.browser() as browser:
        await post(browser, "/idp/activate", username=person.uid, activation_code=person.activation_code or "")
        await post(browser, "/idp/activate/password", password=PASSWORD, expect=303)
        answer = await post(browser, "/idp/sign-in", username=person.uid, password=PASSWORD)
    assert answer.status_code == 403
    assert "account-not-active" in answer.text


@in_one_loop
async def test_guessing_activation_codes_is_stopped(idp: Provider) -> None:
    person = await enrolled(idp)
    await idp.owner("DELETE FROM idp.throttle")
    async with idp.browser() as browser:
        page = await browser.get("/idp/activate")
        statuses = [
            (await submit(browser, "/idp/activate", page, username=person.uid, activation_code=new_code())).status_code
            for _ in range(13)
        ]
    assert statuses == [422] * 10 + [429] * 3
    await idp.owner("DELETE FROM idp.throttle")


@pytest.mark.parametrize("language", ["ar", "fr", "zgh", "en"])
@in_one_loop
async def test_every_step_is_there_in_every_language(idp: Provider, language: str) -> None:
    person = await enrolled(idp)
    async with idp.browser() as browser:
        await post(
            browser, f"/idp/activate?lang={language}", username=person.uid, activation_code=person.activation_code or ""
        )
        await post(browser, "/idp/activate/password", password=PASSWORD, expect=303)
        for step in ("", "/password", "/second-factor", "/totp", "/done"):
            page = await browser.get(f"/idp/activate{step}")
            assert page.status_code == 200
            assert f'lang="{language}' in page.text
            assert "style=" not in page.text
        await post(browser, "/idp/activate/second-factor", method="sms", expect=303)
        assert (await browser.get("/idp/activate/code")).status_code == 200


@in_one_loop
async def test_activation_is_told_to_the_contact_points(idp: Provider) -> None:
    person = await active(idp)
    rows = await idp.owner(
        "SELECT channel FROM idp.outbox WHERE citizen_id = $1 AND kind = 'account.activated'", person.citizen_id
    )
    assert sorted(row["channel"] for row in rows) == ["email", "sms"]
    async with idp.browser() as browser:
        assert (await first_factor(browser, person)).status_code == 303
