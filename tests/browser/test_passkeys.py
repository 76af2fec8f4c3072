"""Passkeys in Chromium with a virtual authenticator: the script of the pages, the browser's own checks, and ours.

The one place where pages need JavaScript. Without it the same pages are there and nothing of them is missing but this.
"""

import contextlib

import pytest
from playwright.sync_api import CDPSession, Page
from playwright.sync_api import Error as PlaywrightError

from tests.browser.conftest import NewPage
from tests.browser.page_checks import check_page, press
from tests.product import Citizen, Product, unused_code

pytestmark = pytest.mark.browser


def with_authenticator(page: Page, *, verifies: bool = True) -> tuple[CDPSession, str]:
    """A device with a fingerprint reader that always says yes (WebDriver extension of Web Authentication §11)."""
    cdp = page.context.new_cdp_session(page)
    cdp.send("WebAuthn.enable", {"enableUI": False})
    answer = cdp.send(
        "WebAuthn.addVirtualAuthenticator",
        {
            "options": {
                "protocol": "ctap2",
                "transport": "internal",
                "hasResidentKey": True,
                "hasUserVerification": True,
                "isUserVerified": verifies,
                "automaticPresenceSimulation": True,
            }
        },
    )
    return cdp, answer["authenticatorId"]


def sign_in(page: Page, product: Product, citizen: Citizen, path: str) -> None:
    page.goto(product.url + path)
    page.fill("#username", citizen.uid)
    page.fill("#password", citizen.password)
    press(page, "#login-submit")
    if page.locator('button[value="totp"]').count():
        press(page, 'button[value="totp"]')
    page.fill("#otp", unused_code(citizen))
    press(page, "#otp-submit")


def press_if_still_there(page: Page) -> None:
    """Conditional mediation or the button: the virtual authenticator may answer before anything is pressed."""
    with contextlib.suppress(PlaywrightError):
        page.locator("#passkey-use").click(timeout=3_000, no_wait_after=True)


def test_l_24_a_passkey_is_made_named_and_signs_in(product: Product, new_page: NewPage) -> None:
    page, citizen = new_page("fr", scripts=True), product.citizens[5]
    cdp, authenticator = with_authenticator(page)
    sign_in(page, product, citizen, "/idp/sign-in?to=passkeys")
    page.wait_for_url("**/idp/account/passkeys")
    page.goto(f"{product.url}/idp/account/passkeys?lang=fr")
    page.fill("#name", "mon téléphone")
    page.click("#passkey-add")
    page.wait_for_url("**/idp/account/passkeys?done=added*")
    check_page(page, "passkeys", "fr")
    made = cdp.send("WebAuthn.getCredentials", {"authenticatorId": authenticator})["credentials"]
    assert [(one["isResidentCredential"], one["rpId"]) for one in made] == [(True, "localhost")]
    # The page says what another one would be told: this device has one already.
    page.fill("#name", "encore")
    page.click("#passkey-add")
    page.wait_for_selector("[data-passkey-failed]:not([hidden])")

    page.context.clear_cookies()
    page.goto(product.url + "/idp/sign-in")
    press_if_still_there(page)
    page.wait_for_url("**/idp/account")
    assert citizen.uid in page.content()

    # Removed with us, it opens nothing, though the device still has it.
    page.goto(product.url + "/idp/account/passkeys")
    page.locator("summary").first.click()
    page.click("#remove-1")
    page.wait_for_url("**/idp/account/passkeys?done=removed*")
    page.context.clear_cookies()
    page.goto(product.url + "/idp/sign-in")
    press_if_still_there(page)
    page.wait_for_selector("#error-summary")
    assert page.url.startswith(f"{product.url}/idp/sign-in/passkey")


def test_l_24_a_device_that_verifies_nobody_makes_none(product: Product, new_page: NewPage) -> None:
    page, citizen = new_page("en", scripts=True), product.citizens[6]
    with_authenticator(page, verifies=False)
    sign_in(page, product, citizen, "/idp/sign-in?to=passkeys")
    page.wait_for_url("**/idp/account/passkeys")
    page.fill("#name", "a key")
    page.click("#passkey-add")
    page.wait_for_selector("[data-passkey-failed]:not([hidden])")
    page.reload()
    assert page.locator("#passkeys").count() == 0


@pytest.mark.parametrize(("locale", "number"), [("ar", 0), ("fr", 1)])
def test_the_pages_pass_the_checks_without_scripts(
    product: Product, new_page: NewPage, locale: str, number: int
) -> None:
    page = new_page(locale, width=390)
    sign_in(page, product, product.citizens[number], f"/idp/sign-in?to=passkeys&lang={locale}")
    page.goto(f"{product.url}/idp/account/passkeys?lang={locale}")
    assert not page.locator("#passkey-add").is_visible()
    check_page(page, "passkeys-without-scripts", locale)
    page.goto(f"{product.url}/idp/account/recovery-codes")
    check_page(page, "recovery-codes", locale)
    press(page, "#codes-submit")
    assert page.locator("#codes li").count() == 10
    check_page(page, "recovery-codes-made", locale)
    page.goto(f"{product.url}/idp/account")
    check_page(page, "account-methods", locale)


@pytest.mark.parametrize("locale", ["ar", "fr", "zgh"])
def test_the_pages_of_a_recovery_pass_the_checks(product: Product, new_page: NewPage, locale: str) -> None:
    page = new_page(locale, width=390)
    token = "A" * 43
    for name, path in (
        ("recover", "/idp/recover"),
        ("recover-sent", "/idp/recover/sent"),
        ("recover-link", f"/idp/recover/link?token={token}"),
        ("recover-waiting", "/idp/recover/waiting"),
        ("recover-stop", f"/idp/recover/stop?token={token}"),
        ("not-me", f"/idp/not-me?token={token}"),
        ("sign-in-phone", "/idp/sign-in"),
    ):
        page.goto(product.url + path)
        check_page(page, name, locale)
    page.goto(f"{product.url}/idp/not-me?token={token}")
    press(page, "#not-me")
    check_page(page, "not-me-over", locale)
