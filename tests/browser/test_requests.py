"""What a service asks for and how it gets its answer, in Chromium: documents in words, a form that sends itself."""

import datetime as dt
import json
from typing import Any
from urllib.parse import parse_qs, urlencode

import pytest
from playwright.sync_api import Request, Route

from tests.browser.conftest import NewPage
from tests.browser.page_checks import press
from tests.browser.test_main_job import Walk
from tests.journeys.test_waiting import registered
from tests.product import Product
from tests.provider import RelyingParty

pytestmark = pytest.mark.browser
CALLBACK = "http://localhost:9099/callback"
DETAILS: list[dict[str, Any]] = [
    {
        "type": "locker_document",
        "document_types": ["BIRTHEXTRACT", "RESIDENCE"],
        "fields": ["birthdate", "address"],
        "purpose": "account",
        "once": True,
    },
    {
        "type": "locker_document",
        "document_types": ["TAXSTATUS", "XCODE99"],
        "purpose": "follow-up",
        "until": (dt.datetime.now(dt.UTC).date() + dt.timedelta(days=90)).isoformat(),
    },
]


def service(product: Product) -> RelyingParty:
    party = registered(
        product,
        profile="basic",
        client_name="A service",
        redirect_uris=[CALLBACK],
        authorization_details_types=["locker_document"],
        token_endpoint_auth_method="client_secret_post",
    )
    party.redirect_uri = CALLBACK
    for purpose_id, detail in (("account", DETAILS[0]), ("follow-up", DETAILS[1])):
        texts = {tag: f"{purpose_id} · {tag}" for tag in ("ar", "fr", "zgh", "en")}
        purpose = {
            "client_id": party.client_id,
            "purpose_id": purpose_id,
            "names": texts,
            "purpose": texts,
            "documents": [{"type": type_, "fields": detail.get("fields")} for type_ in detail["document_types"]],
        }
        done = product.khizana("purpose", "register", "--file", "-", stdin=json.dumps(purpose))
        assert done.returncode == 0, done.stderr
    return party


def address(product: Product, party: RelyingParty, **changed: str) -> str:
    return f"{product.issuer}/authorize?{urlencode(party.request(**changed))}"


@pytest.mark.parametrize(("locale", "number"), [("ar", 0), ("zgh", 2)])
def test_documents_are_asked_for_in_words(product: Product, new_page: NewPage, locale: str, number: int) -> None:
    party = service(product)
    walk = Walk(new_page(locale), product, locale)
    walk.page.goto(address(product, party, authorization_details=json.dumps(DETAILS), ui_locales=locale))
    walk.page.fill("#username", product.citizens[number].uid)
    walk.page.fill("#password", product.citizens[number].password)
    press(walk.page, "#login-submit")
    walk.second_factor(product.citizens[number])
    walk.see("consent-documents")
    for said in ("XCODE99", f"account · {locale}", f"follow-up · {locale}"):
        assert said in walk.page.inner_text("main")


def test_form_post_sends_itself_where_scripts_run(product: Product, new_page: NewPage) -> None:
    party = service(product)
    page = new_page("fr", scripts=True)
    sent: list[dict[str, list[str]]] = []

    def receive(route: Route, request: Request) -> None:
        sent.append(parse_qs(request.post_data or ""))
        route.fulfill(body="<!doctype html><title>Back</title>")

    page.route(f"{CALLBACK}**", receive)
    page.goto(address(product, party, prompt="none", response_mode="form_post"))
    page.wait_for_url(f"{CALLBACK}**")
    assert page.title() == "Back"
    assert [answer["error"] for answer in sent] == [["login_required"]]
    assert sent[0]["iss"] == [product.issuer]
