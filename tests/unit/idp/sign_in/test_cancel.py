"""Whoever was sent here and does not want to sign in goes back (OpenID Connect Core §3.1.2.6)."""

import pytest

from tests.provider import ISSUER, Provider, answer_of, csrf_of

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_cancelling_a_sign_in_tells_the_service_access_denied(idp: Provider) -> None:
    party, browser = await idp.client(), idp.browser()
    begun = await browser.get("/idp/authorize", params=party.request(state="s-9"))
    page = await browser.get(begun.headers["location"])
    assert 'id="login-cancel"' in page.text
    path = begun.headers["location"].replace("/idp/sign-in", "/idp/sign-in/cancel")
    answer = answer_of(await browser.post(path, data={"csrf": csrf_of(page)}))
    assert answer == {"error": "access_denied", "state": "s-9", "iss": ISSUER}
    assert (await browser.get(begun.headers["location"])).status_code == 400


async def test_another_browser_cannot_cancel_it(idp: Provider) -> None:
    party, browser, other = await idp.client(), idp.browser(), idp.browser()
    begun = await browser.get("/idp/authorize", params=party.request())
    await browser.get(begun.headers["location"])
    theirs = await other.get("/idp/sign-in")
    path = begun.headers["location"].replace("/idp/sign-in", "/idp/sign-in/cancel")
    assert (await other.post(path, data={"csrf": csrf_of(theirs)})).status_code in (400, 403)
    assert (await browser.get(begun.headers["location"])).status_code == 200


async def test_on_the_way_to_ones_own_account_there_is_nobody_to_go_back_to(idp: Provider) -> None:
    page = await idp.browser().get("/idp/sign-in")
    assert "login-cancel" not in page.text
