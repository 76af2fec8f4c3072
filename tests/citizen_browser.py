"""A citizen's browser at the locker: cookies, forms read from the pages, and a provider that signs the citizen in."""

import re
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import httpx

from tests.locker_world import AMINA, ISSUER, LOCKER, TinyProvider, World, open_world

NAVIGATION = {"Accept": "text/html,application/xhtml+xml", "Accept-Language": "fr"}


class SigningInProvider(TinyProvider):
    """The tiny provider with the code flow: who comes to ``authorize`` is whom the test names."""

    def __init__(self) -> None:
        super().__init__()
        self.codes: dict[str, dict[str, str]] = {}
        self.changes: dict[str, Any] = {}
        """Claims of the next ID token that differ from what is right."""
        self.userinfo_sub: str | None = None

    def authorize(self, location: str, uid: str = AMINA) -> str:
        """The citizen agrees: where the browser goes next."""
        asked = dict(parse_qsl(urlsplit(location).query))
        assert location.startswith(f"{ISSUER}/authorize?")
        assert asked["code_challenge_method"] == "S256"
        code = secrets.token_urlsafe(24)
        self.codes[code] = {**asked, "sub": self.subjects[uid]}
        query = urlencode({"code": code, "state": asked["state"], "iss": ISSUER})
        return f"{asked['redirect_uri']}?{query}"

    def _answer(self, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, dict[str, Any]]:
        if path == "/.well-known/openid-configuration":
            status, metadata = super()._answer(path, body, headers)
            return status, {
                **metadata,
                "userinfo_endpoint": f"{ISSUER}/userinfo",
                "end_session_endpoint": f"{ISSUER}/end_session",
            }
        if path == "/token" and b"authorization_code" in body:
            form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
            asked = self.codes.pop(form["code"], None)
            if asked is None or form["redirect_uri"] != asked["redirect_uri"]:
                return 400, {"error": "invalid_grant"}
            return 200, {
                "access_token": asked["sub"],
                "token_type": "Bearer",
                "id_token": self._id_token(asked),
            }
        if path == "/userinfo":
            sub = headers["authorization"].removeprefix("Bearer ")
            return 200, {"sub": self.userinfo_sub or sub, "given_name#fr": "Amina", "family_name#fr": "Alaoui"}
        return super()._answer(path, body, headers)

    def _id_token(self, asked: dict[str, str]) -> str:
        now = int(time.time())
        claims = {
            "iss": ISSUER,
            "sub": asked["sub"],
            "aud": asked["client_id"],
            "nonce": asked["nonce"],
            "acr": "substantial",
            "auth_time": now,
            "iat": now,
            "exp": now + 300,
            "sid": "s1",
            **self.changes,
        }
        return self.keys.sign({name: value for name, value in claims.items() if value is not None}, typ="JWT")


@dataclass
class CitizenWorld:
    world: World
    app: Any
    provider: SigningInProvider

    def share_headers(self, uid: str = AMINA) -> dict[str, str]:
        """A wallet app's token that may read and share."""
        return self.world.citizen(uid, scope="documents:read documents:share")

    async def document(self, uid: str = AMINA, **changes: Any) -> str:
        """Deposited through the API; its id."""
        answer = await self.world.deposit(uid=uid, **changes)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["document_id"])

    async def share(self, *document_ids: str, uid: str = AMINA, **limits: Any) -> tuple[str, str]:
        """Made through the API: share_id and the link's path."""
        body = {"documents": list(document_ids), "recipient": "Banque X", "purpose": "Compte", **limits}
        answer = await self.world.locker.post("/v1/shares", headers=self.share_headers(uid), json=body)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["share_id"]), str(answer.json()["url"]).removeprefix(LOCKER)

    async def open(self, path: str, address: str = "198.51.100.9", **parts: Any) -> httpx.Response:
        """A program opens a link."""
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False, client=(address, 50_000))
        async with httpx.AsyncClient(transport=transport, base_url=LOCKER, timeout=60) as client:
            return await client.post(path, **parts)

    def browser(self, address: str = "192.0.2.1") -> "Browser":
        return Browser(self, address)

    async def signed_in(self, uid: str = AMINA) -> "Browser":
        browser = self.browser()
        await browser.sign_in(uid)
        return browser


@dataclass
class Browser:
    """Follows no redirect by itself; keeps cookies as a browser at http://localhost does."""

    home: CitizenWorld
    address: str
    cookies: dict[str, str] = field(default_factory=dict)

    async def get(self, path: str, **headers: str) -> httpx.Response:
        return await self._send("GET", path, headers=headers)

    async def post(self, path: str, data: Any = None, **parts: Any) -> httpx.Response:
        return await self._send("POST", path, data=data, **parts)

    async def submit(self, page: httpx.Response, **fields: Any) -> httpx.Response:
        """The page's own form with its hidden fields and ``fields``."""
        action, hidden = form_of(page)
        return await self.post(action, {**hidden, **fields})

    async def submit_sign_out(self) -> httpx.Response:
        page = await self.get("/wallet")
        csrf = re.search(r'name="csrf" value="([^"]+)"', page.text)
        return await self.post("/sign-out", {"csrf": csrf[1] if csrf else ""})

    async def sign_in(self, uid: str = AMINA, *, at: str = "/sign-in") -> httpx.Response:
        started = await self.get(at)
        assert started.status_code == 303, started.text
        back = self.home.provider.authorize(started.headers["location"], uid)
        finished = await self.get(back.removeprefix(LOCKER))
        assert finished.status_code == 303, finished.text
        return finished

    async def _send(self, method: str, path: str, *, headers: dict[str, str] | None = None, **parts: Any) -> Any:
        transport = httpx.ASGITransport(self.home.app, raise_app_exceptions=False, client=(self.address, 50_000))
        sent = {**NAVIGATION, **(headers or {})}
        if self.cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        async with httpx.AsyncClient(transport=transport, base_url=LOCKER, timeout=60) as client:
            answer = await client.request(method, path, headers=sent, **parts)
        for set_cookie in answer.headers.get_list("set-cookie"):
            name, _, rest = set_cookie.partition("=")
            value = rest.split(";", 1)[0].strip('"')
            if value:
                self.cookies[name] = value
            else:
                self.cookies.pop(name, None)
        return answer


_FORM = re.compile(r"<form\b([^>]*)>(.*?)</form>", re.DOTALL)
_HIDDEN = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)">')


def form_of(page: httpx.Response) -> tuple[str, dict[str, str]]:
    """Address and hidden fields of the page's own form: the last one that is not the sign-out."""
    forms = [
        (attributes, body) for attributes, body in _FORM.findall(page.text) if 'action="/sign-out"' not in attributes
    ]
    attributes, body = forms[-1]
    action = re.search(r'action="([^"]*)"', attributes)
    path = unescape(action[1]) if action else page.request.url.path
    return path, {unescape(name): unescape(value) for name, value in _HIDDEN.findall(body)}


@asynccontextmanager
async def open_citizen_world(dsns: Any, s3: Any, folder: Path, **changes: Any) -> AsyncIterator[CitizenWorld]:
    provider = SigningInProvider()
    async with open_world(dsns, s3, folder, provider=provider, **changes) as world:
        yield CitizenWorld(world, world.app, provider)
