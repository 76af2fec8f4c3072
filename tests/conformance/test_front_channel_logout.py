"""OpenID Connect Front-Channel Logout 1.0: what the certification plan asks, and what its text demands beside."""

import re
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import jwt
import pytest

from idp.refusals import InvalidClientMetadata
from tests.provider import ISSUER, Provider, RelyingParty, answer_of, csrf_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

BYE = "https://rp.test/post_logout_redirect"
FRONT = "https://rp.test/frontchannel_logout?tenant=1"


async def party(idp: Provider, uri: str | None = FRONT, **metadata: Any) -> RelyingParty:
    return await idp.client(
        **{"post_logout_redirect_uris": [BYE], "frontchannel_logout_session_required": True, **metadata},
        **({"frontchannel_logout_uri": uri} if uri else {}),
    )


def frames(response: httpx.Response) -> list[str]:
    return [unescape(found) for found in re.findall(r'<iframe src="([^"]+)"', response.text)]


def policy(response: httpx.Response) -> list[str]:
    directives = [part.split() for part in response.headers["content-security-policy"].split(";")]
    return next((words[1:] for words in directives if words[0] == "frame-src"), [])


async def test_discovery_endpoint_verification(idp: Provider) -> None:
    metadata = (await idp.http.get("/idp/.well-known/openid-configuration")).json()
    assert metadata["frontchannel_logout_supported"] is True
    assert metadata["frontchannel_logout_session_supported"] is True


async def test_frontchannel_rp_initiated_logout(idp: Provider) -> None:
    one = await party(idp)
    browser = await idp.signed_in(await idp.citizen())
    id_token = (await idp.tokens(browser, one))["id_token"]
    sid = jwt.decode(id_token, options={"verify_signature": False})["sid"]
    page = await browser.get(
        "/idp/end-session", params={"id_token_hint": id_token, "post_logout_redirect_uri": BYE, "state": "s&1"}
    )
    assert page.status_code == 200
    (address,) = frames(page)
    assert urlsplit(address)._replace(query="").geturl() == "https://rp.test/frontchannel_logout"
    assert parse_qs(urlsplit(address).query) == {"tenant": ["1"], "iss": [ISSUER], "sid": [sid]}
    assert policy(page) == ["https://rp.test"]
    onward = f"{BYE}?state=s%261"
    assert page.headers["refresh"] == f"2; url={onward}"
    link = re.search(r'href="([^"]+)" id="logout-continue"', page.text)
    assert link
    assert unescape(link[1]) == onward
    answer = answer_of(await browser.get("/idp/authorize", params=one.request(prompt="none")))
    assert answer["error"] == "login_required"


async def test_every_client_of_the_session_has_a_frame_and_no_other(idp: Provider) -> None:
    browser = await idp.signed_in(await idp.citizen())
    one = await party(idp)
    two = await party(
        idp, "https://two.test:8443/out", redirect_uris=["https://rp.test/callback", "https://two.test:8443/cb"]
    )
    await party(idp, "https://rp.test/not-in-this-session")
    plain = await party(idp, None)
    for other in (two, plain):
        await idp.tokens(browser, other)
    id_token = (await idp.tokens(browser, one))["id_token"]
    page = await browser.get("/idp/end-session", params={"id_token_hint": id_token})
    assert {address.partition("?")[0] for address in frames(page)} == {
        "https://rp.test/frontchannel_logout",
        "https://two.test:8443/out",
    }
    assert policy(page) == ["https://rp.test", "https://two.test:8443"]
    assert "refresh" not in page.headers


async def test_without_such_clients_nothing_comes_between(idp: Provider) -> None:
    plain = await party(idp, None)
    browser = await idp.signed_in(await idp.citizen())
    id_token = (await idp.tokens(browser, plain))["id_token"]
    response = await browser.get(
        "/idp/end-session", params={"id_token_hint": id_token, "post_logout_redirect_uri": BYE}
    )
    assert response.headers["location"] == BYE


async def test_the_providers_own_sign_out_has_the_frames_too(idp: Provider) -> None:
    one = await party(idp)
    browser = await idp.signed_in(await idp.citizen())
    await idp.tokens(browser, one)
    asked = await browser.get("/idp/sign-out")
    page = await browser.post("/idp/sign-out", data={"csrf": csrf_of(asked)}, headers={"Origin": "https://id.test"})
    assert page.status_code == 200, page.text
    assert len(frames(page)) == 1


async def test_a_disabled_client_has_no_frame(idp: Provider) -> None:
    one = await party(idp)
    browser = await idp.signed_in(await idp.citizen())
    await idp.tokens(browser, one)
    await idp.owner("UPDATE idp.client SET state = 'disabled' WHERE client_id = $1", one.client_id)
    asked = await browser.get("/idp/sign-out")
    page = await browser.post("/idp/sign-out", data={"csrf": csrf_of(asked)}, headers={"Origin": "https://id.test"})
    assert frames(page) == []


@pytest.mark.parametrize(
    "uri",
    [
        "https://elsewhere.test/out",
        "https://rp.test:8443/out",
        "http://rp.test/out",
        "https://rp.test/out#fragment",
        "https://rp.test;script-src/out",
        "javascript:alert(1)",
    ],
)
async def test_the_address_has_scheme_host_and_port_of_a_redirect_uri(idp: Provider, uri: str) -> None:
    """§2"""
    with pytest.raises(InvalidClientMetadata, match="frontchannel_logout_uri"):
        await party(idp, uri)
