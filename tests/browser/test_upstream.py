"""Sign in through another provider in Chromium, without JavaScript: over the wire, registered by the command."""

import json
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Route

from tests.browser.conftest import NewPage
from tests.browser.page_checks import Watch
from tests.browser.test_main_job import Walk
from tests.other_providers import NAMES, Liar, served
from tests.product import Product

pytestmark = pytest.mark.browser


def without_refresh(route: Route) -> None:
    """The page between here and there stays, to be looked at."""
    response = route.fetch()
    headers = {name: value for name, value in response.headers.items() if name != "refresh"}
    route.fulfill(response=response, headers=headers)


def forget_hosts(walk: Walk) -> None:
    """The other provider is no third party that a page of ours brought in."""
    Watch.of(walk.page.context).hosts.intersection_update({urlsplit(walk.product.url).netloc})


@pytest.mark.parametrize(("locale", "number"), [("ar", 2), ("fr", 3)])
def test_link_sign_in_through_it_and_end_the_link(
    product: Product, new_page: NewPage, locale: str, number: int
) -> None:
    with served(Liar()) as elsewhere:
        wanted = {
            "slug": f"elsewhere-{locale}",
            "issuer": elsewhere.issuer,
            "client_id": "khizana",
            "display_name": NAMES,
            "acr": {"loa2": "substantial"},
        }
        registered = product.khizana("upstream", "register", "--file", "-", stdin=json.dumps(wanted))
        assert registered.returncode == 0, registered.stderr
        told = json.loads(registered.stdout)
        assert told["redirect_uri"] == f"{product.issuer}/upstream/{wanted['slug']}/callback"
        assert told["jwks"]["keys"][0]["alg"] == "ES256"
        assert "client_secret" not in told
        try:
            walk_through(product, new_page, locale, number, wanted["slug"])
        finally:
            disabled = product.khizana("upstream", "disable", wanted["slug"])
            assert disabled.returncode == 0, disabled.stderr
        # The key of private_key_jwt was used at its token endpoint.
        assert any(b"client_assertion=" in request.content for request in elsewhere.requests)


def walk_through(product: Product, new_page: NewPage, locale: str, number: int, slug: str) -> None:
    walk = Walk(new_page(locale), product, locale)
    page, button = walk.page, f"upstream-{slug}"
    walk.go(f"/idp/sign-in?lang={locale}", "sign-in-elsewhere")
    page.route(f"**/idp/upstream/{slug}", without_refresh)
    walk.press(button, "upstream-onward")
    page.unroute(f"**/idp/upstream/{slug}")

    # By itself, through the other provider, and back: nobody here has that account yet.
    page.goto(f"{product.url}/idp/sign-in?lang={locale}")
    page.click(f"#{button}")
    page.wait_for_url(f"**/idp/sign-in?link={slug}")
    forget_hosts(walk)
    walk.see("sign-in-unlinked")
    walk.sign_in(product.citizens[number])
    page.wait_for_url(f"**/idp/account/upstream/link?link={slug}")
    walk.see("upstream-link")
    walk.press("link-confirm", "account-linked")
    page.click("#upstream-links")
    walk.see("upstream-links")

    other = Walk(new_page(locale), product, locale)
    other.page.goto(f"{product.url}/idp/sign-in?lang={locale}")
    other.page.click(f"#{button}")
    other.page.wait_for_url("**/idp/account")
    walk.press(f"unlink-{slug}", "upstream-unlinked")
    other.page.goto(f"{product.url}/idp/account")
    assert "/idp/sign-in" in other.page.url
