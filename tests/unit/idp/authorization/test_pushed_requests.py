"""What RFC 9126 and FAPI 2.0 Security Profile §5.3.2.2 demand of pushed requests."""

import re

import jwt
import pytest

from tests.provider import ISSUER, Provider, answer_of, press_allow

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_answer_is_201_with_a_handle_that_nobody_guesses_rfc9126_2_2(idp: Provider) -> None:
    party = await idp.fapi()
    answers = [await idp.push(party, **party.request()) for _ in range(2)]
    for answer in answers:
        assert answer.status_code == 201
        assert answer.headers["content-type"].startswith("application/json")
        assert "no-store" in answer.headers["cache-control"]
        assert set(answer.json()) == {"request_uri", "expires_in"}
        assert answer.json()["expires_in"] == 90
        assert re.fullmatch(r"urn:ietf:params:oauth:request_uri:[A-Za-z0-9_-]{43}", answer.json()["request_uri"])
    assert answers[0].json()["request_uri"] != answers[1].json()["request_uri"]


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
async def test_other_methods_than_post_are_405_rfc9126_2_3(idp: Provider, method: str) -> None:
    party = await idp.fapi()
    answer = await idp.http.request(method, "/idp/par", params=party.request())
    assert (answer.status_code, answer.json()["code"]) == (405, "method-not-allowed")


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"response_type": None}, "invalid_request"),
        ({"redirect_uri": None}, "invalid_request"),
        ({"scope": "unheard-of"}, "invalid_scope"),
        ({"resource": "https://nowhere.test"}, "invalid_target"),
        ({"claims": "{"}, "invalid_request"),
        ({"registration": "{}"}, "registration_not_supported"),
        ({"id_token_hint": "x"}, "invalid_request"),
        ({"prompt": "none login"}, "invalid_request"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"max_age": "-1"}, "invalid_request"),
        ({"nonce": "n" * 513}, "invalid_request"),
    ],
)
async def test_what_is_wrong_is_told_to_the_client_as_json(
    idp: Provider, changed: dict[str, str | None], error: str
) -> None:
    party = await idp.fapi()
    answer = await idp.push(party, **party.request(**changed))
    assert answer.status_code == 400
    assert answer.json()["error"] == error
    assert "no-store" in answer.headers["cache-control"]
    assert "location" not in answer.headers


async def test_client_authenticates_as_at_the_token_endpoint_rfc9126_2(idp: Provider) -> None:
    secret = await idp.client(token_endpoint_auth_method="client_secret_basic")
    assert secret.secret is not None
    basic = await idp.http.post("/idp/par", data=secret.request(), auth=(secret.client_id, secret.secret))
    assert basic.status_code == 201
    wrong = await idp.http.post("/idp/par", data=secret.request(), auth=(secret.client_id, "wrong"))
    assert wrong.status_code == 401
    assert wrong.json()["error"] == "invalid_client"
    assert wrong.headers["www-authenticate"].startswith("Basic")
    nobody = await idp.http.post("/idp/par", data={**secret.request(), "client_id": "nobody"})
    assert nobody.status_code == 401
    wallet = await idp.wallet()
    assert (await idp.push(wallet, **wallet.request())).status_code == 201


async def test_request_uri_and_client_id_are_all_that_the_browser_brings(idp: Provider) -> None:
    party = await idp.client(require_pushed_authorization_requests=True)
    browser = await idp.signed_in(await idp.citizen())
    state, nonce = "s" * 128, "n" * 384
    parameters = await idp.pushed(party, state=state, nonce=nonce)
    assert set(parameters) == {"client_id", "request_uri"}
    answer = answer_of(await idp.allowed_of(browser, parameters))
    assert (answer["state"], answer["iss"]) == (state, ISSUER)
    tokens = (await idp.http.post("/idp/token", data=party.exchange(answer["code"]))).json()
    assert jwt.decode(tokens["id_token"], options={"verify_signature": False})["nonce"] == nonce


async def test_by_post_as_well(idp: Provider) -> None:
    party = await idp.client()
    browser = await idp.signed_in(await idp.citizen())
    await idp.tokens(browser, party)
    answer = await browser.post("/idp/authorize", data=await idp.pushed(party))
    assert answer.status_code == 303
    assert "code" in answer_of(answer)


async def test_request_uri_may_be_opened_again_before_it_is_answered(idp: Provider) -> None:
    party = await idp.fapi()
    parameters = await idp.pushed(party)
    async with idp.browser() as scanner:
        assert (await scanner.get("/idp/authorize", params=parameters)).status_code == 303
    browser = await idp.signed_in(await idp.citizen())
    first = await browser.get("/idp/authorize", params=parameters)
    again = await browser.get("/idp/authorize", params=parameters)
    assert first.headers["location"] != again.headers["location"]
    assert "code" in answer_of(await press_allow(browser, again.headers["location"]))


async def test_interaction_outlives_the_request_uri_that_began_it(idp: Provider) -> None:
    party = await idp.fapi()
    browser = await idp.signed_in(await idp.citizen())
    location = (await browser.get("/idp/authorize", params=await idp.pushed(party))).headers["location"]
    await idp.owner("UPDATE idp.pushed_request SET expires_at = now() WHERE client_id = $1", party.client_id)
    assert "code" in answer_of(await press_allow(browser, location))


async def test_disabled_client_can_no_longer_use_what_it_pushed(idp: Provider) -> None:
    party = await idp.fapi()
    parameters = await idp.pushed(party)
    await idp.owner(
        "UPDATE idp.client SET state = 'disabled', revision = revision + 1 WHERE client_id = $1", party.client_id
    )
    async with idp.browser() as browser:
        answer = await browser.get("/idp/authorize", params=parameters)
    assert answer.status_code == 400
    assert "invalid_client" in answer.text


async def test_handle_is_kept_as_its_digest_alone(idp: Provider) -> None:
    party = await idp.fapi()
    handle = (await idp.pushed(party))["request_uri"]
    rows = await idp.owner("SELECT p::text FROM idp.pushed_request p WHERE client_id = $1", party.client_id)
    assert rows
    assert not any(handle[-43:] in row[0] for row in rows)


async def test_discovery_names_the_endpoint_rfc9126_5(idp: Provider) -> None:
    described = (await idp.http.get("/idp/.well-known/openid-configuration")).json()
    assert described["pushed_authorization_request_endpoint"] == f"{ISSUER}/par"
    assert described["require_pushed_authorization_requests"] is False


async def test_public_client_pushes_sixty_a_minute_rfc9126_2_3(idp: Provider) -> None:
    wallet = await idp.wallet()
    assert (await idp.push(wallet, **wallet.request())).status_code == 201
    await idp.owner(
        "UPDATE idp.throttle SET attempts = 60 WHERE bucket LIKE $1", f"pushed-requests:{wallet.client_id}|%"
    )
    answer = await idp.push(wallet, **wallet.request())
    assert (answer.status_code, answer.json()["error"]) == (429, "temporarily_unavailable")
    assert int(answer.headers["retry-after"]) > 0
