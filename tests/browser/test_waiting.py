"""The pages on which a citizen answers a device or a service, in Chromium without JavaScript, in Arabic and French."""

import pytest

from tests.browser.conftest import NewPage
from tests.browser.page_checks import press
from tests.browser.test_main_job import Walk
from tests.journeys.test_waiting import ask, bank, begin_device, counter, poll
from tests.product import Product
from tests.waiting import CIBA, DEVICE_CODE

pytestmark = pytest.mark.browser


@pytest.mark.parametrize(("locale", "number"), [("ar", 5), ("fr", 6)])
def test_a_device_is_let_in_and_another_refused(product: Product, new_page: NewPage, locale: str, number: int) -> None:
    party = counter(product)
    begun = begin_device(product, party)
    walk = Walk(new_page(locale), product, locale)
    # Chosen by hand, the language is stronger than the citizen's own.
    walk.go(f"/idp/device?lang={locale}", "device-code")
    walk.page.fill("#user-code", "BBBB BBBB")
    walk.press("user-code-submit", "device-code-wrong")
    walk.page.fill("#user-code", begun["user_code"].lower().replace("-", " "))
    walk.press("user-code-submit", "device-sign-in")
    walk.sign_in(product.citizens[number])
    walk.see("device-confirm")
    assert walk.page.inner_text("#device-user-code") == begun["user_code"]
    walk.press("device-confirm", "device-consent")
    walk.press("consent-allow", "device-connected")
    assert poll(product, party, DEVICE_CODE, device_code=begun["device_code"]).status_code == 200

    stranger = begin_device(product, party)
    # A link fills in the code and skips nothing.
    walk.page.goto(stranger["verification_uri_complete"])
    press(walk.page, "#user-code-submit")
    walk.see("device-confirm-again")
    walk.press("device-deny", "device-refused")
    assert poll(product, party, DEVICE_CODE, device_code=stranger["device_code"]).json()["error"] == "access_denied"


@pytest.mark.parametrize(("locale", "number"), [("ar", 5), ("fr", 6)])
def test_a_service_is_let_in_and_then_shut_out(product: Product, new_page: NewPage, locale: str, number: int) -> None:
    party, citizen = bank(product), product.citizens[number]
    walk = Walk(new_page(locale), product, locale)
    walk.page.goto(f"{product.url}/idp/device?lang={locale}")
    walk.page.goto(f"{product.url}/idp/account/requests")
    walk.sign_in(citizen)
    walk.go("/idp/account/requests", "requests-none")
    begun = ask(product, party, citizen.uid)
    walk.go("/idp/account/requests", "requests")
    walk.press("open-1", "request-number")
    walk.press(f"number-{begun['number_to_match']}", "request-consent")
    walk.press("consent-allow", "request-allowed")
    assert poll(product, party, CIBA, auth_req_id=begun["auth_req_id"]).status_code == 200

    begun = ask(product, party, citizen.uid, binding_message="الطاولة 12" if locale == "ar" else "Table 12")
    walk.go("/idp/account/requests", "requests-again")
    walk.press("open-1", "request-words")
    walk.press("request-not-me", "requests-blocked")
    assert poll(product, party, CIBA, auth_req_id=begun["auth_req_id"]).json()["error"] == "access_denied"
    walk.press("unblock-1", "requests-unblocked")
