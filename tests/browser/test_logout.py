"""Signing out in Chromium without JavaScript: services in this browser are told by frames, and the way leads on."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest

from tests.browser.conftest import NewPage
from tests.browser.page_checks import Watch, press
from tests.browser.test_main_job import Walk
from tests.journeys.test_waiting import registered
from tests.product import Product

pytestmark = pytest.mark.browser


class Service(ThreadingHTTPServer):
    """A relying party's web server: every address answers with a page, and is remembered."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[str] = []

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def queries(self, path: str) -> list[dict[str, list[str]]]:
        return [parse_qs(urlsplit(asked).query) for asked in self.asked if urlsplit(asked).path == path]


class _Handler(BaseHTTPRequestHandler):
    server: Service

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        body = b"<!doctype html><title>A service</title><h1>A service</h1>"
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def service() -> Iterator[Service]:
    server = Service()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("locale", ["ar", "fr"])
def test_a_service_in_this_browser_is_told_and_the_way_leads_on(
    product: Product, new_page: NewPage, service: Service, locale: str
) -> None:
    party = registered(
        product,
        profile="basic",
        client_name="A service",
        token_endpoint_auth_method="client_secret_post",
        redirect_uris=[f"{service.origin}/callback"],
        post_logout_redirect_uris=[f"{service.origin}/bye"],
        frontchannel_logout_uri=f"{service.origin}/out",
        frontchannel_logout_session_required=True,
    )
    party.redirect_uri = f"{service.origin}/callback"
    citizen = [one for one in product.citizens if one.locale == locale][-1]
    walk = Walk(new_page(locale), product, locale)
    page = walk.page

    def sign_in() -> str:
        Watch.of(page.context).hosts.clear()
        page.goto(f"{product.issuer}/authorize?{urlencode(party.request(prompt='login'))}")
        walk.sign_in(citizen)
        page.wait_for_url(f"{service.origin}/callback?*")
        Watch.of(page.context).hosts.clear()
        code = service.queries("/callback")[-1]["code"][0]
        tokens = httpx.post(f"{product.issuer}/token", data=party.exchange(code)).json()
        return str(tokens["id_token"])

    hint = sign_in()
    bad = {"id_token_hint": hint, "post_logout_redirect_uri": f"{service.origin}/elsewhere"}
    page.goto(f"{product.issuer}/end-session?{urlencode(bad)}")
    walk.see("logout-refused")
    asked = {"id_token_hint": hint, "post_logout_redirect_uri": f"{service.origin}/bye", "state": "s 1"}
    page.goto(f"{product.issuer}/end-session?{urlencode(asked)}")
    page.wait_for_url(f"{service.origin}/bye?*")
    assert [query["iss"] for query in service.queries("/out")] == [[product.issuer]]
    assert service.queries("/bye") == [{"state": ["s 1"]}]

    hint = sign_in()
    page.goto(f"{product.issuer}/end-session")
    walk.see("logout-confirm")
    press(page, "#logout-confirm")
    page.wait_for_load_state("networkidle")
    Watch.of(page.context).hosts.discard(urlsplit(service.origin).netloc)
    walk.see("logout-signed-out")
    assert len(service.queries("/out")) == 2
    first, second = (query["sid"] for query in service.queries("/out"))
    assert first != second
