"""The citizen's own page, over HTTP."""

import base64
from uuid import uuid4

import pytest

from tests.people import PASSWORD, active, last_code, letters, post, rested, signed_in
from tests.provider import Provider, csrf_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

NEW = "Le thé du soir à Ifrane"


@pytest.mark.parametrize("language", ["ar", "fr", "zgh", "en"])
@pytest.mark.parametrize("path", ["", "/password", "/totp", "/codes", "/contact", "/history"])
async def test_every_page_of_the_account_is_there_in_every_language(idp: Provider, path: str, language: str) -> None:
    citizen = await idp.citizen()
    async with await idp.signed_in(citizen) as browser:
        page = await browser.get(f"/idp/account{path}?lang={language}")
    assert page.status_code == 200, page.text
    assert f'lang="{language}' in page.text


async def test_a_new_password_works_and_the_old_one_does_not(idp: Provider) -> None:
    person = await active(idp)
    async with signed_in(idp, person) as browser:
        answer = await post(browser, "/idp/account/password", password=NEW)
        assert answer.headers["location"] == "/idp/account?done=password"
    async with idp.browser() as browser:
        answer = await post(browser, "/idp/sign-in", username=person.uid, password=PASSWORD)
        assert answer.status_code == 422
        answer = await post(browser, "/idp/sign-in", username=person.uid, password=NEW)
        assert answer.status_code == 303
    kinds = [letter.kind for letter in await letters(idp, person.citizen_id)]
    assert kinds.count("password.changed") == 2  # the phone and the mailbox


async def test_the_authenticator_app_is_replaced_only_by_a_right_code(idp: Provider) -> None:
    person = await active(idp)
    async with signed_in(idp, person) as browser:
        answer = await post(browser, "/idp/account/totp", otp="000000")
        assert answer.status_code == 422
        await rested(idp, person)
    async with signed_in(idp, person) as browser:
        assert (await browser.get("/idp/account")).status_code == 200


async def test_the_only_second_step_cannot_be_removed(idp: Provider) -> None:
    person = await active(idp)
    async with signed_in(idp, person) as browser:
        answer = await post(browser, "/idp/account/methods/remove", page="/idp/account", method="totp")
        assert answer.status_code == 409


async def test_codes_by_message_are_set_up_after_one_came_back(idp: Provider) -> None:
    person = await active(idp)
    async with signed_in(idp, person) as browser:
        answer = await post(browser, "/idp/account/codes", channel="sms")
        assert answer.headers["location"] == "/idp/account/codes/confirm"
        code = await last_code(idp, person.citizen_id)
        answer = await post(browser, "/idp/account/codes/confirm", otp=code)
        assert answer.headers["location"] == "/idp/account?done=method"
        answer = await post(browser, "/idp/account/methods/remove", page="/idp/account", method="totp")
        assert answer.status_code == 303


async def test_a_changed_contact_point_is_told_to_the_old_and_the_new_one(idp: Provider) -> None:
    person = await active(idp)
    async with signed_in(idp, person) as browser:
        await post(browser, "/idp/account/contact", contact="06 12-34-56-78", expect=303)
        code = await last_code(idp, person.citizen_id)
        await post(browser, "/idp/account/contact/confirm", otp=code, expect=303)
        page = await browser.get("/idp/account")
        assert "+212612345678" in page.text
    told = [x.letter.address for x in await letters(idp, person.citizen_id) if x.kind == "contact.changed"]
    assert "+212612345678" in told
    assert any(address.startswith("+212600") for address in told)


async def test_a_session_elsewhere_is_ended_by_the_citizen(idp: Provider) -> None:
    person = await active(idp)
    async with signed_in(idp, person) as first, signed_in(idp, person) as second:
        await post(first, "/idp/account/sessions/end", page="/idp/account", expect=303)
        assert (await first.get("/idp/account")).status_code == 200
        assert (await second.get("/idp/account")).headers["location"] == "/idp/sign-in"


async def test_a_session_of_somebody_else_is_not_ended(idp: Provider) -> None:
    mine, theirs = await active(idp), await active(idp)
    async with signed_in(idp, mine) as browser, signed_in(idp, theirs) as other:
        rows = await idp.owner("SELECT sid FROM idp.session WHERE citizen_id = $1", theirs.citizen_id)
        await post(browser, "/idp/account/sessions/end", page="/idp/account", sid=rows[0]["sid"], expect=303)
        assert (await other.get("/idp/account")).status_code == 200


async def test_history_shows_each_act_and_pages_on(idp: Provider) -> None:
    person = await active(idp)
    async with signed_in(idp, person) as browser:
        await idp.owner(
            """INSERT INTO idp.audit (audit_id, action, actor_kind, actor, owner, result, detail)
               SELECT gen_random_uuid(), 'sign-in.refused', 'anonymous', '', $1, 'wrong-credentials', '{}'
                 FROM generate_series(1, 60)""",
            str(person.citizen_id),
        )
        seen, path = 0, "/idp/account/history?lang=en"
        for _ in range(10):
            page = await browser.get(path)
            seen += page.text.count('<tr role="row">') - 1
            if 'rel="next"' not in page.text:
                break
            path = page.text.split('rel="next" href="')[1].split('"')[0]
        rows = await idp.owner("SELECT count(*) FROM idp.audit WHERE owner = $1", str(person.citizen_id))
        assert seen == rows[0]["count"]
        far = base64.urlsafe_b64encode(f"0001-01-01T00:00:00+14:00|{uuid4()}".encode()).decode()
        for mark in ("nonsense", far):
            assert (await browser.get(f"/idp/account/history?before={mark}")).status_code == 200


async def test_the_chosen_language_is_that_of_the_next_message(idp: Provider) -> None:
    person = await active(idp)
    async with signed_in(idp, person) as browser:
        await post(browser, "/idp/account/language", page="/idp/account", language="fr", expect=303)
        await post(browser, "/idp/account/password", password=NEW, expect=303)
    assert (await letters(idp, person.citizen_id))[0].letter.locale == "fr-MA"


async def test_a_low_session_confirms_with_a_second_step_before_it_sees_the_account(idp: Provider) -> None:
    person = await active(idp)
    async with await idp.signed_in(person.citizen_id, acr="low") as browser:
        answer = await browser.get("/idp/account")
        assert answer.headers["location"] == "/idp/sign-in"
        answer = await browser.get("/idp/sign-in")
        assert answer.headers["location"] == "/idp/sign-in/second-factor"
        answer = await post(browser, "/idp/sign-in/second-factor", otp=person.otp())
        assert answer.headers["location"] == "/idp/account"
        assert (await browser.get("/idp/account")).status_code == 200


async def test_sign_out_ends_the_session(idp: Provider) -> None:
    person = await active(idp)
    async with signed_in(idp, person) as browser:
        page = await browser.get("/idp/account")
        answer = await browser.post("/idp/sign-out", data={"csrf": csrf_of(page)})
        assert answer.status_code == 303
        assert (await browser.get("/idp/account")).headers["location"] == "/idp/sign-in"
