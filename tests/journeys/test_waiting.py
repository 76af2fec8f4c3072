"""A counter, and a bank on the telephone: over HTTP, on a running product, with its command line."""

import json
import re
from typing import Any

import httpx

from kit.jose import SigningKey
from tests.product import Citizen, HttpBrowser, Product, unused_code
from tests.provider import Holder, RelyingParty
from tests.waiting import CIBA, DEVICE_CODE, signed


def registered(product: Product, **metadata: Any) -> RelyingParty:
    """By the operator's command."""
    key = SigningKey.generate("ES256") if metadata.get("token_endpoint_auth_method") == "private_key_jwt" else None
    registration = {
        "sector": "waiting",
        "scope": "openid profile",
        "redirect_uris": [],
        **({"jwks": {"keys": [key.public_jwk]}} if key else {}),
        **metadata,
    }
    answer = product.khizana("client", "register", "--file", "-", stdin=json.dumps(registration))
    assert answer.returncode == 0, answer.stderr
    told = json.loads(answer.stdout)
    dpop = SigningKey.generate("ES256") if told.get("dpop_bound_access_tokens") else None
    return RelyingParty(told["client_id"], secret=told.get("client_secret"), key=key, dpop=dpop, issuer=product.issuer)


def counter(product: Product) -> RelyingParty:
    return registered(
        product,
        profile="basic",
        client_name="A counter",
        token_endpoint_auth_method="client_secret_post",
        grant_types=[DEVICE_CODE],
    )


def bank(product: Product) -> RelyingParty:
    return registered(
        product,
        profile="basic",
        client_name="A bank",
        token_endpoint_auth_method="private_key_jwt",
        grant_types=[CIBA],
        dpop_bound_access_tokens=True,
        backchannel_token_delivery_mode="poll",
        backchannel_authentication_request_signing_alg="ES256",
    )


def begin_device(product: Product, party: RelyingParty) -> dict[str, Any]:
    answer = httpx.post(
        f"{product.issuer}/device-authorization", data={**party.authentication(), "scope": "openid profile"}
    )
    assert answer.status_code == 200, answer.text
    begun: dict[str, Any] = answer.json()
    return begun


def ask(product: Product, party: RelyingParty, uid: str, **changed: Any) -> dict[str, Any]:
    request = signed(party, aud=product.issuer, login_hint=uid, **changed)
    answer = httpx.post(f"{product.issuer}/bc-authorize", data={**party.authentication(), "request": request})
    assert answer.status_code == 200, answer.text
    begun: dict[str, Any] = answer.json()
    return begun


def poll(product: Product, party: RelyingParty, grant_type: str, **waiting: str) -> httpx.Response:
    auth = Holder(party.dpop) if party.dpop else None
    return httpx.post(
        f"{product.issuer}/token", data={"grant_type": grant_type, **waiting, **party.authentication()}, auth=auth
    )


def signed_in_for_account(product: Product, citizen: Citizen) -> HttpBrowser:
    browser = product.browser("fr")
    browser.sign_in(browser.follow(browser.get("/idp/sign-in")), citizen)
    return browser


def test_a_citizen_lets_a_counter_in_with_the_code_on_its_screen(product: Product) -> None:
    party, citizen = counter(product), product.citizens[5]
    begun = begin_device(product, party)
    assert poll(product, party, DEVICE_CODE, device_code=begun["device_code"]).json()["error"] == (
        "authorization_pending"
    )
    browser = product.browser("fr")
    page = browser.get(begun["verification_uri_complete"])
    assert begun["user_code"] in page.text
    page = browser.submit(page, user_code=begun["user_code"])
    page = browser.submit(page, username=citizen.uid, password=citizen.password)
    if 'value="totp"' in page.text:
        page = browser.submit(page, way="totp")
    page = browser.submit(page, otp=unused_code(citizen))
    assert 'id="device-user-code"' in page.text, page.text
    page = browser.submit(page, decision="go-on")
    page = browser.submit(page, decision="allow")
    assert 'id="device-connected"' in page.text
    tokens = poll(product, party, DEVICE_CODE, device_code=begun["device_code"])
    assert tokens.status_code == 200, tokens.text


def test_a_citizen_answers_a_bank_on_the_account_pages(product: Product) -> None:
    party, citizen = bank(product), product.citizens[6]
    begun = ask(product, party, citizen.uid)
    browser = signed_in_for_account(product, citizen)
    page = browser.get("/idp/account/requests")
    request = re.search(r'name="request" value="([^"]+)"', page.text)
    assert request, page.text
    page = browser.submit(page, request=request[1])
    page = browser.submit(page, number=begun["number_to_match"])
    page = browser.submit(page, decision="allow")
    assert "tone-good" in page.text
    tokens = poll(product, party, CIBA, auth_req_id=begun["auth_req_id"])
    assert tokens.status_code == 200, tokens.text


def test_an_operator_answers_for_a_tester_by_command(product: Product) -> None:
    party, citizen = bank(product), product.citizens[5]
    allowed, refused = (ask(product, party, citizen.uid, binding_message=word) for word in ("one", "two"))
    listed = json.loads(product.khizana("ciba", "list").stdout)["requests"]
    assert {"one", "two"} <= {request["binding_message"] for request in listed}
    assert allowed["auth_req_id"] not in str(listed)
    for verb, begun in (("approve", allowed), ("deny", refused)):
        done = product.khizana("ciba", verb, begun["auth_req_id"])
        assert done.returncode == 0, done.stderr
    assert poll(product, party, CIBA, auth_req_id=allowed["auth_req_id"]).status_code == 200
    assert poll(product, party, CIBA, auth_req_id=refused["auth_req_id"]).json()["error"] == "access_denied"
    again = product.khizana("ciba", "approve", allowed["auth_req_id"])
    assert (again.returncode, "unknown-request" in again.stderr) == (2, True)
    dashed = product.khizana("ciba", "deny", "-" + allowed["auth_req_id"][1:])
    assert (dashed.returncode, "unknown-request" in dashed.stderr) == (2, True), dashed.stderr
