"""Other OpenID providers beside ours: a second one of our own make, and one that lies as it is told."""

import html
import re
import secrets
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

import httpx
import msgspec

from idp.upstream.register import register
from idp.upstream.schema import RegistrationInput
from kit.jose import SigningKey
from tests.conftest import Dsns
from tests.people import Person
from tests.provider import ORIGIN, Provider, csrf_of, running_provider

NAMES = {"ar": "طرف ثالث", "fr": "Tiers de confiance", "zgh": "ⴰⵎⵙⵉⴷⴰⵏ", "en": "Trusted third party"}
THIRD_PARTY = "https://ttp.test/idp"
LIAR = "https://liar.test"


class ByHost(httpx.AsyncBaseTransport):
    """The network of a test."""

    def __init__(self, hosts: dict[str, httpx.AsyncBaseTransport]) -> None:
        self.hosts = hosts

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.host not in self.hosts:
            raise httpx.ConnectError("nobody is there")
        return await self.hosts[request.url.host].handle_async_request(request)


@dataclass
class Neighbours:
    idp: Provider
    third_party: Provider
    liar: "Liar"
    network: ByHost

    @asynccontextmanager
    async def browser(self) -> AsyncIterator[httpx.AsyncClient]:
        async with httpx.AsyncClient(
            transport=self.network, base_url=ORIGIN, headers={"Accept": "text/html", "Accept-Language": "en"}
        ) as browser:
            yield browser

    async def register(self, slug: str, issuer: str, **changed: Any) -> dict[str, Any]:
        wanted = {"slug": slug, "issuer": issuer, "client_id": "khizana", "display_name": NAMES, **changed}
        wiring = self.idp.wiring
        return await register(
            wiring.db,
            wiring.audit,
            wiring.upstreams,
            msgspec.convert(wanted, RegistrationInput),
            our_issuer=wiring.settings.issuer,
            loopback_allowed=False,
            officer="test",
        )


@asynccontextmanager
async def neighbours(ours: Dsns, theirs: Dsns) -> AsyncIterator[Neighbours]:
    async with (
        running_provider(ours.idp, ours.owner) as idp,
        running_provider(theirs.idp, theirs.owner, issuer=THIRD_PARTY, secret="fedcba9876543210" * 4) as third_party,
    ):
        liar = Liar()
        network = ByHost({"id.test": idp.transport, "ttp.test": third_party.transport, "liar.test": liar.transport})
        idp.wiring.upstreams.wire.inner = network
        yield Neighbours(idp, third_party, liar, network)


async def know_each_other(them: Neighbours) -> None:
    """Our provider is a relying party of the third party, with private_key_jwt."""
    told = await them.register("ttp", THIRD_PARTY, acr={"substantial": "substantial", "high": "high"})
    await them.third_party.client(
        client_id="khizana",
        client_name="Khizana",
        sector="khizana",
        token_endpoint_auth_method="private_key_jwt",
        redirect_uris=[told["redirect_uri"]],
        grant_types=["authorization_code"],
        scope="openid",
        jwks=told["jwks"],
    )


async def sent_away(browser: httpx.AsyncClient, slug: str, *, query: str = "", page: str | None = None) -> str:
    """Press the provider's button; where it leads."""
    shown = await browser.get(page or f"/idp/sign-in{query}")
    answer = await browser.post(f"/idp/upstream/{slug}{query}", data={"csrf": csrf_of(shown)})
    assert answer.status_code == 200, answer.text or answer.headers.get("location")
    found = re.search(r'href="([^"]+)" id="upstream-onward"', answer.text)
    assert found, answer.text
    url = html.unescape(found[1])
    assert answer.headers["refresh"] == f"0; url={url}"
    return url


async def signed_in_there(browser: httpx.AsyncClient, url: str, person: Person, *, until: str = ORIGIN) -> str:
    """Sign in at the third party's own pages, allow, and be sent back: the address, unopened."""
    answer = await onward(browser, url, until=until)
    answer = await _submit(browser, answer, username=person.uid, password=person.password)
    answer = await _submit(browser, answer, otp=person.otp())
    if 'id="consent-allow"' in answer.text:
        answer = await _submit(browser, answer, decision="allow")
    return urljoin(str(answer.request.url), answer.headers["location"])


async def onward(browser: httpx.AsyncClient, url: str, *, until: str) -> httpx.Response:
    """Along redirects, up to one that leads to ``until``."""
    answer = await browser.get(url)
    while answer.status_code == 303:
        target = urljoin(str(answer.request.url), answer.headers["location"])
        if target.startswith(until):
            return answer
        answer = await browser.get(target)
    assert answer.status_code == 200, answer.text
    return answer


async def _submit(browser: httpx.AsyncClient, page: httpx.Response, **fields: str) -> httpx.Response:
    here = str(page.request.url)
    answer = await browser.post(here, data={"csrf": csrf_of(page), **fields})
    assert answer.status_code == 303, answer.text
    target = urljoin(here, answer.headers["location"])
    if urlsplit(target).netloc != urlsplit(here).netloc:
        return answer
    return await onward(browser, target, until=ORIGIN)


@dataclass
class Liar:
    """A provider with no conscience: what it says next is what the test put into ``changes`` and ``answer``."""

    issuer: str = LIAR
    key: SigningKey = field(default_factory=lambda: SigningKey.generate("ES256"))
    metadata: dict[str, Any] = field(default_factory=dict)
    changes: dict[str, Any] = field(default_factory=dict)
    """Claims of the next ID token that differ from what is right; None takes one away."""
    id_token: Any = None
    """Makes the next ID token of the claims, in place of ``key``."""
    requests: list[httpx.Request] = field(default_factory=list)
    asked: dict[str, dict[str, str]] = field(default_factory=dict)
    """Code → the authentication request that it answers."""

    @property
    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(self._answer)

    def code_for(self, url: str, *, sub: str = "u-1", **answer: str | None) -> str:
        """Somebody signs in there: the address to which the browser is sent back."""
        asked = dict(parse_qsl(urlsplit(url).query))
        code = secrets.token_urlsafe(24)
        self.asked[code] = {**asked, "sub": sub}
        parameters = {"code": code, "state": asked["state"], "iss": self.issuer, **answer}
        return f"{asked['redirect_uri']}?{urlencode({k: v for k, v in parameters.items() if v is not None})}"

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        match request.url.path:
            case "/.well-known/openid-configuration":
                metadata = {
                    "issuer": self.issuer,
                    "authorization_endpoint": f"{self.issuer}/authorize",
                    "token_endpoint": f"{self.issuer}/token",
                    "jwks_uri": f"{self.issuer}/jwks",
                    "response_types_supported": ["code"],
                    "code_challenge_methods_supported": ["S256"],
                    "id_token_signing_alg_values_supported": ["ES256", "HS256"],
                    "authorization_response_iss_parameter_supported": True,
                    **self.metadata,
                }
                return httpx.Response(200, json=metadata)
            case "/jwks":
                return httpx.Response(200, json={"keys": [self.key.public_jwk]})
            case "/authorize":
                # Over a real wire: somebody signs in there at once.
                return httpx.Response(303, headers={"Location": self.code_for(str(request.url))})
            case "/token":
                return self._token(dict(parse_qsl(request.content.decode())))
        return httpx.Response(404)

    def _token(self, form: dict[str, str]) -> httpx.Response:
        asked = self.asked.pop(form.get("code", ""), None)
        if asked is None:
            return httpx.Response(400, json={"error": "invalid_grant"})
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "sub": asked["sub"],
            "aud": asked["client_id"],
            "nonce": asked["nonce"],
            "iat": now,
            "exp": now + 300,
            "auth_time": now,
            "acr": "loa2",
            **self.changes,
        }
        claims = {name: value for name, value in claims.items() if value is not None}
        id_token = self.id_token(claims) if self.id_token else self.key.sign(claims, typ="JWT")
        return httpx.Response(200, json={"access_token": "at", "token_type": "Bearer", "id_token": id_token})


@contextmanager
def served(liar: Liar) -> Iterator[Liar]:
    """Over real HTTP, on this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._pass_on(b"")

        def do_POST(self) -> None:
            self._pass_on(self.rfile.read(int(self.headers["Content-Length"])))

        def _pass_on(self, content: bytes) -> None:
            answer = liar._answer(httpx.Request(self.command, f"{liar.issuer}{self.path}", content=content))
            self.send_response(answer.status_code)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.content)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("localhost", 0), Handler)
    liar.issuer = f"http://localhost:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield liar
    finally:
        server.shutdown()
        server.server_close()
