"""Device authorization (RFC 8628): from the device's request through the pages to its tokens."""

import asyncio
from datetime import timedelta

import httpx
import jwt
import pytest

from idp.device.begin import REQUESTS
from idp.refusals import InvalidClientMetadata
from tests.people import active, second_factor, sign_in
from tests.provider import ISSUER, Provider, csrf_of
from tests.waiting import (
    DEVICE_CODE,
    begin_device,
    five_seconds_later,
    let_device_in,
    poll,
    press,
    television,
    type_code,
)
from tests.windows import in_one_window

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_device_gets_two_codes_rfc8628_3_2(idp: Provider) -> None:
    answer = await begin_device(idp, await television(idp))
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert len(body["device_code"]) >= 43
    assert len(body["user_code"]) == len("WDJB-MJHT")
    assert body["verification_uri"] == f"{ISSUER}/device"
    assert body["verification_uri_complete"] == f"{ISSUER}/device?user_code={body['user_code']}"
    assert (body["expires_in"], body["interval"]) == (600, 5)
    stored = str([tuple(row) for row in await idp.owner("SELECT * FROM idp.device_request")])
    assert body["device_code"] not in stored
    assert body["user_code"].replace("-", "") not in stored


async def test_a_citizen_lets_the_device_in(idp: Provider) -> None:
    party = await television(idp)
    begun = (await begin_device(idp, party, scope="openid profile offline_access")).json()
    assert (await poll(idp, party, DEVICE_CODE, begun["device_code"])).json()["error"] == "authorization_pending"
    async with await idp.signed_in(await idp.citizen()) as browser:
        page = await let_device_in(browser, begun["user_code"].lower())
    assert 'id="device-connected"' in page.text
    tokens = await poll(idp, party, DEVICE_CODE, begun["device_code"])
    assert tokens.status_code == 200, tokens.text
    claims = jwt.decode(tokens.json()["id_token"], options={"verify_signature": False})
    assert (claims["aud"], claims["acr"]) == (party.client_id, "substantial")
    userinfo = await idp.userinfo(tokens.json()["access_token"], party)
    assert userinfo.json()["sub"] == claims["sub"]
    assert (await idp.refresh(party, tokens.json()["refresh_token"])).status_code == 200


async def test_who_is_not_signed_in_signs_in_on_the_way(idp: Provider) -> None:
    party, person = await television(idp), await active(idp)
    begun = (await begin_device(idp, party)).json()
    async with idp.browser() as browser:
        page = await type_code(browser, begun["user_code"])
        assert 'id="username"' in page.text
        assert "A television" in page.text
        query = f"?{page.request.url.query.decode()}"
        signed = await sign_in(browser, person, query=query)
        page = await browser.get(signed.headers["location"])
        assert page.headers["location"].startswith("/idp/device/confirm?interaction=")
        page = await browser.get(page.headers["location"])
        assert begun["user_code"] in page.text
        page = await press(browser, page, decision="go-on")
        page = await press(browser, page, decision="allow")
    assert 'id="device-connected"' in page.text
    assert (await poll(idp, party, DEVICE_CODE, begun["device_code"])).status_code == 200


async def test_tokens_outlive_the_session_of_the_browser_that_allowed_them(idp: Provider) -> None:
    party, citizen_id = await television(idp), await idp.citizen()
    begun = (await begin_device(idp, party)).json()
    async with await idp.signed_in(citizen_id) as browser:
        await let_device_in(browser, begun["user_code"])
    tokens = (await poll(idp, party, DEVICE_CODE, begun["device_code"])).json()
    await idp.owner("UPDATE idp.session SET ended_at = now() WHERE citizen_id = $1", citizen_id)
    assert (await idp.userinfo(tokens["access_token"], party)).status_code == 200


async def test_polling_too_fast_makes_the_interval_longer_each_time_rfc8628_3_5(idp: Provider) -> None:
    party = await television(idp)
    device_code = (await begin_device(idp, party)).json()["device_code"]
    errors = [(await poll(idp, party, DEVICE_CODE, device_code)).json()["error"] for _ in range(3)]
    assert errors == ["authorization_pending", "slow_down", "slow_down"]
    rows = await idp.owner("SELECT interval_s FROM idp.device_request WHERE client_id = $1", party.client_id)
    assert rows[0]["interval_s"] == 15
    await five_seconds_later(idp)
    assert (await poll(idp, party, DEVICE_CODE, device_code)).json()["error"] == "slow_down"


async def test_six_polls_at_once_are_counted_one_by_one(idp: Provider) -> None:
    party = await television(idp)
    device_code = (await begin_device(idp, party)).json()["device_code"]
    await asyncio.gather(*(poll(idp, party, DEVICE_CODE, device_code) for _ in range(6)))
    rows = await idp.owner("SELECT interval_s FROM idp.device_request WHERE client_id = $1", party.client_id)
    assert rows[0]["interval_s"] == 5 + 5 * 5


async def test_a_refused_device_hears_access_denied(idp: Provider) -> None:
    party = await television(idp)
    begun = (await begin_device(idp, party)).json()
    async with await idp.signed_in(await idp.citizen()) as browser:
        page = await press(browser, await type_code(browser, begun["user_code"]), decision="deny")
    assert 'id="device-refused"' in page.text
    answer = await poll(idp, party, DEVICE_CODE, begun["device_code"])
    assert (answer.status_code, answer.json()["error"]) == (400, "access_denied")


async def test_refusing_at_the_consent_page_is_a_refusal_too(idp: Provider) -> None:
    party = await television(idp)
    begun = (await begin_device(idp, party)).json()
    async with await idp.signed_in(await idp.citizen()) as browser:
        page = await press(browser, await type_code(browser, begun["user_code"]), decision="go-on")
        page = await press(browser, page, decision="deny")
    assert 'id="device-refused"' in page.text
    assert (await poll(idp, party, DEVICE_CODE, begun["device_code"])).json()["error"] == "access_denied"


async def test_an_expired_code_hears_so_and_opens_nothing(idp: Provider) -> None:
    party = await television(idp)
    begun = (await begin_device(idp, party)).json()
    await idp.owner("UPDATE idp.device_request SET expires_at = now() WHERE client_id = $1", party.client_id)
    assert (await poll(idp, party, DEVICE_CODE, begun["device_code"])).json()["error"] == "expired_token"
    async with await idp.signed_in(await idp.citizen()) as browser:
        page = await type_code(browser, begun["user_code"])
    assert page.status_code == 422


async def test_tokens_wait_a_minute_for_who_was_allowed_in_the_last_second(idp: Provider) -> None:
    party = await television(idp)
    begun = (await begin_device(idp, party)).json()
    async with await idp.signed_in(await idp.citizen()) as browser:
        page = await type_code(browser, begun["user_code"])
        page = await press(browser, page, decision="go-on")
        await idp.owner(
            "UPDATE idp.device_request SET expires_at = now() + $2 WHERE client_id = $1",
            party.client_id,
            timedelta(seconds=2),
        )
        await press(browser, page, decision="allow")
    await idp.owner("UPDATE idp.device_request SET expires_at = now() WHERE client_id = $1", party.client_id)
    assert (await poll(idp, party, DEVICE_CODE, begun["device_code"])).status_code == 200


async def test_tokens_that_nobody_fetched_expire(idp: Provider) -> None:
    party = await television(idp)
    begun = (await begin_device(idp, party)).json()
    async with await idp.signed_in(await idp.citizen()) as browser:
        await let_device_in(browser, begun["user_code"])
    await idp.owner("UPDATE idp.authorization_code SET expires_at = now() WHERE client_id = $1", party.client_id)
    assert (await poll(idp, party, DEVICE_CODE, begun["device_code"])).json()["error"] == "expired_token"


async def test_a_confidential_client_authenticates_at_both_endpoints(idp: Provider) -> None:
    party = await idp.client(grant_types=[DEVICE_CODE], redirect_uris=[])
    wrong = await idp.http.post(
        "/idp/device-authorization",
        data={"client_id": party.client_id, "client_secret": "wrong", "scope": "openid"},
    )
    assert (wrong.status_code, wrong.json()["error"]) == (401, "invalid_client")
    begun = (await begin_device(idp, party)).json()
    async with await idp.signed_in(await idp.citizen()) as browser:
        await let_device_in(browser, begun["user_code"])
    unproven = await idp.http.post(
        "/idp/token",
        data={"grant_type": DEVICE_CODE, "device_code": begun["device_code"], "client_id": party.client_id},
    )
    assert unproven.json()["error"] == "invalid_client"
    assert (await poll(idp, party, DEVICE_CODE, begun["device_code"])).status_code == 200


async def test_a_device_that_asks_too_often_is_told_as_oauth_tells_it(idp: Provider) -> None:
    async def once_more(_: int) -> httpx.Response:
        party = await television(idp)
        assert (await begin_device(idp, party)).status_code == 200
        await idp.owner(
            "UPDATE idp.throttle SET attempts = $2 WHERE bucket LIKE $1",
            f"{REQUESTS.name}:{party.client_id}|%",
            REQUESTS.attempts,
        )
        return await begin_device(idp, party)

    answer = await in_one_window(REQUESTS.per_s, once_more)
    assert (answer.status_code, answer.json()["error"]) == (429, "temporarily_unavailable")
    assert int(answer.headers["retry-after"]) > 0


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"scope": "unheard-of"}, "invalid_scope"),
        ({"scope": ""}, "invalid_scope"),
        ({"resource": "x:"}, "invalid_target"),
    ],
)
async def test_a_request_that_cannot_be_answered_hears_why(idp: Provider, changed: dict[str, str], error: str) -> None:
    answer = await begin_device(idp, await television(idp), **changed)
    assert (answer.status_code, answer.json()["error"]) == (400, error)


async def test_a_client_that_did_not_register_the_grant(idp: Provider) -> None:
    party = await idp.client()
    answer = await begin_device(idp, party)
    assert (answer.status_code, answer.json()["error"]) == (400, "unauthorized_client")
    answer = await poll(idp, party, DEVICE_CODE, "x" * 43)
    assert answer.json()["error"] == "unauthorized_client"


async def test_a_machine_has_no_citizen_to_wait_for(idp: Provider) -> None:
    with pytest.raises(InvalidClientMetadata):
        await idp.client(
            profile="machine",
            token_endpoint_auth_method="private_key_jwt",
            grant_types=["client_credentials", DEVICE_CODE],
            redirect_uris=[],
            scope="",
        )


async def test_a_level_that_was_asked_for_is_reached_first(idp: Provider) -> None:
    party, person = await television(idp, default_acr_values=["low"]), await active(idp)
    begun = (await begin_device(idp, party, acr_values="substantial")).json()
    async with await idp.signed_in(person.citizen_id, acr="low") as browser:
        page = await type_code(browser, begun["user_code"])
        assert 'id="otp"' in page.text
        query = f"?{page.request.url.query.decode()}"
        answer: httpx.Response = await second_factor(browser, person.otp(), query=query)
        assert answer.status_code == 303, answer.text
        page = await browser.get(answer.headers["location"])
    assert page.headers["location"].startswith("/idp/device/confirm")


async def test_the_page_takes_no_form_that_it_did_not_show(idp: Provider) -> None:
    async with idp.browser() as browser:
        page = await browser.get("/idp/device")
        answer = await browser.post("/idp/device", data={"csrf": csrf_of(page)[:-1] + "x", "user_code": "BBBBBBBB"})
    assert answer.status_code == 403
