"""Attacks on who waits for a citizen: device codes that are sent or guessed, and services that ask too often."""

import asyncio
import re
import secrets

import httpx
import jwt
import pytest

from idp.backchannel.begin import CITIZEN, WAITING_MAX
from idp.backchannel.find_citizen import UNKNOWN
from idp.device.find import ADDRESS, BROWSER, EVERYWHERE
from idp.freezing.freeze import freeze
from idp.freezing.routes import parts_of as freezing_parts
from idp.freezing.schema import Service
from tests.people import active, letters
from tests.provider import ORIGIN, Provider, csrf_of, press_allow
from tests.waiting import (
    CIBA,
    DEVICE_CODE,
    ask,
    begin_device,
    let_device_in,
    let_service_in,
    open_first,
    poll,
    press,
    send,
    service,
    signed,
    television,
    type_code,
    uid_of,
)
from tests.windows import in_one_window

pytestmark = pytest.mark.asyncio(loop_scope="module")


def from_address(idp: Provider, address: str) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(idp.transport.app, client=(address, 1))
    return httpx.AsyncClient(transport=transport, base_url=ORIGIN, headers={"Accept": "text/html"})


async def guess(browser: httpx.AsyncClient, times: int) -> list[int]:
    page = await browser.get("/idp/device")
    data = {"csrf": csrf_of(page), "user_code": "BBBB-BBBB"}
    return [(await browser.post("/idp/device", data=data)).status_code for _ in range(times)]


async def test_a_link_that_somebody_sent_lets_no_device_in_by_itself(idp: Provider) -> None:
    """RFC 8628 §5.4: the page names the service and shows the code, whatever the link filled in."""
    party = await television(idp)
    begun = (await begin_device(idp, party)).json()
    async with await idp.signed_in(await idp.citizen()) as browser:
        page = await browser.get(begun["verification_uri_complete"])
        assert page.status_code == 200
        assert begun["user_code"] in page.text
        assert (await poll(idp, party, DEVICE_CODE, begun["device_code"])).json()["error"] == "authorization_pending"
        page = await press(browser, page, user_code=begun["user_code"])
        assert 'id="device-user-code"' in page.text
        assert "A television" in page.text
        assert (await poll(idp, party, DEVICE_CODE, begun["device_code"])).json()["error"] == "slow_down"


async def test_consent_that_was_given_before_does_not_skip_the_confirmation(idp: Provider) -> None:
    party, citizen_id = await television(idp), await idp.citizen()
    async with await idp.signed_in(citizen_id) as browser:
        for _ in range(2):
            begun = (await begin_device(idp, party)).json()
            page = await type_code(browser, begun["user_code"])
            assert 'id="device-user-code"' in page.text
            page = await press(browser, page, decision="go-on")
            if 'id="consent-allow"' in page.text:
                page = await press(browser, page, decision="allow")
        assert 'id="device-connected"' in page.text


async def test_going_on_to_consent_without_confirming_gives_nothing(idp: Provider) -> None:
    party = await television(idp)
    begun = (await begin_device(idp, party)).json()
    async with await idp.signed_in(await idp.citizen()) as browser:
        page = await type_code(browser, begun["user_code"])
        interaction = page.request.url.params["interaction"]
        answer = await press_allow(browser, f"/idp/consent?interaction={interaction}")
        assert answer.headers["location"].startswith("/idp/device/confirm")
    assert (await poll(idp, party, DEVICE_CODE, begun["device_code"])).json()["error"] == "authorization_pending"


async def test_another_browser_cannot_confirm(idp: Provider) -> None:
    party = await television(idp)
    begun = (await begin_device(idp, party)).json()
    async with await idp.signed_in(await idp.citizen()) as browser, await idp.signed_in(await idp.citizen()) as other:
        page = await type_code(browser, begun["user_code"])
        assert (await other.get(str(page.request.url))).status_code == 400


async def test_two_citizens_who_type_one_code_do_not_both_let_it_in(idp: Provider) -> None:
    party = await television(idp)
    begun = (await begin_device(idp, party)).json()
    browsers = [await idp.signed_in(await idp.citizen(email=f"{name}@example.com")) for name in ("a", "b")]
    pages = [await press(one, await type_code(one, begun["user_code"]), decision="go-on") for one in browsers]
    answers = await asyncio.gather(
        *(press(one, page, decision="allow") for one, page in zip(browsers, pages, strict=True))
    )
    assert sorted('id="device-connected"' in answer.text for answer in answers) == [False, True]
    assert (await poll(idp, party, DEVICE_CODE, begun["device_code"])).status_code == 200


async def test_a_browser_that_guesses_user_codes_is_stopped(idp: Provider) -> None:
    async with from_address(idp, "198.51.100.1") as browser:
        assert await guess(browser, BROWSER.attempts + 2) == [422] * BROWSER.attempts + [429] * 2


async def test_a_guesser_who_forgets_cookies_is_stopped_by_the_address(idp: Provider) -> None:
    async def tries(number: int) -> list[int]:
        seen = []
        for _ in range(ADDRESS.attempts // BROWSER.attempts + 1):
            async with from_address(idp, f"198.51.100.{20 + number}") as browser:
                seen += await guess(browser, BROWSER.attempts)
        return seen

    seen = await in_one_window(ADDRESS.per_s, tries)
    assert seen == [422] * ADDRESS.attempts + [429] * BROWSER.attempts


async def test_who_typed_right_is_not_counted_against_the_address(idp: Provider) -> None:
    party = await television(idp)
    for _ in range(3):
        begun = (await begin_device(idp, party)).json()
        async with from_address(idp, "198.51.100.3") as browser:
            page = await browser.get("/idp/device")
            await browser.post("/idp/device", data={"csrf": csrf_of(page), "user_code": begun["user_code"]})
    rows = await idp.owner("SELECT attempts FROM idp.throttle WHERE bucket = 'user-code-address:198.51.100.3'")
    assert [row["attempts"] for row in rows] == [0]


async def test_while_codes_are_guessed_from_everywhere_only_who_is_known_may_try(idp: Provider) -> None:
    party = await television(idp)
    begun = (await begin_device(idp, party)).json()
    await idp.owner(
        """
        INSERT INTO idp.throttle (bucket, window_starts_at, attempts)
        VALUES ('user-code-failures:', to_timestamp(floor(extract(epoch FROM now()) / $1) * $1), $2)
        ON CONFLICT (bucket) DO UPDATE
           SET window_starts_at = excluded.window_starts_at, attempts = excluded.attempts""",
        float(EVERYWHERE.per_s),
        EVERYWHERE.attempts,
    )
    try:
        async with from_address(idp, "198.51.100.4") as browser:
            page = await browser.get("/idp/device")
            answer = await browser.post("/idp/device", data={"csrf": csrf_of(page), "user_code": begun["user_code"]})
            assert answer.headers["location"] == "/idp/sign-in?to=device"
        async with await idp.signed_in(await idp.citizen()) as browser:
            assert 'id="device-connected"' in (await let_device_in(browser, begun["user_code"])).text
    finally:
        await idp.owner("DELETE FROM idp.throttle WHERE bucket = 'user-code-failures:'")


async def test_six_polls_at_once_let_one_device_in(idp: Provider) -> None:
    party = await television(idp)
    begun = (await begin_device(idp, party)).json()
    async with await idp.signed_in(await idp.citizen()) as browser:
        await let_device_in(browser, begun["user_code"])
    answers = await asyncio.gather(*(poll(idp, party, DEVICE_CODE, begun["device_code"]) for _ in range(6)))
    assert sorted(answer.status_code for answer in answers) == [200, 400, 400, 400, 400, 400]


async def test_a_device_code_is_good_once_and_for_its_client_alone(idp: Provider) -> None:
    party, thief = await television(idp), await television(idp)
    begun = (await begin_device(idp, party)).json()
    async with await idp.signed_in(await idp.citizen()) as browser:
        await let_device_in(browser, begun["user_code"])
    assert (await poll(idp, thief, DEVICE_CODE, begun["device_code"])).json()["error"] == "invalid_grant"
    tokens = await poll(idp, party, DEVICE_CODE, begun["device_code"])
    assert tokens.status_code == 200
    assert (await poll(idp, party, DEVICE_CODE, begun["device_code"])).json()["error"] == "invalid_grant"
    # A repeated poll is a lost answer, not a theft: what the first one got stays good.
    assert (await idp.userinfo(tokens.json()["access_token"], party)).status_code == 200


async def test_a_thief_learns_nothing_of_a_code_that_waits_and_slows_nobody_down(idp: Provider) -> None:
    party, thief = await television(idp), await television(idp)
    begun = (await begin_device(idp, party)).json()
    unknown = await poll(idp, thief, DEVICE_CODE, secrets.token_urlsafe(32))
    foreign = await poll(idp, thief, DEVICE_CODE, begun["device_code"])
    assert foreign.json() == unknown.json()
    assert (await poll(idp, party, DEVICE_CODE, begun["device_code"])).json()["error"] == "authorization_pending"


@pytest.mark.parametrize("approved", [False, True])
async def test_each_secret_is_good_at_its_own_grant_only(idp: Provider, approved: bool) -> None:
    every = ["authorization_code", "refresh_token", DEVICE_CODE, CIBA]
    party = await service(idp, grant_types=every, redirect_uris=["https://rp.test/callback"], response_types=["code"])
    citizen_id = await idp.citizen()
    device = (await begin_device(idp, party)).json()
    asked = (await ask(idp, party, login_hint=await uid_of(idp, citizen_id))).json()
    async with await idp.signed_in(citizen_id) as browser:
        code = await idp.code(browser, party)
        if approved:
            await let_device_in(browser, device["user_code"])
            await let_service_in(browser, number=asked["number_to_match"])
    held = {"code": code, "device_code": device["device_code"], "auth_req_id": asked["auth_req_id"]}
    grants = {"code": "authorization_code", "device_code": DEVICE_CODE, "auth_req_id": CIBA}
    for name, grant_type in grants.items():
        for kind, secret in held.items():
            if kind == name:
                continue
            answer = await idp.http.post(
                "/idp/token",
                data={"grant_type": grant_type, name: secret, **party.authentication()},
                auth=party.holder(),
            )
            assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant"), (name, kind)
    exchanged = await idp.http.post("/idp/token", data=party.exchange(code), auth=party.holder())
    assert exchanged.status_code == 200, "the tries burnt the code"
    if approved:
        assert (await poll(idp, party, DEVICE_CODE, device["device_code"])).status_code == 200
        assert (await poll(idp, party, CIBA, asked["auth_req_id"])).status_code == 200


async def test_prompt_bombing_ends_after_three_that_wait(idp: Provider) -> None:
    party, person = await service(idp), await active(idp)
    answers = [await ask(idp, party, login_hint=person.uid) for _ in range(WAITING_MAX + 3)]
    assert [answer.status_code for answer in answers] == [200] * WAITING_MAX + [403] * 3
    assert answers[-1].json()["error"] == "access_denied"
    told = [letter for letter in await letters(idp, person.citizen_id) if letter.kind == "service.asks"]
    assert len(told) == WAITING_MAX * 2


async def test_prompt_bombing_by_many_clients_over_an_hour_is_one_count(idp: Provider) -> None:
    uid = await uid_of(idp, await idp.citizen())
    answers = []
    for _ in range(CITIZEN.attempts + 1):
        answers.append(await ask(idp, await service(idp), login_hint=uid))
        await idp.owner("UPDATE idp.backchannel_request SET state = 'denied' WHERE state = 'pending'")
    assert [answer.status_code for answer in answers] == [200] * CITIZEN.attempts + [403]


async def test_requests_at_once_do_not_pass_the_bound_together(idp: Provider) -> None:
    party, uid = await service(idp), await uid_of(idp, await idp.citizen())
    answers = await asyncio.gather(*(ask(idp, party, login_hint=uid) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] * WAITING_MAX + [403] * (8 - WAITING_MAX)


async def test_a_client_that_asks_for_people_at_random_is_stopped(idp: Provider) -> None:
    party = await service(idp)
    statuses = [
        (await ask(idp, party, login_hint=f"nobody-{number}")).status_code for number in range(UNKNOWN.attempts)
    ]
    assert set(statuses) == {400}
    stopped = await ask(idp, party, login_hint="nobody")
    assert (stopped.status_code, stopped.json()["error"]) == (429, "temporarily_unavailable")
    assert int(stopped.headers["retry-after"]) > 0
    # And it cannot tell any more who exists.
    assert (await ask(idp, party, login_hint=await uid_of(idp, await idp.citizen()))).status_code == 429


async def test_somebody_elses_request_cannot_be_confirmed_by_its_address(idp: Provider) -> None:
    party, citizen_id = await service(idp), await idp.citizen()
    begun = (await ask(idp, party, login_hint=await uid_of(idp, citizen_id))).json()
    async with await idp.signed_in(citizen_id) as victim, await idp.signed_in(await idp.citizen()) as other:
        page = await victim.get("/idp/account/requests")
        request_id = re.search(r'name="request" value="([^"]+)"', page.text)
        assert request_id
        own = await other.get("/idp/account/requests")
        assert 'name="request"' not in own.text
        csrf = csrf_of(await other.get("/idp/account"))
        answer = await other.post("/idp/account/requests/open", data={"csrf": csrf, "request": request_id[1]})
        assert answer.headers["location"] == "/idp/account/requests"
    assert (await poll(idp, party, CIBA, begun["auth_req_id"])).json()["error"] == "authorization_pending"


async def test_no_answer_is_taken_from_another_site(idp: Provider) -> None:
    party, citizen_id = await service(idp), await idp.citizen()
    await ask(idp, party, login_hint=await uid_of(idp, citizen_id))
    async with await idp.signed_in(citizen_id) as browser:
        for path in ("open", "unblock", "confirm?interaction=x"):
            answer = await browser.post(f"/idp/account/requests/{path}", headers={"Origin": "https://evil.test"})
            assert answer.status_code == 403


async def test_a_new_password_takes_back_what_was_allowed_and_not_fetched_yet(idp: Provider) -> None:
    """Who notices a trick and changes the password must not find the trickster's device in a minute later."""
    party, other, citizen_id = await television(idp), await service(idp), await idp.citizen()
    device = (await begin_device(idp, party)).json()
    asked = (await ask(idp, other, login_hint=await uid_of(idp, citizen_id))).json()
    async with await idp.signed_in(citizen_id) as browser:
        await let_device_in(browser, device["user_code"])
        await let_service_in(browser, number=asked["number_to_match"])
    await idp.owner("UPDATE idp.citizen SET tokens_valid_from = now() WHERE citizen_id = $1", citizen_id)
    assert (await poll(idp, party, DEVICE_CODE, device["device_code"])).json()["error"] == "invalid_grant"
    assert (await poll(idp, other, CIBA, asked["auth_req_id"])).json()["error"] == "invalid_grant"


async def test_a_service_that_the_citizen_froze_may_not_ask(idp: Provider) -> None:
    party, citizen_id = await service(idp), await idp.citizen()
    uid = await uid_of(idp, citizen_id)
    parts = freezing_parts(idp.wiring)
    await idp.wiring.db.transact(lambda tx: freeze(tx, parts, citizen_id, Service(party.client_id), because="test"))
    answer = await ask(idp, party, login_hint=uid)
    assert (answer.status_code, answer.json()["error"]) == (403, "access_denied")
    assert (await ask(idp, await service(idp), login_hint=uid)).status_code == 200


@pytest.mark.parametrize("typ", ["at+jwt", "dpop+jwt", "logout+jwt"])
async def test_a_token_of_another_kind_is_no_request(idp: Provider, typ: str) -> None:
    party, uid = await service(idp), await uid_of(idp, await idp.citizen())
    assert party.key is not None
    claims = jwt.decode(signed(party, login_hint=uid), options={"verify_signature": False})
    answer = await send(idp, party, request=party.key.sign(claims, typ=typ))
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


async def test_a_request_that_could_be_a_client_assertion_is_none(idp: Provider) -> None:
    """RFC 9101 §10.8"""
    party, uid = await service(idp), await uid_of(idp, await idp.citizen())
    answer = await ask(idp, party, login_hint=uid, sub=party.client_id)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


async def test_an_old_sign_in_is_not_enough_where_the_client_wants_a_fresh_one(idp: Provider) -> None:
    party, citizen_id = await television(idp, default_max_age=60), await idp.citizen()
    begun = (await begin_device(idp, party)).json()
    async with await idp.signed_in(citizen_id) as browser:
        await idp.owner(
            "UPDATE idp.session SET auth_time = auth_time - interval '5 minutes' WHERE citizen_id = $1", citizen_id
        )
        page = await type_code(browser, begun["user_code"])
    assert 'id="username"' in page.text


async def test_who_is_not_signed_in_any_more_cannot_refuse_for_the_citizen(idp: Provider) -> None:
    party, person = await service(idp, default_acr_values=["low"]), await active(idp)
    begun = (await ask(idp, party, login_hint=person.uid, acr_values="substantial")).json()
    async with await idp.signed_in(person.citizen_id, acr="low") as browser:
        page = await open_first(browser)
        interaction = page.request.url.params["interaction"]
        await idp.owner("UPDATE idp.session SET ended_at = now() WHERE citizen_id = $1", person.citizen_id)
        page = await browser.get(f"/idp/sign-in?interaction={interaction}")
        answer = await browser.post(f"/idp/sign-in/cancel?interaction={interaction}", data={"csrf": csrf_of(page)})
    assert answer.status_code == 400
    assert (await poll(idp, party, CIBA, begun["auth_req_id"])).json()["error"] == "authorization_pending"
