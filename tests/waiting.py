"""Devices and services that wait for a citizen, and the browser in which the citizen answers them."""

import re
import secrets
import time
from html import unescape
from typing import Any
from uuid import UUID

import httpx

from kit.jose import SigningKey
from kit.tokens import digest
from tests.provider import ISSUER, Provider, RelyingParty, csrf_of

DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
CIBA = "urn:openid:params:grant-type:ciba"
SCOPE = "openid profile"


async def television(idp: Provider, **metadata: Any) -> RelyingParty:
    """A public client with no browser of its own."""
    return await idp.wallet(
        **{
            "grant_types": [DEVICE_CODE, "refresh_token"],
            "redirect_uris": [],
            "client_name": "A television",
            **metadata,
        }
    )


async def begin_device(idp: Provider, party: RelyingParty, **changed: str) -> httpx.Response:
    return await idp.http.post("/idp/device-authorization", data={**party.authentication(), "scope": SCOPE, **changed})


async def poll(idp: Provider, party: RelyingParty, grant_type: str, waiting: str, **changed: str) -> httpx.Response:
    name = "device_code" if grant_type == DEVICE_CODE else "auth_req_id"
    return await idp.http.post(
        "/idp/token",
        data={"grant_type": grant_type, name: waiting, **party.authentication(), **changed},
        auth=party.holder(),
    )


async def five_seconds_later(idp: Provider) -> None:
    """As if every client had waited since its last poll."""
    for table in ("device_request", "backchannel_request"):
        await idp.owner(f"UPDATE idp.{table} SET polled_at = polled_at - interval '5 seconds'")


async def follow(browser: httpx.AsyncClient, response: httpx.Response) -> httpx.Response:
    """Redirects of ours, as far as they lead."""
    for _ in range(5):
        if response.status_code != 303:
            return response
        response = await browser.get(response.headers["location"])
    raise AssertionError("too many redirects")


async def press(browser: httpx.AsyncClient, page: httpx.Response, **fields: str) -> httpx.Response:
    """The page's first form of the main part, and where its answer leads."""
    actions = [unescape(action) for action in re.findall(r'<form method="post" action="([^"]+)"', page.text)]
    action = next(action for action in actions if "sign-out" not in action)
    return await follow(browser, await browser.post(action, data={"csrf": csrf_of(page), **fields}))


async def type_code(browser: httpx.AsyncClient, user_code: str) -> httpx.Response:
    """The page after the code: where the citizen is asked whether the device is theirs, or why not."""
    return await press(browser, await browser.get("/idp/device"), user_code=user_code)


async def let_device_in(browser: httpx.AsyncClient, user_code: str) -> httpx.Response:
    page = await type_code(browser, user_code)
    assert 'id="device-user-code"' in page.text, page.text
    page = await press(browser, page, decision="go-on")
    if 'id="consent-allow"' in page.text:
        page = await press(browser, page, decision="allow")
    return page


async def service(idp: Provider, **metadata: Any) -> RelyingParty:
    """A client that asks over the back channel, as FAPI-CIBA wants it."""
    return await idp.client(
        **{
            "client_name": "A bank",
            "token_endpoint_auth_method": "private_key_jwt",
            "grant_types": [CIBA, "refresh_token"],
            "redirect_uris": [],
            "response_types": [],
            "dpop_bound_access_tokens": True,
            "backchannel_token_delivery_mode": "poll",
            "backchannel_authentication_request_signing_alg": "ES256",
            **metadata,
        }
    )


def signed(party: RelyingParty, *, key: SigningKey | None = None, **changed: Any) -> str:
    """An authentication request object (CIBA Core §7.1.1); None takes a member away."""
    now = int(time.time())
    claims = {
        "iss": party.client_id,
        "aud": ISSUER,
        "iat": now,
        "nbf": now,
        "exp": now + 300,
        "jti": secrets.token_urlsafe(16),
        "scope": SCOPE,
        **changed,
    }
    signer = key or party.key
    assert signer is not None
    return signer.sign({name: value for name, value in claims.items() if value is not None}, typ="JWT")


async def ask(idp: Provider, party: RelyingParty, **changed: Any) -> httpx.Response:
    """Over the back channel; what is changed stands in the signed request."""
    return await send(idp, party, request=signed(party, **changed))


async def send(idp: Provider, party: RelyingParty, **parameters: str) -> httpx.Response:
    return await idp.http.post("/idp/bc-authorize", data={**party.authentication(), **parameters})


async def uid_of(idp: Provider, citizen_id: UUID) -> str:
    rows = await idp.owner("SELECT uid FROM idp.citizen WHERE citizen_id = $1", citizen_id)
    return str(rows[0]["uid"])


async def open_first(browser: httpx.AsyncClient) -> httpx.Response:
    """The page that asks whether the first waiting service is the citizen's."""
    page = await browser.get("/idp/account/requests")
    found = re.search(r'name="request" value="([^"]+)"', page.text)
    assert found, page.text
    return await press(browser, page, request=found[1])


async def let_service_in(browser: httpx.AsyncClient, *, number: str | None = None) -> httpx.Response:
    page = await open_first(browser)
    answer = {"number": number} if number else {"decision": "go-on"}
    page = await press(browser, page, **answer)
    if 'id="consent-allow"' in page.text:
        page = await press(browser, page, decision="allow")
    return page


async def number_of(idp: Provider, auth_req_id: str) -> str:
    rows = await idp.owner(
        "SELECT number FROM idp.backchannel_request WHERE auth_req_id_sha256 = $1", digest(auth_req_id)
    )
    return str(rows[0]["number"])
