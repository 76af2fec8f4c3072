"""The main job in Chromium with JavaScript off, in Arabic and in French: every page is looked at by axe on the way."""

import secrets
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import NewPage
from tests.browser.page_checks import Watch, check_page, press
from tests.browser.paper import check_sheet
from tests.journeys.test_main_job import deposit, freshly_sealed, machine
from tests.product import Citizen, Product, unused_code

pytestmark = pytest.mark.browser


class Walk:
    """One person's way through the pages; each page that is reached is checked and its picture kept."""

    def __init__(self, page: Page, product: Product, locale: str) -> None:
        self.page = page
        self.product = product
        self.locale = locale

    def see(self, name: str) -> None:
        check_page(self.page, name, self.locale)

    def go(self, path: str, name: str) -> None:
        self.page.goto(self.product.url + path)
        self.see(name)

    def press(self, element_id: str, name: str) -> None:
        press(self.page, f"#{element_id}")
        self.see(name)

    def sign_in(self, citizen: Citizen) -> None:
        self.page.fill("#username", citizen.uid)
        self.page.fill("#password", citizen.password)
        self.press("login-submit", "second-factor")
        self.second_factor(citizen)
        if self.page.locator("#consent-allow").count():
            self.see("consent")
            press(self.page, "#consent-allow")

    def second_factor(self, citizen: Citizen) -> None:
        if self.page.locator('button[value="totp"]').count():
            press(self.page, 'button[value="totp"]')
        self.page.fill("#otp", unused_code(citizen))
        press(self.page, "#otp-submit")


@pytest.mark.parametrize(("locale", "number"), [("ar", 0), ("fr", 1)])
def test_deposit_sign_in_see_share_open_verify(product: Product, new_page: NewPage, locale: str, number: int) -> None:
    citizen = product.citizens[number]
    administration, request, pdf = freshly_sealed(product, citizen.uid)
    deposited = deposit(product, machine(product, administration), request, pdf, secrets.token_urlsafe(12))
    assert deposited.status_code == 201, deposited.text
    document_id = deposited.json()["document_id"]

    walk = Walk(new_page(locale), product, locale)
    page = walk.page
    walk.go("/", "home")
    walk.go("/sign-in?return_to=/wallet", "sign-in")
    page.fill("#username", citizen.uid)
    page.fill("#password", "not the password")
    walk.press("login-submit", "sign-in-refused")
    walk.sign_in(citizen)
    assert page.url == f"{product.url}/wallet"
    walk.see("wallet")
    walk.go(f"/wallet/documents/{document_id}", "document")
    assert page.locator("img.picture, .page-picture img").count() >= 1
    walk.press("print", "printed-sheet")
    check_sheet(page, product.url, locale)

    walk.go(f"/wallet/shares/new?document={document_id}", "share-1-documents")
    page.check(f'input[value="{document_id}"]')
    press(page, page.locator("main form button[type=submit]").last)
    walk.see("share-2-recipient")
    page.fill("#recipient", "بنك الأطلس" if locale == "ar" else "Banque de l’Atlas")
    page.fill("#purpose", "فتح حساب" if locale == "ar" else "Ouvrir un compte")
    press(page, page.locator("main form button[type=submit]").last)
    walk.see("share-3-limits")
    page.fill("#openings", "٢" if locale == "ar" else "2")
    page.fill("#pin", "248 163")
    walk.press("share-limits-submit", "share-4-check")
    walk.press("share-submit", "share-link")
    link = page.locator("#link").input_value()
    walk.go("/wallet/shares", "shares")

    reader = Walk(new_page(locale), product, locale)
    reader.go(urlsplit(link).path, "link-landing")
    assert request["fields"].get("family_name", "\0") not in reader.page.content()
    reader.page.fill("#pin", "000000")
    reader.press("open-submit", "link-wrong-pin")
    reader.page.fill("#pin", "248163")
    reader.press("open-submit", "link-opened")
    picture = reader.page.locator(".page-picture img").first
    assert picture.evaluate("image => image.naturalWidth") > 300

    stranger = Walk(new_page(locale), product, locale)
    stranger.go("/verify", "verify")
    file = Path(product.home) / f"{locale}.pdf"
    file.write_bytes(pdf)
    stranger.page.set_input_files("#document", file)
    stranger.press("verify-submit", "verify-authentic")
    file.write_bytes(pdf.replace(b"/Producer", b"/Pruducer", 1) if b"/Producer" in pdf else pdf[:-200])
    stranger.go("/verify", "verify")
    stranger.page.set_input_files("#document", file)
    stranger.press("verify-submit", "verify-changed")

    walk.go("/wallet/history", "history")
    walk.go("/wallet/export", "export")
    walk.go("/wallet/erasure", "erasure")
    walk.go("/wallet/shares", "shares-opened")
    press(page, page.locator("main a[href^='/wallet/shares/']:not([href$='/new'])").first)
    walk.see("share")
    walk.press("revoke", "shares-after-revoke")
    stranger.go(urlsplit(link).path, "link-dead-landing")
    if stranger.page.locator("#pin").count():
        stranger.page.fill("#pin", "248163")
    if stranger.page.locator("#open-submit").count():
        stranger.press("open-submit", "link-dead")
    walk.go(f"/idp/account?lang={locale}", "account")
    walk.go(f"/idp/account/services?lang={locale}", "services")
    walk.go("/nowhere", "not-found")


@pytest.mark.parametrize(("locale", "number"), [("zgh", 2), ("en", 3)])
def test_the_other_languages_pass_the_same_checks(
    product: Product, new_page: NewPage, locale: str, number: int
) -> None:
    walk = Walk(new_page(locale), product, locale)
    walk.go("/", "home")
    walk.go("/sign-in?return_to=/wallet", "sign-in")
    walk.sign_in(product.citizens[number])
    walk.see("wallet")
    press(walk.page, walk.page.locator("main li:has(.tone-good) a[href^='/wallet/documents/']").first)
    walk.see("document")
    walk.press("print", "printed-sheet")
    check_sheet(walk.page, product.url, locale)
    walk.go("/wallet/shares", "shares")
    walk.go("/wallet/history", "history")
    walk.go("/wallet/export", "export")
    walk.go("/wallet/erasure", "erasure")
    walk.go("/verify", "verify")
    walk.go(f"/idp/account?lang={locale}", "account")
    walk.go(f"/idp/account/services?lang={locale}", "services")
    walk.go("/idp/activate", "activate")


_KEPT = """async () => ({
    local: localStorage.length, session: sessionStorage.length, cookies: document.cookie,
    workers: (await navigator.serviceWorker.getRegistrations()).length,
    caches: (await caches.keys()).length, databases: (await indexedDB.databases()).length})"""


def test_p_12_s_14_a_browser_keeps_nothing_asks_nobody_else_and_shows_nothing_after_signing_out(
    product: Product, new_page: NewPage
) -> None:
    # With scripts: what a page could keep it would keep by them.
    walk = Walk(new_page("fr", scripts=True), product, "fr")
    citizen = product.citizens[4]
    walk.page.goto(product.url + "/sign-in?return_to=/wallet")
    walk.sign_in(citizen)
    assert walk.page.url == f"{product.url}/wallet"
    for path in ("/wallet/history", "/wallet/shares", "/wallet/uploads", "/idp/account", "/wallet"):
        walk.page.goto(product.url + path)
        kept = {"local": 0, "session": 0, "workers": 0, "caches": 0, "databases": 0, "cookies": ""}
        assert walk.page.evaluate(_KEPT) == kept, path
    assert Watch.of(walk.page.context).hosts == {urlsplit(product.url).netloc}
    press(walk.page, "form[action='/sign-out'] button")
    if walk.page.locator("#logout-confirm").count():
        press(walk.page, "#logout-confirm")
    walk.page.go_back()
    walk.page.reload()
    assert citizen.name not in walk.page.content()
