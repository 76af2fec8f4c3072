"""Group L of the attack catalogue: login, credentials, enrolment."""

import asyncio
import hashlib
import re
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from webauthn.helpers import encode_cbor

from idp.authenticators.breached import BreachedPasswords
from idp.authenticators.passkey_challenge import new_challenge
from idp.authenticators.refusals import PasswordRefused
from idp.authenticators.set_password import stretched
from idp.citizens.find import find_citizen
from idp.citizens.unique_identifier import new_uid
from idp.messages.sms_caps import SmsCaps
from idp.sessions.cookies import BROWSER_COOKIE
from kit.tokens import digest
from tests.cbor_bomb import BOMB, written
from tests.passkeys import BE, BS, UP, UV, SoftPasskey, b64, set_up, use
from tests.people import (
    PASSWORD,
    Person,
    active,
    aged,
    enrolled,
    first_factor,
    last_code,
    letters,
    post,
    rested,
    second_factor,
    sign_in,
    signed_in,
    submit,
)
from tests.provider import ORIGIN, Provider, csrf_of
from tests.windows import in_one_window

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def unthrottled(idp: Provider) -> None:
    """As if the windows of all earlier tests were over."""
    await idp.owner("DELETE FROM idp.throttle")


def other(code: str) -> str:
    return f"{(int(code) + 1) % 1_000_000:06d}"


@asynccontextmanager
async def browser_at(idp: Provider, address: str, **headers: str) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=idp.transport.app, client=(address, 1))
    async with httpx.AsyncClient(
        transport=transport, base_url=ORIGIN, headers={"Accept": "text/html", **headers}
    ) as browser:
        yield browser


async def sessions_of(idp: Provider, person: Person) -> int:
    rows = await idp.owner("SELECT count(*) FROM idp.session WHERE citizen_id = $1", person.citizen_id)
    return int(rows[0][0])


@pytest.mark.parametrize("method", ["totp", "sms"])
async def test_l_01_guessing_a_code_ends_the_attempt_and_the_right_code_is_too_late(idp: Provider, method: str) -> None:
    await unthrottled(idp)
    person = await active(idp, method=method)
    async with idp.browser() as browser:
        await first_factor(browser, person)
        right = person.otp() if method == "totp" else await last_code(idp, person.citizen_id)
        page = await browser.get("/idp/sign-in/second-factor")
        answers = [await submit(browser, "/idp/sign-in/second-factor", page, otp=other(right)) for _ in range(20)]
        assert [answer.status_code for answer in answers] == [422] * 5 + [429] * 15
        assert all("too-many-tries" in answer.text for answer in answers[5:])
        answer = await submit(browser, "/idp/sign-in/second-factor", page, otp=right)
        assert answer.status_code == 429
    assert await sessions_of(idp, person) == 0


async def test_l_01_starting_again_does_not_give_endless_tries(idp: Provider) -> None:
    await unthrottled(idp)
    person = await active(idp)
    statuses = []
    for _ in range(4):
        async with idp.browser() as browser:
            await first_factor(browser, person)
            page = await browser.get("/idp/sign-in/second-factor")
            for _ in range(4):
                answer = await submit(browser, "/idp/sign-in/second-factor", page, otp=other(person.otp()))
                statuses.append(answer.status_code)
    assert statuses == [422] * 10 + [429] * 6


async def test_l_03_a_forged_x_forwarded_for_changes_nothing(idp: Provider) -> None:
    await unthrottled(idp)
    person = await active(idp)
    async with idp.browser() as browser:
        page = await browser.get("/idp/sign-in")
        statuses = []
        for number in range(14):
            answer = await browser.post(
                "/idp/sign-in",
                data={"csrf": csrf_of(page), "username": person.uid, "password": "not this one"},
                headers={"X-Forwarded-For": f"203.0.113.{number}", "Forwarded": f"for=203.0.113.{number}"},
            )
            statuses.append(answer.status_code)
        assert statuses == [422] * 10 + [429] * 4
        assert int(answer.headers["retry-after"]) > 0
    async with browser_at(idp, "198.51.100.9") as elsewhere:
        # The owner, somewhere else, is not locked out by it.
        assert (await first_factor(elsewhere, person)).status_code == 303


async def test_l_04_a_code_of_one_citizen_is_refused_in_the_flow_of_another(idp: Provider) -> None:
    await unthrottled(idp)
    attacker, victim = await active(idp, method="sms"), await active(idp, method="sms")
    async with idp.browser() as mine, idp.browser() as theirs:
        await first_factor(mine, attacker)
        await first_factor(theirs, victim)
        code = await last_code(idp, attacker.citizen_id)
        victims = await last_code(idp, victim.citizen_id)
        assert code != victims
        assert (await second_factor(theirs, code)).status_code == 422
        assert (await second_factor(mine, code)).status_code == 303
    assert await sessions_of(idp, victim) == 0


async def test_l_04_a_code_of_another_sign_in_of_the_same_citizen_is_refused(idp: Provider) -> None:
    await unthrottled(idp)
    person = await active(idp, method="sms")
    async with idp.browser() as one, idp.browser() as two:
        await first_factor(one, person)
        code = await last_code(idp, person.citizen_id)
        await first_factor(two, person)
        assert (await second_factor(two, code)).status_code == 422
        assert (await second_factor(one, code)).status_code == 303


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/idp/account/password", {"password": "Le thé du soir à Ifrane"}),
        ("/idp/account/totp", {"otp": "123456"}),
        ("/idp/account/contact", {"contact": "0612345678"}),
        ("/idp/account/codes", {"channel": "sms"}),
        ("/idp/account/sessions/end", {}),
        ("/idp/account/language", {"language": "fr"}),
        ("/idp/account/methods/remove", {"method": "totp"}),
    ],
)
async def test_l_06_a_half_done_sign_in_does_nothing_and_is_dropped(
    idp: Provider, path: str, fields: dict[str, str]
) -> None:
    await unthrottled(idp)
    person = await active(idp)
    async with idp.browser() as browser:
        await first_factor(browser, person)
        page = await browser.get("/idp/sign-in/second-factor")
        answer = await submit(browser, path, page, **fields)
        assert (answer.status_code, "not-signed-in" in answer.text) == (403, True)
        answer = await submit(browser, "/idp/sign-in/second-factor", page, otp=person.otp())
        assert (answer.status_code, "sign-in-over" in answer.text) == (403, True)
    assert await sessions_of(idp, person) == 0


async def test_l_06_a_half_done_sign_in_gives_no_consent(idp: Provider) -> None:
    await unthrottled(idp)
    person, party = await active(idp), await idp.client()
    async with idp.browser() as browser:
        answer = await browser.get("/idp/authorize", params=party.request())
        query = "?" + answer.headers["location"].partition("?")[2]
        await first_factor(browser, person, query=query)
        page = await browser.get(f"/idp/sign-in/second-factor{query}")
        answer = await submit(browser, f"/idp/consent{query}", page, decision="allow")
        assert answer.status_code in (303, 403)
        assert not answer.headers.get("location", "").startswith("https://rp.test")
        answer = await browser.get(f"/idp/authorize/resume{query}")
        assert answer.headers["location"].startswith("/idp/sign-in")
    assert await idp.owner("SELECT 1 FROM idp.consent WHERE citizen_id = $1", person.citizen_id) == []


async def test_l_08_a_code_passes_once_and_not_after_ten_minutes(idp: Provider) -> None:
    await unthrottled(idp)
    person = await active(idp, method="email")
    async with idp.browser() as browser:
        await first_factor(browser, person)
        page = await browser.get("/idp/sign-in/second-factor")
        code = await last_code(idp, person.citizen_id)
        assert (await submit(browser, "/idp/sign-in/second-factor", page, otp=code)).status_code == 303
        assert (await submit(browser, "/idp/sign-in/second-factor", page, otp=code)).status_code == 403
    async with idp.browser() as browser:
        await first_factor(browser, person)
        rows = await idp.owner(
            "SELECT max(expires_at) - now() AS left FROM idp.one_time_code WHERE citizen_id = $1", person.citizen_id
        )
        assert 590 < rows[0]["left"].total_seconds() <= 600
        await idp.owner(
            "UPDATE idp.one_time_code SET expires_at = expires_at - interval '10 minutes 1 second'"
            " WHERE citizen_id = $1",
            person.citizen_id,
        )
        assert (await second_factor(browser, await last_code(idp, person.citizen_id))).status_code == 422


async def test_l_09_a_code_to_sign_in_does_not_change_a_phone_number(idp: Provider) -> None:
    await unthrottled(idp)
    person = await active(idp, method="sms")
    async with idp.browser() as browser, idp.browser() as elsewhere:
        await first_factor(browser, person)
        await second_factor(browser, await last_code(idp, person.citizen_id))
        await post(browser, "/idp/account/contact", contact="0699999999", expect=303)
        await first_factor(elsewhere, person)
        sign_in_code = next(
            re.findall(r"\d{6}", one.letter.text)[0]
            for one in await letters(idp, person.citizen_id)
            if one.kind == "code.sign-in"
        )
        answer = await post(browser, "/idp/account/contact/confirm", otp=sign_in_code)
        assert answer.status_code == 422
        contact_code = next(
            re.findall(r"\d{6}", one.letter.text)[0]
            for one in await letters(idp, person.citizen_id)
            if one.kind == "code.contact"
        )
        assert (await second_factor(elsewhere, contact_code)).status_code == 422


async def test_l_10_a_totp_code_passes_once_in_its_window(idp: Provider) -> None:
    await unthrottled(idp)
    person = await active(idp)
    code = person.otp()
    statuses = []
    for _ in range(2):
        async with idp.browser() as browser:
            await first_factor(browser, person)
            statuses.append((await second_factor(browser, code)).status_code)
    assert statuses == [303, 422]


async def test_l_10_two_browsers_with_one_totp_code_at_the_same_moment(idp: Provider) -> None:
    await unthrottled(idp)
    person = await active(idp)
    async with idp.browser() as one, idp.browser() as two:
        pages = []
        for browser in (one, two):
            await first_factor(browser, person)
            pages.append(await browser.get("/idp/sign-in/second-factor"))
        code = person.otp()
        answers = await asyncio.gather(
            *(
                submit(browser, "/idp/sign-in/second-factor", page, otp=code)
                for browser, page in zip((one, two), pages, strict=True)
            )
        )
    assert sorted(answer.status_code for answer in answers) == [303, 422]


@pytest.mark.parametrize("written", ["arabic", "persian", "spaced"])
async def test_l_11_arabic_indic_digits_and_spaces_are_accepted(idp: Provider, written: str) -> None:
    await unthrottled(idp)
    person = await active(idp)
    tables = {"arabic": "٠١٢٣٤٥٦٧٨٩", "persian": "۰۱۲۳۴۵۶۷۸۹", "spaced": "0123456789"}

    def typed(digits: str) -> str:
        text = digits.translate(str.maketrans("0123456789", tables[written]))
        return f" {text[:3]} {text[3:]} "

    async with idp.browser() as browser:
        answer = await post(browser, "/idp/sign-in", username=typed(person.uid), password=PASSWORD)
        assert answer.status_code == 303
        assert (await second_factor(browser, typed(person.otp()))).status_code == 303


async def test_l_13_sign_in_answers_the_same_bytes_for_anybody(idp: Provider) -> None:
    await unthrottled(idp)
    known, waiting, suspended = await active(idp), await enrolled(idp), await active(idp)
    await idp.owner("UPDATE idp.citizen SET state = 'suspended' WHERE citizen_id = $1", suspended.citizen_id)
    bodies, statuses, headers = set(), set(), set()
    async with idp.browser() as browser:
        page = await browser.get("/idp/sign-in")
        for uid in (known.uid, waiting.uid, suspended.uid, new_uid(), "1234567890", "amina", "", "' OR 1=1 --"):
            answer = await submit(browser, "/idp/sign-in", page, username=uid, password="not this one")
            bodies.add(answer.content)
            statuses.add(answer.status_code)
            headers.add(tuple(sorted(set(answer.headers) - {"x-request-id"})))
    assert (len(bodies), statuses, len(headers)) == (1, {422}, 1)


async def test_l_13_sign_in_does_the_same_work_for_anybody(idp: Provider) -> None:
    """With every place of the password hashing taken, whoever needs one is told to come back: so both did need one."""
    person = await active(idp)
    settings, over = idp.wiring.settings, threading.Event()
    places = settings.password_threads + settings.password_waiting_max
    taken = [asyncio.create_task(idp.wiring.passwords.run(over.wait)) for _ in range(places)]
    await asyncio.sleep(0)
    try:
        async with idp.browser() as browser:
            page = await browser.get("/idp/sign-in")
            for uid in (person.uid, new_uid()):
                await unthrottled(idp)
                answer = await submit(browser, "/idp/sign-in", page, username=uid, password="not this one")
                assert answer.status_code == 503
                assert "retry-after" in answer.headers
    finally:
        over.set()
        await asyncio.gather(*taken)


async def test_l_13_activation_answers_the_same_bytes_for_anybody(idp: Provider) -> None:
    await unthrottled(idp)
    known, waiting = await active(idp), await enrolled(idp)
    bodies = set()
    async with idp.browser() as browser:
        page = await browser.get("/idp/activate")
        for uid in (known.uid, waiting.uid, new_uid(), "nobody"):
            answer = await submit(browser, "/idp/activate", page, username=uid, activation_code="AAAA-BBBB-CCCC")
            assert answer.status_code == 422
            bodies.add(answer.content)
    assert len(bodies) == 1


async def test_l_16_one_password_on_many_accounts_is_stopped_from_everywhere_and_an_alert_is_raised(
    idp: Provider,
) -> None:
    await unthrottled(idp)
    await idp.owner("DELETE FROM idp.audit WHERE action = 'sign-in.spray-suspected'")
    victim = await active(idp)
    await unthrottled(idp)
    statuses = []
    for number in range(70):
        async with browser_at(idp, f"198.51.{number}.1") as browser:
            page = await browser.get("/idp/sign-in")
            answer = await submit(browser, "/idp/sign-in", page, username=new_uid(), password=PASSWORD)
            statuses.append(answer.status_code)
    assert statuses == [422] * 61 + [429] * 9
    async with browser_at(idp, "203.0.113.77") as browser:
        # Even where the password is right, it opens nothing while it is being tried everywhere.
        assert (await first_factor(browser, victim)).status_code == 429
    assert len(await idp.owner("SELECT 1 FROM idp.audit WHERE action = 'sign-in.spray-suspected'")) == 1
    await unthrottled(idp)


async def test_l_16_many_passwords_from_one_prefix_are_stopped(idp: Provider) -> None:
    await unthrottled(idp)

    async def tries(other: int) -> list[int]:
        statuses = []
        for number in range(110):
            # One IPv6 /64 counts as one address.
            async with browser_at(idp, f"2001:db8:1:{1 + other}::{number:x}") as browser:
                page = await browser.get("/idp/sign-in")
                answer = await submit(
                    browser, "/idp/sign-in", page, username=new_uid(), password=f"password number {number}"
                )
                statuses.append(answer.status_code)
        return statuses

    statuses = await in_one_window(300, tries)
    assert statuses == [422] * 100 + [429] * 10


async def test_l_16_under_attack_each_address_gets_few_tries_and_one_alert_is_raised(
    idp: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    await unthrottled(idp)
    await idp.owner("DELETE FROM idp.audit WHERE action = 'sign-in.spray-suspected'")
    await idp.owner(
        """INSERT INTO idp.throttle (bucket, window_starts_at, attempts)
           VALUES ('sign-in-failures:', to_timestamp(floor(extract(epoch FROM now()) / 300) * 300), 600)"""
    )
    statuses = []
    with caplog.at_level("WARNING", "khizana.alert"):
        for number in range(13):
            async with browser_at(idp, "198.51.100.44") as browser:
                page = await browser.get("/idp/sign-in")
                answer = await submit(
                    browser, "/idp/sign-in", page, username=new_uid(), password=f"yet another one {number}"
                )
                statuses.append(answer.status_code)
    assert statuses == [422] * 10 + [429] * 3
    assert len(await idp.owner("SELECT 1 FROM idp.audit WHERE action = 'sign-in.spray-suspected'")) == 1
    assert [record.name for record in caplog.records if record.name == "khizana.alert"] == ["khizana.alert"]
    await unthrottled(idp)


async def activation_of(idp: Provider, browser: httpx.AsyncClient) -> str:
    person = await enrolled(idp)
    await post(browser, "/idp/activate", username=person.uid, activation_code=person.activation_code or "", expect=303)
    return person.uid


@pytest.mark.parametrize("size", [73, 4_096])
async def test_l_18_long_passwords_count_to_their_last_byte(idp: Provider, size: int) -> None:
    await unthrottled(idp)
    person = await active(idp)
    long = ("kif kif l'khobz " * 300)[:size]
    async with signed_in(idp, person) as browser:
        await post(browser, "/idp/account/password", password=long, expect=303)
    async with idp.browser() as browser:
        answer = await post(browser, "/idp/sign-in", username=person.uid, password=long[:-1])
        assert answer.status_code == 422
        answer = await post(browser, "/idp/sign-in", username=person.uid, password=long)
        assert answer.status_code == 303


@pytest.mark.parametrize("password", ["a b" * 1_366, "x" * 1_000_000, "Zellige vert\x00 42 matin"])
async def test_l_18_what_is_too_long_or_has_a_nul_is_refused(idp: Provider, password: str) -> None:
    await unthrottled(idp)
    person = await active(idp)
    async with idp.browser() as browser:
        await activation_of(idp, browser)
        assert (await post(browser, "/idp/activate/password", password=password)).status_code == 422
        assert (await post(browser, "/idp/sign-in", username=person.uid, password=password)).status_code == 422


async def test_l_18_composed_and_decomposed_letters_are_one_password(idp: Provider) -> None:
    await unthrottled(idp)
    person = await active(idp)
    async with signed_in(idp, person) as browser:
        await post(browser, "/idp/account/password", password="Th\u00e9 \u00e0 l'Oued Sebou", expect=303)
    async with idp.browser() as browser:
        answer = await post(browser, "/idp/sign-in", username=person.uid, password="The\u0301 a\u0300 l'Oued Sebou")
        assert answer.status_code == 303


@pytest.mark.parametrize(
    "password", ["password", "Password123!", "P@ssw0rd", "azerty2026", "rajacasablanca", "qwertyuiop"]
)
async def test_l_19_a_breached_password_is_refused_with_the_reason(idp: Provider, password: str) -> None:
    await unthrottled(idp)
    async with idp.browser() as browser:
        await activation_of(idp, browser)
        answer = await post(browser, "/idp/activate/password?lang=en", password=password)
        assert answer.status_code == 422
        assert "on lists that thieves try first" in answer.text


async def test_l_26_a_sign_in_from_another_site_is_refused(idp: Provider) -> None:
    await unthrottled(idp)
    person = await active(idp)
    fields = {"username": person.uid, "password": PASSWORD}
    async with idp.browser() as victim, idp.browser() as attacker:
        mine = csrf_of(await victim.get("/idp/sign-in"))
        theirs = csrf_of(await attacker.get("/idp/sign-in"))
        for data, headers in (
            (fields, {}),
            ({**fields, "csrf": "x"}, {}),
            ({**fields, "csrf": theirs}, {}),
            ({**fields, "csrf": mine}, {"Origin": "https://evil.example"}),
            ({**fields, "csrf": mine}, {"Sec-Fetch-Site": "cross-site"}),
            ({**fields, "csrf": mine}, {"Sec-Fetch-Site": "same-site"}),
        ):
            answer = await victim.post("/idp/sign-in", data=data, headers=headers)
            assert answer.status_code == 403
        async with idp.browser() as fresh:
            # A cross-site POST comes without our Lax cookie.
            assert (await fresh.post("/idp/sign-in", data={**fields, "csrf": theirs})).status_code == 403
    assert await sessions_of(idp, person) == 0


async def test_l_28_no_page_can_be_framed(idp: Provider) -> None:
    await unthrottled(idp)
    person, party = await active(idp), await idp.client()
    async with signed_in(idp, person) as browser:
        answer = await browser.get("/idp/authorize", params=party.request())
        assert "/idp/consent" in answer.headers["location"]
        for path in (answer.headers["location"], "/idp/sign-in?to=password", "/idp/account", "/idp/nothing"):
            page = await browser.get(path)
            assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
            assert page.headers["x-frame-options"] == "DENY"


@pytest.mark.parametrize(
    ("page", "path", "fields", "to"),
    [
        ("/idp/account", "/idp/account/contact", {"contact": "0612345678"}, "contact"),
        ("/idp/account", "/idp/account/contact", {"contact": "new@example.org"}, "contact"),
        ("/idp/account", "/idp/account/contact/confirm", {"otp": "123456"}, "contact"),
        ("/idp/account", "/idp/account/totp", {"otp": "123456"}, "totp"),
        ("/idp/account", "/idp/account/codes", {"channel": "sms"}, "codes"),
        ("/idp/account", "/idp/account/methods/remove", {"method": "totp"}, "totp"),
        ("/idp/account", "/idp/account/password", {"password": "Le thé du soir à Ifrane"}, "password"),
        ("/idp/account", "/idp/account/passkeys", {"name": "x", "passkey": "{}"}, "passkeys"),
        ("/idp/account", "/idp/account/passkeys/rename", {"name": "x", "passkey_id": "x"}, "passkeys"),
        ("/idp/account", "/idp/account/passkeys/remove", {"passkey_id": "x"}, "passkeys"),
        ("/idp/account", "/idp/account/recovery-codes", {}, "recovery-codes"),
    ],
)
async def test_l_30_what_guards_the_account_needs_a_fresh_session(
    idp: Provider, page: str, path: str, fields: dict[str, str], to: str
) -> None:
    await unthrottled(idp)
    person = await active(idp)
    async with signed_in(idp, person) as browser:
        await aged(idp, person, 301)
        before = await idp.owner("SELECT count(*) FROM idp.outbox WHERE citizen_id = $1", person.citizen_id)
        answer = await post(browser, path, page=page, **fields)
        assert (answer.status_code, answer.headers["location"]) == (303, f"/idp/sign-in?to={to}")
        after = await idp.owner("SELECT count(*) FROM idp.outbox WHERE citizen_id = $1", person.citizen_id)
        assert after == before
        shown = await browser.get(f"/idp/account/{to}")
        assert shown.headers["location"] == f"/idp/sign-in?to={to}"
        # Both factors again, and the page is there.
        await rested(idp, person)
        answer = await sign_in(browser, person, query=f"?to={to}")
        assert answer.headers["location"] == f"/idp/account/{to}"
        assert (await browser.get(f"/idp/account/{to}")).status_code == 200


async def test_l_30_old_and_new_address_are_told(idp: Provider) -> None:
    await unthrottled(idp)
    person = await active(idp)
    old = (await idp.owner("SELECT claims ->> 'email' AS email FROM idp.citizen WHERE uid = $1", person.uid))[0]
    async with signed_in(idp, person) as browser:
        await post(browser, "/idp/account/contact", contact="new@example.org", expect=303)
        await post(browser, "/idp/account/contact/confirm", otp=await last_code(idp, person.citizen_id), expect=303)
    told = {one.letter.address for one in await letters(idp, person.citizen_id) if one.kind == "contact.changed"}
    assert {old["email"], "new@example.org"} <= told


INJECTIONS = [
    "' OR '1'='1",
    "'; DROP TABLE idp.citizen; --",
    "1; SELECT pg_sleep(5)",
    "' || pg_sleep(5) || '",
    '{"$gt": ""}',
    "{{ 7*7 }}",
    "${7*7}",
    "<script>alert(1)</script>",
    "%00",
    "\x00",
    "\ud7ff\ufffe",
    "../../etc/passwd",
    "A" * 3_000,
    "%s%s%n",
    "\r\nSet-Cookie: x=1",
]


@pytest.mark.parametrize("text", INJECTIONS)
async def test_l_32_injection_into_every_field_is_neither_a_fault_nor_slow(idp: Provider, text: str) -> None:
    await unthrottled(idp)
    person = await active(idp)
    forms: list[tuple[str, str, dict[str, str]]] = [
        ("/idp/sign-in", "/idp/sign-in", {"username": text, "password": text}),
        ("/idp/sign-in", "/idp/sign-in", {"username": person.uid, "password": text}),
        ("/idp/activate", "/idp/activate", {"username": text, "activation_code": text}),
        ("/idp/activate", "/idp/activate", {"username": person.uid, "activation_code": text}),
    ]
    async with idp.browser() as browser:
        for page, path, fields in forms:
            started = time.perf_counter()
            answer = await post(browser, path, page=page, **fields)
            assert answer.status_code in (403, 422), (path, answer.text)
            # What is random in a page (a form token, the number of the request) may hold these digits too.
            assert "49" not in re.sub(r'value="[^"]*"|[a-z0-9.]+\.(css|svg|woff2)|[0-9a-f]{16}', "", answer.text)
            assert "<script>alert" not in answer.text
            assert time.perf_counter() - started < 2
    async with signed_in(idp, person) as browser:
        for path, fields in (
            ("/idp/account/contact", {"contact": text}),
            ("/idp/account/totp", {"otp": text}),
            ("/idp/account/codes", {"channel": text}),
            ("/idp/account/language", {"language": text}),
            ("/idp/account/sessions/end", {"sid": text}),
            ("/idp/account/methods/remove", {"method": text}),
        ):
            answer = await post(browser, path, page="/idp/account", **fields)
            assert answer.status_code < 500, (path, answer.text)
        for query in ({"before": text}, {"lang": text}, {"interaction": text}, {"to": text}):
            for path in ("/idp/account/history", "/idp/sign-in", "/idp/sign-in/second-factor"):
                answer = await browser.get(path, params=query)
                assert answer.status_code < 500, (path, answer.text)
    assert await idp.owner("SELECT 1 FROM idp.citizen WHERE uid = $1", person.uid)


@pytest.mark.parametrize(
    "body",
    [
        b"csrf=a&csrf=b",
        b"username=%ff%fe&password=x",
        b"&".join(b"f%d=1" % number for number in range(500)),
        b"{}",
        b"\xff\xfe",
        b"",
    ],
)
async def test_l_32_a_form_that_no_page_of_ours_sends_is_no_fault(idp: Provider, body: bytes) -> None:
    async with idp.browser() as browser:
        await browser.get("/idp/sign-in")
        for content_type in ("application/x-www-form-urlencoded", "application/json", "multipart/form-data", ""):
            headers: dict[str, Any] = {"Content-Type": content_type}
            answer = await browser.post("/idp/sign-in", content=body, headers=headers)
            assert answer.status_code in (400, 403, 422), answer.text
            assert answer.status_code != 422 or "wrong-form" in answer.text
            assert answer.status_code == 422 or content_type == "application/x-www-form-urlencoded"


@asynccontextmanager
async def with_passkey(idp: Provider, device: SoftPasskey) -> AsyncIterator[Person]:
    await unthrottled(idp)
    person = await active(idp)
    async with signed_in(idp, person) as browser:
        assert (await set_up(browser, device)).status_code == 303
    await idp.owner("UPDATE idp.session SET ended_at = now() WHERE citizen_id = $1", person.citizen_id)
    yield person


@pytest.mark.parametrize(
    "changed",
    [
        {"origin": "https://id.test.evil.example"},
        {"origin": "http://id.test"},
        {"origin": "https://id.test:8443"},
        {"rp_id": "evil.example"},
        {"rp_id": "test"},
        {"cross_origin": True},
        {"type": "webauthn.create"},
        {"flags": UP | BE | BS},
        {"flags": UV | BE | BS},
        {"flags": UP | UV},
        {"challenge": "AAAA"},
        {"challenge": "A" * 64},
        {"handle": b""},
        {"handle": b"somebody else"},
        {"sign_count": 0},
    ],
    ids=str,
)
async def test_l_24_a_passkey_answer_that_is_not_to_our_question_is_refused(
    idp: Provider, changed: dict[str, Any]
) -> None:
    device = SoftPasskey()
    async with with_passkey(idp, device) as person, idp.browser() as browser:
        assert (await use(browser, device)).status_code == 303
        await idp.owner("UPDATE idp.session SET ended_at = now() WHERE citizen_id = $1", person.citizen_id)
        answer = await use(browser, device, **changed)
        assert answer.status_code == 422, changed
        assert (await browser.get("/idp/account")).headers["location"] == "/idp/sign-in"
        # Its owner still gets in.
        device.sign_count += 5
        assert (await use(browser, device)).status_code == 303


async def test_l_24_a_signature_of_another_key_is_refused(idp: Provider) -> None:
    device = SoftPasskey()
    async with with_passkey(idp, device), idp.browser() as browser:
        forger = SoftPasskey(credential_id=device.credential_id, handle=device.handle, sign_count=100)
        assert (await use(browser, forger)).status_code == 422


async def test_l_24_a_challenge_passes_once_in_its_browser_for_its_errand_and_five_minutes(idp: Provider) -> None:
    device = SoftPasskey()
    async with with_passkey(idp, device), idp.browser() as browser, idp.browser() as other_browser:
        page = await browser.get("/idp/sign-in")
        options = (await browser.get("/idp/sign-in/passkey")).json()
        # Another browser, another errand, another ceremony.
        elsewhere = await other_browser.get("/idp/sign-in")
        answer = await submit(other_browser, "/idp/sign-in/passkey", elsewhere, passkey=device.get(options))
        assert answer.status_code == 422
        answer = await submit(browser, "/idp/sign-in/passkey?to=contact", page, passkey=device.get(options))
        assert answer.status_code == 422
        first = device.get(options)
        assert (await submit(browser, "/idp/sign-in/passkey", page, passkey=first)).status_code == 303
        # The same answer, and a new one to the same challenge.
        for again in (first, device.get(options)):
            answer = await submit(browser, "/idp/sign-in/passkey", page, passkey=again)
            assert answer.status_code == 422
        sha = digest(browser.cookies[BROWSER_COOKIE])
        for age_s, status in ((301, 422), (290, 303)):
            old = new_challenge(
                idp.wiring.secrets,
                ceremony="sign-in",
                browser_sha256=sha,
                errand="account:",
                now_s=time.time() - age_s,
            )
            answer = await submit(browser, "/idp/sign-in/passkey", page, passkey=device.get({"challenge": b64(old)}))
            assert answer.status_code == status


async def test_l_24_two_browsers_cannot_race_with_one_answer(idp: Provider) -> None:
    device = SoftPasskey(counts=False)
    async with with_passkey(idp, device), idp.browser() as browser:
        page = await browser.get("/idp/sign-in")
        options = (await browser.get("/idp/sign-in/passkey")).json()
        answer = device.get(options)
        data = {"csrf": csrf_of(page), "passkey": answer}
        answers = await asyncio.gather(*(browser.post("/idp/sign-in/passkey", data=data) for _ in range(6)))
    assert sorted(one.status_code for one in answers) == [303, *[422] * 5]


async def test_l_24_a_challenge_of_another_session_sets_up_nothing(idp: Provider) -> None:
    await unthrottled(idp)
    mine, theirs, device = await active(idp), await active(idp), SoftPasskey()
    async with signed_in(idp, mine) as browser, signed_in(idp, theirs) as other_browser:
        options = (await other_browser.get("/idp/account/passkeys/options")).json()
        page = await browser.get("/idp/account/passkeys")
        answer = await submit(browser, "/idp/account/passkeys", page, name="x", passkey=device.create(options))
        assert answer.status_code == 422
        options = (await browser.get("/idp/account/passkeys/options")).json()
        for changed in (
            {"origin": "https://evil.example"},
            {"rp_id": "evil.example"},
            {"cross_origin": True},
            {"type": "webauthn.get"},
            {"flags": UP | BE | BS},
            {"fmt": "packed"},
            {"public_key": encode_cbor({1: 2, 3: -7, -1: 2, -2: bytes(48), -3: bytes(48)})},
            {"public_key": encode_cbor({1: 2, 3: -35, -1: 2, -2: bytes(48), -3: bytes(48)})},
            {"public_key": b"\x00"},
        ):
            options = (await browser.get("/idp/account/passkeys/options")).json()
            answer = await submit(
                browser, "/idp/account/passkeys", page, name="x", passkey=device.create(options, **changed)
            )
            assert answer.status_code == 422, changed
    assert await idp.owner("SELECT 1 FROM idp.passkey WHERE citizen_id = $1", mine.citizen_id) == []


async def test_l_24_a_credential_of_one_citizen_is_never_anothers(idp: Provider) -> None:
    device = SoftPasskey()
    async with with_passkey(idp, device) as owner:
        thief = await active(idp)
        copy = SoftPasskey(credential_id=device.credential_id)
        async with signed_in(idp, thief) as browser:
            assert (await set_up(browser, copy)).status_code == 422
        # As a second factor it proves its owner and nobody else.
        await rested(idp, thief)
        async with signed_in(idp, thief) as browser:
            assert (await set_up(browser, SoftPasskey())).status_code == 303
        async with idp.browser() as browser:
            await first_factor(browser, thief)
            page = await browser.get("/idp/sign-in/second-factor")
            await submit(browser, "/idp/sign-in/another-way", page, way="passkey")
            options = (await browser.get("/idp/sign-in/passkey?second=1")).json()
            answer = await submit(browser, "/idp/sign-in/second-factor", page, passkey=device.get(options))
            assert answer.status_code == 422
        rows = await idp.owner("SELECT citizen_id FROM idp.passkey WHERE credential_id = $1", device.credential_id)
        assert [row["citizen_id"] for row in rows] == [owner.citizen_id]


async def test_l_24_a_count_that_goes_back_is_refused_and_told(idp: Provider) -> None:
    device = SoftPasskey()
    async with with_passkey(idp, device) as person, idp.browser() as browser:
        device.sign_count = 10
        assert (await use(browser, device)).status_code == 303
        for count in (11, 10, 3, 0):
            async with idp.browser() as elsewhere:
                assert (await use(elsewhere, device, sign_count=count)).status_code == 422
        kinds = [one.kind for one in await letters(idp, person.citizen_id)]
        assert kinds.count("passkey.copy-suspected") == 8
        rows = await idp.owner(
            "SELECT 1 FROM idp.audit WHERE owner = $1 AND action = 'passkey.copy-suspected'", str(person.citizen_id)
        )
        assert len(rows) == 4


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", "\x00", "{" * 3_000, '{"id": 1}', '"' * 500, "é" * 2_000])
async def test_l_24_what_is_no_answer_of_an_authenticator_is_no_fault(idp: Provider, text: str) -> None:
    await unthrottled(idp)
    person = await active(idp)
    async with signed_in(idp, person) as browser:
        page = await browser.get("/idp/account/passkeys")
        answer = await submit(browser, "/idp/account/passkeys", page, name="x", passkey=text)
        assert answer.status_code == 422
        answer = await submit(browser, "/idp/sign-in/passkey?to=totp", page, passkey=text)
        assert answer.status_code == 422


@pytest.mark.parametrize("made", [{"extensions": b"\xa1\x6bcredProtect\x02"}, {}])
async def test_l_24_an_authenticator_may_say_more_than_was_asked(idp: Provider, made: dict[str, Any]) -> None:
    device, extensions = SoftPasskey(), b"\xa1\x6bhmac-secret\x40"
    await unthrottled(idp)
    person = await active(idp)
    async with signed_in(idp, person) as browser:
        assert (await set_up(browser, device, **made)).status_code == 303
    async with idp.browser() as browser:
        assert (await use(browser, device, extensions=extensions)).status_code == 303


async def test_l_24_d_07_an_answer_that_grows_where_it_is_encoded_again_is_refused_before(
    idp: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = SoftPasskey()
    async with with_passkey(idp, device), idp.browser() as stranger, signed_in(idp, await active(idp)) as browser:
        lengths = written(monkeypatch)
        # The library takes it apart before it asks who signed it.
        assert (await use(stranger, device, extensions=BOMB)).status_code == 422
        for changed in ({"extensions": BOMB}, {"public_key": BOMB}):
            assert (await set_up(browser, SoftPasskey(), **changed)).status_code == 422
        assert max(lengths, default=0) < 2_000
        assert (await use(stranger, device)).status_code == 303


async def recovery_link(idp: Provider, person: Person, channel: str) -> str:
    for one in await letters(idp, person.citizen_id):
        if one.kind == "recovery.link" and one.channel == channel:
            return str(one.letter.text)
    raise AssertionError(f"no link by {channel}")


async def confirmed(idp: Provider, person: Person, *names: str) -> None:
    for name in names:
        await idp.owner(
            "UPDATE idp.citizen SET claims = claims || jsonb_build_object($2::text, true) WHERE citizen_id = $1",
            person.citizen_id,
            f"{name}_verified",
        )


async def test_l_13_asking_for_a_reset_answers_the_same_bytes_for_anybody(idp: Provider) -> None:
    await unthrottled(idp)
    known, waiting = await active(idp), await enrolled(idp)
    await confirmed(idp, known, "email", "phone_number")
    answers = set()
    for uid in (known.uid, waiting.uid, new_uid(), "nobody", ""):
        async with idp.browser() as browser:
            answer = await post(browser, "/idp/recover", username=uid)
            shown = await browser.get(answer.headers["location"])
            same = {name: value for name, value in answer.headers.items() if name not in ("x-request-id", "set-cookie")}
            body = re.sub(r'name="csrf" value="[^"]+"', "", shown.text)
            answers.add((answer.status_code, str(same), answer.content, body))
    assert len(answers) == 1
    assert {one.channel for one in await letters(idp, known.citizen_id) if one.kind == "recovery.link"} == {
        "sms",
        "email",
    }


async def test_l_21_a_reset_link_opens_once_for_ten_minutes_at_the_configured_host(idp: Provider) -> None:
    await unthrottled(idp)
    person = await active(idp)
    await confirmed(idp, person, "email")
    async with idp.browser() as browser:
        page = await browser.get("/idp/recover")
        for poisoned in ({"Host": "evil.example"}, {"X-Forwarded-Host": "evil.example"}):
            await browser.post("/idp/recover", data={"csrf": csrf_of(page), "username": person.uid}, headers=poisoned)
            text = await recovery_link(idp, person, "email")
            assert "evil" not in text
            assert f"{ORIGIN}/idp/recover/link?token=" in text
        token = re.search(r"token=([\w-]{43})", text)
        assert token
        opening = {"page": f"/idp/recover/link?token={token[1]}", "token": token[1]}
        await idp.owner("UPDATE idp.recovery_link SET expires_at = expires_at - interval '601 seconds'")
        assert (await post(browser, "/idp/recover/link", **opening)).status_code == 403
        await idp.owner("UPDATE idp.recovery_link SET expires_at = now() + interval '9 minutes'")
        # Of six at once, and of anybody afterwards, one.
        async with idp.browser() as other_browser:
            shown = [await one.get(opening["page"]) for one in (browser, other_browser)]
            data = [{"csrf": csrf_of(one), "token": token[1]} for one in shown]
            answers = await asyncio.gather(
                *(browser.post("/idp/recover/link", data=data[0]) for _ in range(3)),
                *(other_browser.post("/idp/recover/link", data=data[1]) for _ in range(3)),
            )
            assert sorted(one.status_code for one in answers) == [303, *[403] * 5]
    kept = await idp.owner("SELECT token_sha256 FROM idp.recovery_link WHERE citizen_id = $1", person.citizen_id)
    assert all(row["token_sha256"] != token[1].encode() for row in kept)


async def opened_by(idp: Provider, browser: httpx.AsyncClient, person: Person, channel: str) -> None:
    await post(browser, "/idp/recover", username=person.uid, expect=303)
    token = re.search(r"token=([\w-]{43})", await recovery_link(idp, person, channel))
    assert token
    page = f"/idp/recover/link?token={token[1]}"
    await post(browser, "/idp/recover/link", page=page, token=token[1], expect=303)


async def test_l_22_a_reset_asks_for_a_second_proof_and_opens_no_session(idp: Provider) -> None:
    await unthrottled(idp)
    person = await active(idp)
    await confirmed(idp, person, "email")
    async with idp.browser() as browser:
        await opened_by(idp, browser, person, "email")
        page = await browser.get("/idp/recover/proof")
        # Straight to the password.
        for path in ("/idp/recover/password", "/idp/activate/password"):
            answer = await submit(browser, path, page, password="Le thé du soir à Ifrane")
            assert answer.status_code == 403
        # Guessing.
        for _ in range(5):
            assert (await submit(browser, "/idp/recover/proof", page, otp="000000")).status_code == 422
        assert (await submit(browser, "/idp/recover/proof", page, otp=person.otp())).status_code == 403
        assert (await browser.get("/idp/account")).headers["location"] == "/idp/sign-in"
        # The old password still stands.
        assert (await first_factor(browser, person)).status_code == 303


@pytest.mark.parametrize("second", ["totp", "sms"])
async def test_l_22_a_recycled_number_opens_nothing(idp: Provider, second: str) -> None:
    """Somebody else holds the number now: reads every text message, and knows the identifier."""
    await unthrottled(idp)
    person = await active(idp, method=second)
    await confirmed(idp, person, "phone_number")
    async with idp.browser() as thief:
        await opened_by(idp, thief, person, "sms")
        page = await thief.get("/idp/recover/proof")
        assert 'id="desk-only"' in page.text
        assert "send-code" not in page.text
        page = await thief.get("/idp/recover")
        for path, fields in (
            ("/idp/recover/code", {}),
            ("/idp/recover/wait", {}),
            ("/idp/recover/password", {"password": "Le thé du soir à Ifrane"}),
        ):
            assert (await submit(thief, path, page, **fields)).status_code == 403, path
        assert await idp.owner("SELECT 1 FROM idp.recovery_wait WHERE citizen_id = $1", person.citizen_id) == []
        codes = [one.letter.text for one in await letters(idp, person.citizen_id) if one.kind == "code.recovery"]
        assert codes == []
        # Not with a code of another purpose either.
        await first_factor(thief, person)
        if second == "sms":
            stolen = await last_code(idp, person.citizen_id)
            assert (await submit(thief, "/idp/recover/proof", page, otp=stolen)).status_code == 422
    assert await sessions_of(idp, person) == 0


async def test_l_22_a_number_unused_for_a_year_is_confirmed_again(idp: Provider) -> None:
    await unthrottled(idp)
    person = await active(idp, method="sms")
    await idp.owner(
        "UPDATE idp.code_by_message SET confirmed_at = now() - interval '366 days', last_used_at = NULL"
        " WHERE citizen_id = $1",
        person.citizen_id,
    )
    before = len(await letters(idp, person.citizen_id))
    async with idp.browser() as browser:
        answer = await first_factor(browser, person)
        assert answer.status_code == 403
        assert "no-second-factor" in answer.text
        await post(browser, "/idp/recover", username=person.uid, expect=303)
    newer = (await letters(idp, person.citizen_id))[: len(await letters(idp, person.citizen_id)) - before]
    assert {one.kind for one in newer} == {"recovery.asked"}
    # Signed in another way, the account says so, and a code that comes back makes it good again.
    async with await idp.signed_in(person.citizen_id) as browser:
        await post(browser, "/idp/account/codes", channel="sms", expect=303)
        await post(browser, "/idp/account/codes/confirm", otp=await last_code(idp, person.citizen_id), expect=303)
    async with idp.browser() as browser:
        assert (await first_factor(browser, person)).status_code == 303


async def test_l_31_text_messages_have_a_limit_for_numbers_prefixes_addresses_and_the_day(idp: Provider) -> None:
    caps, throttle, db = SmsCaps(), idp.wiring.throttle, idp.wiring.db

    async def taken(numbers: list[str], limits: SmsCaps = caps) -> int:
        await unthrottled(idp)
        return sum([await db.transact(lambda tx, to=one: limits.take(tx, throttle, to)) for one in numbers])

    assert await taken(["+212612345678"] * 40) == 30
    assert await taken([f"+2126123450{number:02d}" for number in range(99)]) == 60
    assert await taken([f"+2126{number:03d}45678" for number in range(50)], SmsCaps(day_max=20)) == 20
    for number in ("+33612345678", "+882161234567", "+212891234567", "+1900555123"):
        assert await taken([number]) == 0
        assert not idp.wiring.post.serves("sms", number)
    await unthrottled(idp)
    rows = await idp.owner("SELECT country, messages FROM idp.sms_day")
    assert [row["country"] for row in rows] == ["+212"]
    assert rows[0]["messages"] >= 110


async def test_l_31_one_address_does_not_send_to_hundreds_of_numbers_and_none_to_a_premium_one(idp: Provider) -> None:
    await unthrottled(idp)
    person = await active(idp)
    async with signed_in(idp, person) as browser:
        answer = await post(browser, "/idp/account/contact", contact="+33612345678")
        assert answer.status_code == 429
        assert "number" in (await browser.get("/idp/account/contact?lang=en")).text
        await idp.owner(
            "INSERT INTO idp.throttle (bucket, window_starts_at, attempts)"
            " SELECT 'codes-asked-from:192.0.2.1',"
            " to_timestamp(floor(extract(epoch FROM now()) / 3600) * 3600), 100"
        )
        answer = await post(browser, "/idp/account/contact", contact="0612345678")
        assert answer.status_code == 429
        # Mail costs nothing.
        answer = await post(browser, "/idp/account/contact", contact="new@example.org")
        assert answer.status_code == 303
    await unthrottled(idp)
    kinds = [one.kind for one in await letters(idp, person.citizen_id)]
    assert kinds.count("code.contact") == 1


async def test_l_19_the_operators_list_is_asked_too(idp: Provider, tmp_path: Path) -> None:
    await unthrottled(idp)
    word = "Une phrase que personne n a"
    sha1 = hashlib.sha1(word.encode(), usedforsecurity=False).hexdigest().upper()
    (tmp_path / f"{sha1[:5]}.txt").write_text(f"{sha1[5:]}:12\r\n")
    person = await active(idp)
    citizen = await find_citizen(idp.wiring.db, person.citizen_id)
    assert citizen
    for place, held in ((None, False), (tmp_path, True)):
        try:
            await stretched(idp.wiring.passwords, BreachedPasswords(place), word, citizen)
            refused = ""
        except PasswordRefused as refusal:
            refused = refusal.detail or ""
        assert refused == ("common" if held else "")


async def test_d_10_more_passwords_than_can_be_stretched_are_shed_with_a_time_to_come_back(idp: Provider) -> None:
    await unthrottled(idp)
    over, pool = threading.Event(), idp.wiring.passwords
    places = idp.wiring.settings.password_threads + idp.wiring.settings.password_waiting_max
    taken = [asyncio.create_task(pool.run(over.wait, 10)) for _ in range(places)]
    await asyncio.sleep(0)
    try:
        async with idp.browser() as browser:
            answer = await post(browser, "/idp/sign-in", username=new_uid(), password="whatever it is")
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
            # What needs no password is served meanwhile.
            assert (await browser.get("/idp/sign-in")).status_code == 200
            assert (await idp.http.get("/idp/jwks")).status_code == 200
    finally:
        over.set()
        await asyncio.gather(*taken)
