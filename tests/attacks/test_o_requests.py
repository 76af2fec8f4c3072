"""Group O of the attack catalogue: pushed requests, request objects, requests by reference, signed answers."""

import asyncio
import base64
import json
import time
from typing import Any

import httpx
import jwt
import pytest

from kit.jose import SigningKey
from tests.provider import CALLBACK, ISSUER, RESOURCE, Provider, RelyingParty, answer_of, csrf_of, press_allow

pytestmark = pytest.mark.asyncio(loop_scope="module")

URN = "urn:ietf:params:oauth:request_uri:"


async def refused_on_a_page(idp: Provider, browser: httpx.AsyncClient, code: str, **parameters: str) -> None:
    response = await browser.get("/idp/authorize", params=parameters)
    assert response.status_code == 400
    assert "location" not in response.headers
    assert "error" in response.text
    assert code in response.text


@pytest.mark.parametrize("redirect_uri", [f"{CALLBACK}/../x", "https://rp.test@evil.com/callback", None])
async def test_o_01_o_02_unregistered_redirect_uri_is_refused_when_pushed(
    idp: Provider, redirect_uri: str | None
) -> None:
    party = await idp.fapi()
    response = await idp.push(party, **party.request(redirect_uri=redirect_uri))
    assert response.status_code == 400
    assert response.json()["error"] == "invalid_request"


async def test_o_04_repeated_parameter_when_pushed(idp: Provider) -> None:
    party = await idp.client()
    parameters = [*{**party.request(), **party.authentication()}.items(), ("redirect_uri", "https://evil.test/")]
    response = await idp.http.post(
        "/idp/par",
        data={},
        content=httpx.QueryParams(parameters).__str__().encode(),
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )
    assert response.status_code == 400
    assert response.json()["error"] == "invalid_request"


@pytest.mark.parametrize(
    "changed",
    [
        {"code_challenge": None, "code_challenge_method": None},
        {"code_challenge_method": "plain"},
        {"code_challenge_method": None},
    ],
)
async def test_o_06_o_07_pkce_of_a_strict_client(idp: Provider, changed: dict[str, str | None]) -> None:
    party = await idp.fapi()
    response = await idp.push(party, **party.request(**changed))
    assert response.status_code == 400
    assert response.json()["error"] == "invalid_request"


@pytest.mark.parametrize("response_type", ["token", "id_token token", "code id_token"])
async def test_o_14_other_response_types_when_pushed(idp: Provider, response_type: str) -> None:
    party = await idp.fapi()
    response = await idp.push(party, **party.request(response_type=response_type))
    assert response.status_code == 400
    assert response.json()["error"] == "unsupported_response_type"


async def test_o_16_pushed_prompt_none_without_a_session(idp: Provider) -> None:
    party = await idp.fapi()
    parameters = await idp.pushed(party, prompt="none")
    async with idp.browser() as browser:
        response = await browser.get("/idp/authorize", params=parameters)
        assert answer_of(response) == {"error": "login_required", "state": "s-1", "iss": ISSUER}
        await refused_on_a_page(idp, browser, "invalid_request_uri", **parameters)


async def test_o_21_o_22_signed_answer_carries_issuer_and_state(idp: Provider) -> None:
    state = "\"'<script>alert(1)</script>\r\n é العربية" + "x" * 2000
    party = await idp.client()
    browser = await idp.signed_in(await idp.citizen())
    success = await idp.allowed(browser, party, response_mode="jwt", state=state)
    error = await browser.get(
        "/idp/authorize", params=party.request(response_mode="jwt", scope="unheard-of", state=state)
    )
    for response in (success, error):
        answer = answer_of(response)
        assert set(answer) == {"response"}
        claims = read_signed(idp, answer["response"], party)
        assert (claims["iss"], claims["state"]) == (ISSUER, state)


def read_signed(idp: Provider, response: str, party: RelyingParty) -> dict[str, Any]:
    header = jwt.get_unverified_header(response)
    key = next(key for key in idp.wiring.keys.current().jwks()["keys"] if key["kid"] == header["kid"])
    claims: dict[str, Any] = jwt.decode(
        response, jwt.PyJWK(key).key, algorithms=[key["alg"]], audience=party.client_id, issuer=ISSUER
    )
    return claims


async def test_o_25_request_uri_is_answered_once(idp: Provider) -> None:
    party = await idp.fapi()
    browser = await idp.signed_in(await idp.citizen())
    parameters = await idp.pushed(party)
    assert "code" in answer_of(await idp.allowed_of(browser, parameters))
    await refused_on_a_page(idp, browser, "invalid_request_uri", **parameters)


async def test_o_25_request_uri_is_answered_once_when_six_race(idp: Provider) -> None:
    party = await idp.fapi()
    browser = await idp.signed_in(await idp.citizen())
    await idp.allowed_of(browser, await idp.pushed(party))
    parameters = await idp.pushed(party)
    answers = await asyncio.gather(*(browser.get("/idp/authorize", params=parameters) for _ in range(6)))
    assert sorted(answer.status_code for answer in answers) == [303, 400, 400, 400, 400, 400]


async def test_o_25_two_interactions_of_one_request_uri_give_one_code(idp: Provider) -> None:
    party = await idp.fapi()
    browser = await idp.signed_in(await idp.citizen())
    parameters = await idp.pushed(party)
    pages = [(await browser.get("/idp/authorize", params=parameters)).headers["location"] for _ in range(2)]
    assert "code" in answer_of(await press_allow(browser, pages[0]))
    second = await browser.get(pages[1].replace("/idp/consent", "/idp/authorize/resume"))
    assert second.status_code == 400
    assert "invalid_request_uri" in second.text


async def test_o_25_denied_request_uri_is_used(idp: Provider) -> None:
    party = await idp.fapi()
    browser = await idp.signed_in(await idp.citizen())
    parameters = await idp.pushed(party)
    location = (await browser.get("/idp/authorize", params=parameters)).headers["location"]
    page = await browser.get(location)
    denied = await browser.post(location, data={"csrf": csrf_of(page), "decision": "deny"})
    assert answer_of(denied)["error"] == "access_denied"
    await refused_on_a_page(idp, browser, "invalid_request_uri", **parameters)


async def test_o_25_request_uri_after_its_time(idp: Provider) -> None:
    party = await idp.fapi()
    browser = await idp.signed_in(await idp.citizen())
    parameters = await idp.pushed(party)
    await idp.owner("UPDATE idp.pushed_request SET expires_at = now() WHERE client_id = $1", party.client_id)
    await refused_on_a_page(idp, browser, "invalid_request_uri", **parameters)


async def test_o_25_request_uri_of_another_client(idp: Provider) -> None:
    party, other = await idp.fapi(), await idp.fapi()
    browser = await idp.signed_in(await idp.citizen())
    parameters = await idp.pushed(party)
    await refused_on_a_page(
        idp, browser, "invalid_request_uri", client_id=other.client_id, request_uri=parameters["request_uri"]
    )
    # Somebody else's try does not spend it.
    assert "code" in answer_of(await idp.allowed_of(browser, parameters))


@pytest.mark.parametrize("request_uri", [URN, f"{URN}{'x' * 43}", f"{URN}{'x' * 4000}", f"{URN}' OR 1=1 --"])
async def test_o_25_guessed_request_uri(idp: Provider, request_uri: str) -> None:
    party = await idp.fapi()
    async with idp.browser() as browser:
        await refused_on_a_page(idp, browser, "invalid_request_uri", client_id=party.client_id, request_uri=request_uri)


async def test_o_25_redirect_uri_taken_from_the_client_meanwhile(idp: Provider) -> None:
    party = await idp.fapi()
    browser = await idp.signed_in(await idp.citizen())
    parameters = await idp.pushed(party)
    await idp.owner(
        "UPDATE idp.client SET revision = revision + 1,"
        " metadata = jsonb_set(metadata, '{redirect_uris}', '[\"https://rp.test/other\"]') WHERE client_id = $1",
        party.client_id,
    )
    await refused_on_a_page(idp, browser, "invalid_request_uri", **parameters)


async def test_o_25_parameters_beside_a_request_uri_change_nothing(idp: Provider) -> None:
    party = await idp.fapi()
    browser = await idp.signed_in(await idp.citizen())
    parameters = await idp.pushed(party)
    smuggled = {"redirect_uri": "https://evil.test/", "state": "evil", "scope": "openid email", "nonce": "evil"}
    response = await idp.allowed_of(browser, {**parameters, **smuggled, "response_mode": "form_post"})
    assert response.headers["location"].startswith(CALLBACK)
    assert answer_of(response)["state"] == "s-1"


@pytest.mark.parametrize("profile", ["fapi2", "fapi2-ms"])
async def test_o_25_strict_client_pushes_or_is_refused(idp: Provider, profile: str) -> None:
    party = await idp.fapi(profile)
    browser = await idp.signed_in(await idp.citizen())
    for parameters in (party.request(), party.request(request=party.request_object())):
        response = await browser.get("/idp/authorize", params=parameters)
        assert answer_of(response)["error"] == "invalid_request"


async def test_o_25_registered_to_push_or_be_refused(idp: Provider) -> None:
    party = await idp.client(require_pushed_authorization_requests=True)
    browser = await idp.signed_in(await idp.citizen())
    response = await browser.get("/idp/authorize", params=party.request())
    assert answer_of(response)["error"] == "invalid_request"
    assert "code" in answer_of(await idp.allowed_of(browser, await idp.pushed(party)))


def unsigned(party: RelyingParty) -> str:
    return jwt.encode(jwt.decode(party.request_object(), options={"verify_signature": False}), None, algorithm="none")  # type: ignore[arg-type]


def symmetric(party: RelyingParty) -> str:
    assert party.key is not None
    claims = jwt.decode(party.request_object(), options={"verify_signature": False})
    return jwt.encode(claims, "a-secret-of-more-than-thirty-two-bytes", algorithm="HS256")


def of_somebody_else(party: RelyingParty) -> str:
    return party.request_object(key=SigningKey.generate("ES256"))


def bent(party: RelyingParty) -> str:
    head, body, signature = party.request_object().split(".")
    return f"{head}.{body}.{signature[:-4]}AAAA"


@pytest.mark.parametrize("made", [unsigned, symmetric, of_somebody_else, bent])
async def test_o_26_request_object_that_the_client_did_not_sign(idp: Provider, made: Any) -> None:
    party = await idp.client(token_endpoint_auth_method="private_key_jwt")
    browser = await idp.signed_in(await idp.citizen())
    by_value = await browser.get("/idp/authorize", params=party.request(request=made(party)))
    assert answer_of(by_value)["error"] == "invalid_request_object"
    pushed = await idp.push(party, request=made(party))
    assert pushed.status_code == 400
    assert pushed.json()["error"] == "invalid_request_object"


async def test_o_26_request_object_signed_by_another_client_in_its_own_name(idp: Provider) -> None:
    party, other = await idp.fapi("fapi2-ms"), await idp.fapi("fapi2-ms")
    response = await idp.push(party, request=other.request_object(response_mode="jwt"))
    assert response.json()["error"] == "invalid_request_object"


@pytest.mark.parametrize(
    "changed",
    [
        {"aud": "https://other.test"},
        {"aud": None},
        {"aud": f"{ISSUER}/par"},
        {"iss": "somebody"},
        {"iss": None},
        {"client_id": "somebody"},
        {"client_id": None},
        {"exp": None},
        {"nbf": None},
        {"exp": -60},
        {"exp": 4_200},
        {"nbf": 90},
        {"nbf": -4_200, "exp": 60},
        {"request_uri": "https://rp.test/r"},
        {"request": "x"},
    ],
    ids=str,
)
async def test_o_26_request_object_for_another_issuer_client_or_time(idp: Provider, changed: dict[str, Any]) -> None:
    """Numbers are seconds from now."""
    party = await idp.fapi("fapi2-ms")
    now = int(time.time())
    claims = {name: now + value if isinstance(value, int) else value for name, value in changed.items()}
    response = await idp.push(party, request=party.request_object(response_mode="jwt", **claims))
    assert response.status_code == 400, changed
    assert response.json()["error"] == "invalid_request_object"


async def test_o_26_client_assertion_is_no_request_object_rfc9101_10_8(idp: Provider) -> None:
    party = await idp.fapi("fapi2-ms")
    response = await idp.push(party, request=party.request_object(response_mode="jwt", sub=party.client_id))
    assert response.json()["error"] == "invalid_request_object"


@pytest.mark.parametrize("typ", ["at+jwt", "dpop+jwt", "logout+jwt", "secevent+jwt"])
async def test_o_26_token_of_another_type_is_no_request_object(idp: Provider, typ: str) -> None:
    party = await idp.client(token_endpoint_auth_method="private_key_jwt")
    response = await idp.push(party, request=party.request_object(typ=typ))
    assert response.json()["error"] == "invalid_request_object"


async def test_o_26_algorithm_other_than_the_registered(idp: Provider) -> None:
    party = await idp.client(token_endpoint_auth_method="private_key_jwt", request_object_signing_alg="PS256")
    response = await idp.push(party, request=party.request_object())
    assert response.json()["error"] == "invalid_request_object"


async def test_o_26_parameters_beside_a_request_object_change_nothing(idp: Provider) -> None:
    party = await idp.client(token_endpoint_auth_method="private_key_jwt")
    browser = await idp.signed_in(await idp.citizen())
    smuggled = {"state": "evil", "nonce": "evil", "scope": "openid email", "redirect_uri": "https://evil.test/"}
    for parameters in (
        {**party.request(), **smuggled, "request": party.request_object(state=None)},
        {"client_id": party.client_id, "request": party.request_object(state=None)},
    ):
        response = await idp.allowed_of(browser, parameters)
        assert response.headers["location"].startswith(f"{CALLBACK}?code=")
        assert "state" not in answer_of(response)


async def test_o_26_client_id_differs_from_that_of_the_object(idp: Provider) -> None:
    party = await idp.client(token_endpoint_auth_method="private_key_jwt")
    other = await idp.client(token_endpoint_auth_method="private_key_jwt")
    async with idp.browser() as browser:
        await refused_on_a_page(
            idp, browser, "invalid_request_object", client_id=other.client_id, request=party.request_object()
        )


async def test_o_26_unsigned_request_of_a_client_that_signs(idp: Provider) -> None:
    strict = await idp.fapi("fapi2-ms")
    response = await idp.push(strict, **strict.request(response_mode="jwt"))
    assert response.json()["error"] == "invalid_request"
    party = await idp.client(token_endpoint_auth_method="private_key_jwt", require_signed_request_object=True)
    browser = await idp.signed_in(await idp.citizen())
    plain = await browser.get("/idp/authorize", params=party.request())
    assert answer_of(plain)["error"] == "invalid_request"


async def test_o_26_client_without_keys_signs_nothing(idp: Provider) -> None:
    party = await idp.client()
    browser = await idp.signed_in(await idp.citizen())
    signed = party.request_object(key=SigningKey.generate("ES256"))
    response = await browser.get("/idp/authorize", params=party.request(request=signed))
    assert answer_of(response)["error"] == "invalid_request_object"


async def test_o_24_request_and_request_uri_exclude_each_other(idp: Provider) -> None:
    party = await idp.client(token_endpoint_auth_method="private_key_jwt")
    browser = await idp.signed_in(await idp.citizen())
    response = await browser.get(
        "/idp/authorize",
        params=party.request(request=party.request_object(), request_uri="https://rp.test/r.jwt"),
    )
    assert answer_of(response)["error"] == "invalid_request"


@pytest.mark.parametrize("request_uri", ["https://rp.test/r.jwt", f"{URN}{'x' * 43}", "file:///etc/passwd"])
async def test_o_24_request_uri_is_refused_where_requests_are_pushed(idp: Provider, request_uri: str) -> None:
    party = await idp.client(token_endpoint_auth_method="private_key_jwt")
    response = await idp.push(party, **party.request(request_uri=request_uri))
    assert response.status_code == 400
    assert response.json()["error"] == "invalid_request"


async def test_o_32_assertion_is_spent_by_a_pushed_request(idp: Provider) -> None:
    party = await idp.fapi()
    once = {**party.request(), **party.authentication()}
    first = await idp.http.post("/idp/par", data=once)
    second = await idp.http.post("/idp/par", data=once)
    assert (first.status_code, second.status_code) == (201, 401)
    assert second.json()["error"] == "invalid_client"


@pytest.mark.parametrize("path", ["/par", "/token"])
async def test_o_32_assertion_of_a_strict_client_names_the_issuer_alone(idp: Provider, path: str) -> None:
    party = await idp.fapi()
    assert party.key is not None
    for audience in (f"{ISSUER}{path}", [ISSUER], [f"{ISSUER}{path}"]):
        now = int(time.time())
        claims = {"iss": party.client_id, "sub": party.client_id, "aud": audience, "jti": f"{now}", "exp": now + 60}
        sent = {**party.request(), **party.authentication(), "client_assertion": party.key.sign(claims, typ="JWT")}
        response = await idp.http.post("/idp/par", data=sent)
        assert response.status_code == 401
        assert response.json()["error"] == "invalid_client"


async def test_o_17_value_of_sub_in_claims_is_a_hint(idp: Provider) -> None:
    party = await idp.client()
    browser = await idp.signed_in(await idp.citizen())
    tokens = await idp.tokens(browser, party)
    sub = jwt.decode(tokens["id_token"], options={"verify_signature": False})["sub"]

    def asking(**member: Any) -> str:
        return json.dumps({"id_token": {"sub": member}})

    for mine in (asking(value=sub), asking(values=[sub, "other"]), asking(essential=True, value=sub)):
        quiet = await browser.get("/idp/authorize", params=party.request(prompt="none", claims=mine))
        assert "code" in answer_of(quiet)
    for other in (asking(value="other"), asking(values=["other"])):
        quiet = await browser.get("/idp/authorize", params=party.request(prompt="none", claims=other))
        assert answer_of(quiet)["error"] == "login_required"
    both = party.request(claims=asking(value="other"), id_token_hint=tokens["id_token"])
    assert answer_of(await browser.get("/idp/authorize", params=both))["error"] == "invalid_request"


async def test_two_resources_are_no_target_rfc8707(idp: Provider) -> None:
    party = await idp.client(scope="openid documents:read")
    browser = await idp.signed_in(await idp.citizen())
    two = [*party.request(scope="openid documents:read").items(), ("resource", RESOURCE), ("resource", ISSUER)]
    assert answer_of(await browser.get("/idp/authorize", params=two))["error"] == "invalid_target"
    pushed = await idp.http.post(
        "/idp/par",
        content=str(httpx.QueryParams([*two, *party.authentication().items()][1:])),
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )
    assert pushed.json()["error"] == "invalid_target"
    code = await idp.code(browser, party, scope="openid documents:read", resource=RESOURCE)
    exchanged = [*party.exchange(code).items(), ("resource", RESOURCE), ("resource", ISSUER)]
    answer = await idp.http.post(
        "/idp/token",
        content=str(httpx.QueryParams(exchanged)),
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )
    assert answer.json()["error"] == "invalid_target"


@pytest.mark.parametrize("depth", [200, 2_000, 7_000])
async def test_nested_json_is_refused_and_no_fault(idp: Provider, depth: int) -> None:
    party = await idp.client(
        token_endpoint_auth_method="private_key_jwt", authorization_details_types=["locker_document"]
    )
    nested = "[" * depth
    header = base64.urlsafe_b64encode(nested.encode()).rstrip(b"=").decode()
    deep = '{"userinfo":{"email":{"value":' + '{"a":' * (depth // 3) + "1" + "}" * (depth // 3 + 3)
    for changed in (
        {"claims": deep},
        {"authorization_details": nested},
        {"authorization_details": '[{"purpose":' + nested},
        {"request": f"{header}.e30.AA"},
        {"request": f"e30.{header}.AA"},
        {"id_token_hint": f"{header}.e30.AA"},
    ):
        response = await idp.push(party, **party.request(**changed))
        assert response.status_code in (201, 400), changed
    assertion = {
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": f"e30.{header}.AA",
    }
    assert (await idp.http.post("/idp/par", data={**party.request(), **assertion})).status_code == 401
    proof = {"DPoP": f"{header}.e30.AA"}
    response = await idp.http.post("/idp/par", data={**party.request(), **party.authentication()}, headers=proof)
    assert response.json()["error"] == "invalid_dpop_proof"


@pytest.mark.parametrize(
    "changed",
    [
        {"exp": "9999999999"},
        {"nbf": "1"},
        {"iat": "1"},
        {"exp": None, "nbf": None, "iat": [1]},
        {"exp": 1e300},
        {"aud": {"x": ISSUER}},
        {"aud": [[ISSUER]]},
        {"iss": [1]},
        {"sub": 1},
    ],
    ids=str,
)
async def test_o_26_members_of_a_wrong_kind_are_refused_and_no_fault(idp: Provider, changed: dict[str, Any]) -> None:
    party = await idp.client(token_endpoint_auth_method="private_key_jwt")
    response = await idp.push(party, request=party.request_object(**changed))
    assert response.status_code == 400
    assert response.json()["error"] == "invalid_request_object"
