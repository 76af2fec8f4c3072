"""The back channel (OpenID Connect CIBA Core 1.0): a service asks, a citizen answers."""

import asyncio
from typing import Any

import httpx
import jwt
import msgspec
import pytest

from idp.backchannel.ask import CLIENT
from idp.backchannel.ping import ping
from idp.clients.schema import ClientRegistration
from idp.refusals import InvalidClientMetadata
from tests.people import active, letters, second_factor
from tests.provider import ISSUER, Provider, RelyingParty
from tests.waiting import (
    CIBA,
    ask,
    five_seconds_later,
    let_service_in,
    number_of,
    open_first,
    poll,
    press,
    send,
    service,
    signed,
    uid_of,
)
from tests.windows import in_one_window

pytestmark = pytest.mark.asyncio(loop_scope="module")

PINGED = {"backchannel_client_notification_endpoint": "https://93.184.215.14/ping"}


async def asked(idp: Provider, party: RelyingParty, uid: str, **changed: Any) -> dict[str, Any]:
    answer = await ask(idp, party, login_hint=uid, **changed)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def test_a_service_that_asks_too_often_is_told_as_oauth_tells_it(idp: Provider) -> None:
    async def once_more(_: int) -> httpx.Response:
        party, uid = await service(idp), await uid_of(idp, await idp.citizen())
        await asked(idp, party, uid)
        bucket = f"{CLIENT.name}:{party.client_id}"
        await idp.owner("UPDATE idp.throttle SET attempts = $2 WHERE bucket = $1", bucket, CLIENT.attempts)
        return await ask(idp, party, login_hint=uid)

    answer = await in_one_window(CLIENT.per_s, once_more)
    assert (answer.status_code, answer.json()["error"]) == (429, "temporarily_unavailable")
    assert int(answer.headers["retry-after"]) > 0


async def test_a_service_is_let_in_by_the_number_that_it_shows(idp: Provider) -> None:
    party, citizen_id = await service(idp), await idp.citizen()
    begun = await asked(idp, party, await uid_of(idp, citizen_id))
    assert (begun["expires_in"], begun["interval"]) == (300, 5)
    assert (await poll(idp, party, CIBA, begun["auth_req_id"])).json()["error"] == "authorization_pending"
    async with await idp.signed_in(citizen_id) as browser:
        page = await open_first(browser)
        assert "A bank" in page.text
        assert page.text.count('name="number"') == 3
        page = await let_service_in(browser, number=begun["number_to_match"])
    assert "tone-good" in page.text
    tokens = await poll(idp, party, CIBA, begun["auth_req_id"])
    assert tokens.status_code == 200, tokens.text
    assert tokens.json()["token_type"] == "DPoP"
    claims = jwt.decode(tokens.json()["id_token"], options={"verify_signature": False})
    assert (claims["iss"], claims["aud"], claims["acr"]) == (ISSUER, party.client_id, "substantial")
    assert (await idp.userinfo(tokens.json()["access_token"], party)).json()["sub"] == claims["sub"]


async def test_a_service_is_let_in_by_its_binding_message(idp: Provider) -> None:
    party, citizen_id = await service(idp), await idp.citizen()
    begun = await asked(idp, party, await uid_of(idp, citizen_id), binding_message="W4SCT الرباط")
    assert "number_to_match" not in begun
    async with await idp.signed_in(citizen_id) as browser:
        page = await open_first(browser)
        assert "W4SCT الرباط" in page.text
        await let_service_in(browser)
    assert (await poll(idp, party, CIBA, begun["auth_req_id"])).status_code == 200


async def test_the_secrets_of_a_request_are_not_in_the_database(idp: Provider) -> None:
    party = await service(idp, backchannel_token_delivery_mode="ping", **PINGED)
    begun = await asked(idp, party, await uid_of(idp, await idp.citizen()), client_notification_token="n" * 43)
    stored = str([tuple(row) for row in await idp.owner("SELECT * FROM idp.backchannel_request")])
    assert begun["auth_req_id"] not in stored
    assert "n" * 43 not in stored


async def test_the_citizen_is_told_on_every_channel_without_a_link_or_a_name(idp: Provider) -> None:
    person = await active(idp)
    await asked(idp, await service(idp), person.uid)
    told = [letter for letter in await letters(idp, person.citizen_id) if letter.kind == "service.asks"]
    assert {letter.channel for letter in told} == {"sms", "email"}
    for letter in told:
        assert "http" not in letter.letter.text
        assert "A bank" not in letter.letter.text


async def test_a_wrong_number_is_a_refusal_and_there_is_no_second_choice(idp: Provider) -> None:
    party, citizen_id = await service(idp), await idp.citizen()
    begun = await asked(idp, party, await uid_of(idp, citizen_id))
    right = await number_of(idp, begun["auth_req_id"])
    assert right == begun["number_to_match"]
    async with await idp.signed_in(citizen_id) as browser:
        page = await press(browser, await open_first(browser), number="1" if right != "1" else "2")
        assert "tone-wait" in page.text
        assert (await browser.get("/idp/account/requests")).text.count('name="request"') == 0
    answer = await poll(idp, party, CIBA, begun["auth_req_id"])
    assert (answer.status_code, answer.json()["error"]) == (400, "access_denied")


async def test_a_form_without_a_number_lets_nobody_in_where_one_is_asked_for(idp: Provider) -> None:
    party, citizen_id = await service(idp), await idp.citizen()
    begun = await asked(idp, party, await uid_of(idp, citizen_id))
    async with await idp.signed_in(citizen_id) as browser:
        await press(browser, await open_first(browser), decision="go-on")
    assert (await poll(idp, party, CIBA, begun["auth_req_id"])).json()["error"] == "access_denied"


async def test_this_was_not_me_shuts_the_service_out_until_the_citizen_lets_it_ask_again(idp: Provider) -> None:
    party, citizen_id = await service(idp), await idp.citizen()
    uid = await uid_of(idp, citizen_id)
    begun = await asked(idp, party, uid)
    async with await idp.signed_in(citizen_id) as browser:
        await press(browser, await open_first(browser), decision="not-me")
        assert (await poll(idp, party, CIBA, begun["auth_req_id"])).json()["error"] == "access_denied"
        shut_out = await ask(idp, party, login_hint=uid)
        assert (shut_out.status_code, shut_out.json()["error"]) == (403, "access_denied")
        page = await browser.get("/idp/account/requests")
        assert 'id="unblock-1"' in page.text
        assert (await ask(idp, await service(idp), login_hint=uid)).status_code == 200
        page = await press(browser, page, client=party.client_id)
        page = await browser.post(
            "/idp/account/requests/unblock",
            data={"csrf": page.text.split('name="csrf" value="')[1].split('"')[0], "client": party.client_id},
        )
    assert (await ask(idp, party, login_hint=uid)).status_code == 200


async def test_only_the_citizen_who_was_asked_can_answer(idp: Provider) -> None:
    party, citizen_id, other = await service(idp), await idp.citizen(), await idp.citizen(email="other@example.com")
    begun = await asked(idp, party, await uid_of(idp, citizen_id))
    rows = await idp.owner("SELECT request_id FROM idp.backchannel_request WHERE client_id = $1", party.client_id)
    async with await idp.signed_in(other) as browser:
        page = await browser.get("/idp/account")
        csrf = page.text.split('name="csrf" value="')[1].split('"')[0]
        answer = await browser.post(
            "/idp/account/requests/open", data={"csrf": csrf, "request": str(rows[0]["request_id"])}
        )
    assert answer.headers["location"] == "/idp/account/requests"
    assert (await poll(idp, party, CIBA, begun["auth_req_id"])).json()["error"] == "authorization_pending"


async def test_who_signs_in_as_somebody_else_on_the_way_neither_allows_nor_refuses(idp: Provider) -> None:
    party, citizen_id, other = await service(idp), await idp.citizen(), await idp.citizen(email="other@example.com")
    begun = await asked(idp, party, await uid_of(idp, citizen_id))
    async with await idp.signed_in(citizen_id) as browser, await idp.signed_in(other) as stranger:
        page = await open_first(browser)
        browser.cookies.set("__Host-idp-session", stranger.cookies["__Host-idp-session"], domain="id.test", path="/")
        answer = await browser.get(str(page.request.url))
        assert answer.status_code == 400
    assert (await poll(idp, party, CIBA, begun["auth_req_id"])).json()["error"] == "authorization_pending"


async def test_the_level_that_was_asked_for_is_reached_before_the_page(idp: Provider) -> None:
    party, person = await service(idp, default_acr_values=["low"]), await active(idp)
    begun = await asked(idp, party, person.uid, acr_values="substantial")
    async with await idp.signed_in(person.citizen_id, acr="low") as browser:
        page = await open_first(browser)
        assert 'id="otp"' in page.text
        query = f"?{page.request.url.query.decode()}"
        answer = await second_factor(browser, person.otp(), query=query)
        page = await browser.get(answer.headers["location"])
        assert page.headers["location"].startswith("/idp/account/requests/confirm")
        page = await browser.get(page.headers["location"])
        page = await press(browser, page, number=begun["number_to_match"])
        await press(browser, page, decision="allow")
    tokens = (await poll(idp, party, CIBA, begun["auth_req_id"])).json()
    assert jwt.decode(tokens["id_token"], options={"verify_signature": False})["acr"] == "substantial"


async def test_a_second_request_needs_no_second_consent(idp: Provider) -> None:
    party, citizen_id = await service(idp), await idp.citizen()
    uid = await uid_of(idp, citizen_id)
    async with await idp.signed_in(citizen_id) as browser:
        for _ in range(2):
            begun = await asked(idp, party, uid)
            page = await press(browser, await open_first(browser), number=begun["number_to_match"])
            if 'id="consent-allow"' in page.text:
                await press(browser, page, decision="allow")
        assert "tone-good" in page.text


async def test_six_polls_at_once_give_one_success_and_its_tokens_stay_good(idp: Provider) -> None:
    party, citizen_id = await service(idp), await idp.citizen()
    begun = await asked(idp, party, await uid_of(idp, citizen_id))
    async with await idp.signed_in(citizen_id) as browser:
        await let_service_in(browser, number=begun["number_to_match"])
    answers = await asyncio.gather(*(poll(idp, party, CIBA, begun["auth_req_id"]) for _ in range(6)))
    assert sorted(answer.status_code for answer in answers) == [200, 400, 400, 400, 400, 400]
    assert {answer.json().get("error") for answer in answers} == {None, "invalid_grant"}
    won = next(answer.json() for answer in answers if answer.status_code == 200)
    assert (await idp.userinfo(won["access_token"], party)).status_code == 200


async def test_a_poll_too_early_is_told_to_slow_down(idp: Provider) -> None:
    party = await service(idp)
    begun = await asked(idp, party, await uid_of(idp, await idp.citizen()))
    errors = [(await poll(idp, party, CIBA, begun["auth_req_id"])).json()["error"] for _ in range(2)]
    assert errors == ["authorization_pending", "slow_down"]
    for _ in range(2):
        await five_seconds_later(idp)
    assert (await poll(idp, party, CIBA, begun["auth_req_id"])).json()["error"] == "authorization_pending"


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"scope": "profile"}, "invalid_scope"),
        ({"scope": None}, "invalid_scope"),
        ({"scope": "openid unheard-of documents:read"}, "invalid_scope"),
        ({"login_hint": None}, "invalid_request"),
        ({"login_hint": None, "login_hint_token": "x"}, "invalid_request"),
        ({"login_hint": "nobody"}, "unknown_user_id"),
        ({"login_hint": "2345678903"}, "unknown_user_id"),
        ({"user_code": "1234"}, "invalid_request"),
        ({"requested_expiry": "0"}, "invalid_request"),
        ({"requested_expiry": -1}, "invalid_request"),
        ({"requested_expiry": "soon"}, "invalid_request"),
        ({"binding_message": "x" * 21}, "invalid_binding_message"),
        ({"binding_message": "evil.example/x"}, "invalid_binding_message"),
        ({"binding_message": "a\u202eb"}, "invalid_binding_message"),
        ({"binding_message": "  "}, "invalid_binding_message"),
    ],
)
async def test_what_is_wrong_has_its_own_code_ciba_13(idp: Provider, changed: dict[str, Any], error: str) -> None:
    answer = await ask(idp, await service(idp), **{"login_hint": await uid_of(idp, await idp.citizen()), **changed})
    assert (answer.status_code, answer.json()["error"]) == (400, error), answer.text


async def test_a_sub_of_the_clients_sector_is_a_hint_and_one_of_another_is_nobody(idp: Provider) -> None:
    party, other = await service(idp), await service(idp, sector="another")
    citizen_id = await idp.citizen()
    begun = await asked(idp, party, await uid_of(idp, citizen_id))
    async with await idp.signed_in(citizen_id) as browser:
        await let_service_in(browser, number=begun["number_to_match"])
    tokens = (await poll(idp, party, CIBA, begun["auth_req_id"])).json()
    sub = jwt.decode(tokens["id_token"], options={"verify_signature": False})["sub"]
    assert (await ask(idp, party, login_hint=sub)).status_code == 200
    assert (await ask(idp, party, id_token_hint=tokens["id_token"])).status_code == 200
    assert (await ask(idp, other, login_hint=sub)).json()["error"] == "unknown_user_id"
    assert (await ask(idp, other, id_token_hint=tokens["id_token"])).json()["error"] == "invalid_request"


async def test_who_is_not_active_is_nobody(idp: Provider) -> None:
    party, citizen_id = await service(idp), await idp.citizen()
    await idp.owner("UPDATE idp.citizen SET state = 'frozen' WHERE citizen_id = $1", citizen_id)
    assert (await ask(idp, party, login_hint=await uid_of(idp, citizen_id))).json()["error"] == "unknown_user_id"


async def test_who_is_suspended_after_the_answer_gives_no_tokens(idp: Provider) -> None:
    party, citizen_id = await service(idp), await idp.citizen()
    begun = await asked(idp, party, await uid_of(idp, citizen_id))
    async with await idp.signed_in(citizen_id) as browser:
        await let_service_in(browser, number=begun["number_to_match"])
    await idp.owner("UPDATE idp.citizen SET state = 'suspended' WHERE citizen_id = $1", citizen_id)
    assert (await poll(idp, party, CIBA, begun["auth_req_id"])).json()["error"] == "invalid_grant"


async def test_requested_expiry_is_held_to_ours(idp: Provider) -> None:
    party, uid = await service(idp), await uid_of(idp, await idp.citizen())
    assert (await asked(idp, party, uid, requested_expiry=10))["expires_in"] == 10
    assert (await asked(idp, party, uid, requested_expiry="86400"))["expires_in"] == 600


async def test_a_signed_request_stands_alone(idp: Provider) -> None:
    party, uid = await service(idp), await uid_of(idp, await idp.citizen())
    answer = await send(idp, party, request=signed(party), login_hint=uid)
    assert answer.json()["error"] == "invalid_request"
    assert "login_hint" in answer.json()["error_description"]


async def test_a_signed_request_is_good_once(idp: Provider) -> None:
    party, uid = await service(idp), await uid_of(idp, await idp.citizen())
    request = signed(party, login_hint=uid)
    answers = await asyncio.gather(*(send(idp, party, request=request) for _ in range(3)))
    assert sorted(answer.status_code for answer in answers) == [200, 400, 400]


async def test_who_registered_no_algorithm_may_ask_in_the_open(idp: Provider) -> None:
    party = await service(idp, backchannel_authentication_request_signing_alg=None)
    uid = await uid_of(idp, await idp.citizen())
    answer = await send(idp, party, scope="openid", login_hint=uid)
    assert answer.status_code == 200


async def test_a_fapi2_client_asks_too(idp: Provider) -> None:
    party = await service(idp, profile="fapi2")
    uid = await uid_of(idp, await idp.citizen())
    assert (await ask(idp, party, login_hint=uid)).status_code == 200
    assert (await send(idp, party, scope="openid", login_hint=uid)).json()["error"] == "invalid_request"


@pytest.mark.parametrize(
    "changed",
    [
        {"token_endpoint_auth_method": "client_secret_post"},
        {"dpop_bound_access_tokens": False},
        {"backchannel_token_delivery_mode": None},
        {"backchannel_token_delivery_mode": "ping"},
        {"backchannel_user_code_parameter": True},
        {"backchannel_authentication_request_signing_alg": "RS256"},
        {"id_token_signed_response_alg": "RS256"},
        {"token_endpoint_auth_signing_alg": "RS256"},
        {"profile": "wallet", "token_endpoint_auth_method": "none"},
    ],
)
async def test_registration_refuses_what_fapi_ciba_does(idp: Provider, changed: dict[str, Any]) -> None:
    with pytest.raises(InvalidClientMetadata):
        await service(idp, **changed)


async def test_push_is_no_delivery_mode_here() -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(
            {
                "profile": "basic",
                "sector": "x",
                "client_name": "x",
                "backchannel_token_delivery_mode": "push",
            },
            ClientRegistration,
        )


async def test_a_client_that_did_not_register_the_grant(idp: Provider) -> None:
    party = await idp.client(token_endpoint_auth_method="private_key_jwt")
    answer = await ask(idp, party, login_hint="2345678903")
    assert (answer.status_code, answer.json()["error"]) == (400, "unauthorized_client")


async def test_nothing_due_is_no_ping(idp: Provider) -> None:
    assert await ping(idp.wiring.db, idp.wiring.secrets, idp.wiring.fetcher) == 0


async def test_discovery_says_what_is_served(idp: Provider) -> None:
    found = (await idp.http.get("/idp/.well-known/openid-configuration")).json()
    assert found["device_authorization_endpoint"] == f"{ISSUER}/device-authorization"
    assert found["backchannel_authentication_endpoint"] == f"{ISSUER}/bc-authorize"
    assert found["backchannel_token_delivery_modes_supported"] == ["poll", "ping"]
    assert found["backchannel_user_code_parameter_supported"] is False
    assert {"urn:ietf:params:oauth:grant-type:device_code", CIBA} <= set(found["grant_types_supported"])
