"""The provider as its relying parties and citizens meet it, in this process: the real app on a real database."""

import asyncio
import base64
import hashlib
import re
import secrets
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

import asyncpg
import httpx
import msgspec
from litestar import Litestar

from idp.app import create_app
from idp.citizens.enrol import enrol
from idp.citizens.schema import Enrolment
from idp.clients.register import register
from idp.clients.schema import ClientRegistration
from idp.keys.folder import create_missing
from idp.purposes.register_purpose import register_purpose
from idp.purposes.schema import Allowed, DocumentPurpose, Texts
from idp.sessions.cookies import SESSION_COOKIE
from idp.sessions.start import start
from idp.settings import IdpSettings
from idp.wiring import Wiring
from khizana.holder import Holder
from kit.jose import ASYMMETRIC, SigningKey, client_assertion

ORIGIN = "https://id.test"
ISSUER = f"{ORIGIN}/idp"
CALLBACK = "https://rp.test/callback"
RESOURCE = "https://locker.test"


@dataclass
class RelyingParty:
    """A registered client, and what it sends."""

    client_id: str
    secret: str | None = None
    key: SigningKey | None = None
    redirect_uri: str = CALLBACK
    issuer: str = ISSUER
    dpop: SigningKey | None = None
    """The key that its tokens are bound to."""
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(48))

    @property
    def challenge(self) -> str:
        digest = hashlib.sha256(self.verifier.encode()).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()

    def request(self, **changed: str | None) -> dict[str, str]:
        """Parameters of an authorization request; None takes one away."""
        parameters: dict[str, str | None] = {
            "client_id": self.client_id,
            "redirect_uri": self.redirect_uri,
            "response_type": "code",
            "scope": "openid profile",
            "state": "s-1",
            "nonce": "n-1",
            "code_challenge": self.challenge,
            "code_challenge_method": "S256",
            **changed,
        }
        return {name: value for name, value in parameters.items() if value is not None}

    def request_object(self, *, typ: str = "oauth-authz-req+jwt", key: SigningKey | None = None, **changed: Any) -> str:
        """The same request, signed (RFC 9101); members of the JWT are changed like parameters."""
        now = int(time.time())
        claims = {
            "iss": self.client_id,
            "aud": ISSUER,
            "nbf": now,
            "exp": now + 300,
            **self.request(),
            **changed,
        }
        signer = key or self.key
        assert signer is not None
        return signer.sign({name: value for name, value in claims.items() if value is not None}, typ=typ)

    def holder(self, access_token: str | None = None) -> httpx.Auth:
        """What adds its proofs to a request; nothing, where its tokens are bound to no key."""
        return Holder(self.dpop, access_token) if self.dpop else httpx.Auth()

    def authentication(self) -> dict[str, str]:
        if self.key is not None:
            return {
                "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
                "client_assertion": client_assertion(
                    self.key, client_id=self.client_id, audience=self.issuer, jti=secrets.token_urlsafe(16)
                ),
            }
        if self.secret is not None:
            return {"client_id": self.client_id, "client_secret": self.secret}
        return {"client_id": self.client_id}

    def exchange(self, code: str, **changed: str | None) -> dict[str, str]:
        parameters: dict[str, str | None] = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.redirect_uri,
            "code_verifier": self.verifier,
            **self.authentication(),
            **changed,
        }
        return {name: value for name, value in parameters.items() if value is not None}


@dataclass
class Provider:
    wiring: Wiring
    http: httpx.AsyncClient
    """A program: no cookies are kept."""
    owner_dsn: str
    transport: httpx.ASGITransport

    def browser(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            transport=self.transport, base_url=ORIGIN, headers={"Accept": "text/html"}, follow_redirects=False
        )

    async def owner(self, sql: str, *arguments: Any) -> list[Any]:
        """What an operator with the owner's role could do: move a clock's mark, look at every row."""
        connection = await asyncpg.connect(self.owner_dsn)
        try:
            return list(await connection.fetch(sql, *arguments))
        finally:
            await connection.close()

    async def client(self, **metadata: Any) -> RelyingParty:
        """``basic`` with client_secret_post, unless told otherwise."""
        key = SigningKey.generate("ES256") if metadata.get("token_endpoint_auth_method") == "private_key_jwt" else None
        registration: dict[str, Any] = {
            "profile": "basic",
            "sector": "test",
            "client_name": "A relying party",
            "redirect_uris": [CALLBACK],
            "token_endpoint_auth_method": "client_secret_post",
            "grant_types": ["authorization_code", "refresh_token"],
            "scope": "openid profile email phone address offline_access",
            **({"jwks": {"keys": [key.public_jwk]}} if key else {}),
            **metadata,
        }
        answer = await register(
            self.wiring.db,
            self.wiring.audit,
            msgspec.convert(registration, ClientRegistration),
            officer="test",
            production=False,
            fetcher=self.wiring.fetcher,
        )
        bound = answer.get("dpop_bound_access_tokens")
        dpop = SigningKey.generate("ES256") if bound else None
        return RelyingParty(answer["client_id"], secret=answer.get("client_secret"), key=key, dpop=dpop)

    async def purpose(self, party: RelyingParty, purpose_id: str, documents: dict[str, list[str] | None]) -> None:
        """Registered by an officer: type → fields, or None for the whole document. It says its id, and the language."""
        new = DocumentPurpose(
            client_id=party.client_id,
            purpose_id=purpose_id,
            purpose=Texts(**{tag: f"<{purpose_id}> {tag}" for tag in ("ar", "fr", "zgh", "en")}),
            documents=[Allowed(type=type_, fields=fields) for type_, fields in documents.items()],
        )
        await register_purpose(self.wiring.db, self.wiring.audit, new, officer="test")

    async def wallet(self, **metadata: Any) -> RelyingParty:
        return await self.client(profile="wallet", token_endpoint_auth_method="none", **metadata)

    async def fapi(self, profile: str = "fapi2", **metadata: Any) -> RelyingParty:
        """A client of one of the strict profiles, with private_key_jwt."""
        return await self.client(profile=profile, token_endpoint_auth_method="private_key_jwt", **metadata)

    async def push(self, party: RelyingParty, **parameters: str) -> httpx.Response:
        """What the client pushes is ``parameters``, and nothing else."""
        return await self.http.post("/idp/par", data={**parameters, **party.authentication()})

    async def pushed(self, party: RelyingParty, **changed: str | None) -> dict[str, str]:
        """The parameters of an authorization request whose request was pushed."""
        response = await self.push(party, **party.request(**changed))
        assert response.status_code == 201, response.text
        return {"client_id": party.client_id, "request_uri": response.json()["request_uri"]}

    async def citizen(self, **claims: Any) -> UUID:
        """Enrolled and active; without an authenticator, since sessions are started for it here."""
        enrolment = msgspec.convert(
            {
                "claims": {
                    "given_name#ar": "أمينة",
                    "family_name#ar": "العلوي",
                    "given_name#fr": "Amina",
                    "family_name#fr": "El Alaoui",
                    "birthdate": "1990-03-14",
                    "email": "amina@example.com",
                    "email_verified": True,
                    **claims,
                }
            },
            Enrolment,
        )
        enrolled = await enrol(
            self.wiring.db,
            self.wiring.audit,
            self.wiring.secrets,
            enrolment,
            officer="test",
            code_lifetime_s=3_600,
        )
        await self.owner("UPDATE idp.citizen SET state = 'active' WHERE citizen_id = $1", enrolled.citizen_id)
        return enrolled.citizen_id

    async def signed_in(self, citizen_id: UUID, *, acr: str = "substantial") -> httpx.AsyncClient:
        """A browser in which this citizen signed in just now."""
        amr = ["pwd", "otp", "mfa"] if acr == "substantial" else ["pwd"]
        started = await self.wiring.db.transact(
            lambda tx: start(
                tx,
                self.wiring.audit,
                citizen_id=citizen_id,
                acr=acr,  # type: ignore[arg-type]
                amr=amr,
                browser_label="test",
                lifetime_s=3_600,
            )
        )
        browser = self.browser()
        browser.cookies.set(SESSION_COOKIE, started.token, domain="id.test", path="/")
        return browser

    async def code(self, browser: httpx.AsyncClient, party: RelyingParty, **changed: str | None) -> str:
        """Authorize, allow where asked, and return the code."""
        response = await self.allowed(browser, party, **changed)
        return answer_of(response)["code"]

    async def allowed(self, browser: httpx.AsyncClient, party: RelyingParty, **changed: str | None) -> httpx.Response:
        """The redirect back to the relying party."""
        return await self.allowed_of(browser, party.request(**changed))

    async def allowed_of(self, browser: httpx.AsyncClient, parameters: Mapping[str, str]) -> httpx.Response:
        """The same, of an authorization request with just these parameters."""
        response = await browser.get("/idp/authorize", params=parameters)
        if response.headers.get("location", "").startswith("/idp/consent"):
            response = await press_allow(browser, response.headers["location"])
        return response

    async def tokens(self, browser: httpx.AsyncClient, party: RelyingParty, **changed: str | None) -> dict[str, Any]:
        code = await self.code(browser, party, **changed)
        response = await self.exchange(party, code)
        assert response.status_code == 200, response.text
        found: dict[str, Any] = response.json()
        return found

    async def exchange(self, party: RelyingParty, code: str, **changed: str | None) -> httpx.Response:
        return await self.token(party, party.exchange(code, **changed))

    async def token(self, party: RelyingParty, form: dict[str, str]) -> httpx.Response:
        """A request to the token endpoint, with a proof of the party's key if it has one."""
        return await self.http.post("/idp/token", data=form, auth=party.holder())

    async def userinfo(self, access_token: str, party: RelyingParty | None = None) -> httpx.Response:
        """As a bearer token, or with a proof of the party's key."""
        if party is not None and party.dpop is not None:
            return await self.http.get("/idp/userinfo", auth=party.holder(access_token))
        return await self.http.get("/idp/userinfo", headers={"Authorization": f"Bearer {access_token}"})

    async def refresh(self, party: RelyingParty, refresh_token: str, **changed: str) -> httpx.Response:
        return await self.token(
            party,
            {"grant_type": "refresh_token", "refresh_token": refresh_token, **party.authentication(), **changed},
        )


async def press_allow(browser: httpx.AsyncClient, location: str) -> httpx.Response:
    page = await browser.get(location)
    assert page.status_code == 200, page.text
    response = await browser.post(location, data={"csrf": csrf_of(page), "decision": "allow"})
    assert response.status_code == 303, response.text
    return await browser.get(response.headers["location"])


def csrf_of(page: httpx.Response) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', page.text)
    assert found, page.text
    return found[1]


def answer_of(response: httpx.Response) -> dict[str, str]:
    """Parameters of an authorization response."""
    assert response.status_code == 303, response.text
    return dict(parse_qsl(urlsplit(response.headers["location"]).query, keep_blank_values=True))


@cache
def signing_keys() -> dict[str, bytes]:
    """Made once in a test process: an RSA key takes longer than most tests."""
    with tempfile.TemporaryDirectory(prefix="khizana-keys-") as folder:
        create_missing(Path(folder), ASYMMETRIC)
        return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


@asynccontextmanager
async def lived(app: Litestar) -> AsyncIterator[None]:
    """The app's lifespan in a task of its own: a fixture is set up and torn down in two different ones."""
    ready, over = asyncio.Event(), asyncio.Event()

    async def live() -> None:
        async with app.lifespan():
            ready.set()
            await over.wait()

    task = asyncio.create_task(live())
    waiting = asyncio.create_task(ready.wait())
    await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        task.result()
    try:
        yield
    finally:
        over.set()
        await task


@asynccontextmanager
async def running_provider(idp_dsn: str, owner_dsn: str, **settings: Any) -> AsyncIterator[Provider]:
    with tempfile.TemporaryDirectory(prefix="khizana-keys-") as folder:
        for name, pem in signing_keys().items():
            (Path(folder) / name).write_bytes(pem)
        app = create_app(
            IdpSettings(
                **{
                    "mode": "embedded",
                    "issuer": ISSUER,
                    "database_url": idp_dsn,
                    "secret": "0123456789abcdef" * 4,
                    "keys_folder": Path(folder),
                    # What it answers is asked, not how soon: the machine may be busy with other tests.
                    "connections_wait_s": 5.0,
                    **settings,
                }
            )
        )
        transport = httpx.ASGITransport(app=app, client=("192.0.2.1", 1))  # type: ignore[arg-type]
        async with lived(app), httpx.AsyncClient(transport=transport, base_url=ORIGIN) as http:
            connection = await asyncpg.connect(owner_dsn)
            await connection.execute(
                "INSERT INTO idp.resource (resource, name, scopes) VALUES ($1, 'Locker', $2) ON CONFLICT DO NOTHING",
                RESOURCE,
                ["documents:read", "documents:share", "documents:deposit"],
            )
            await connection.close()
            yield Provider(app.state.wiring, http, owner_dsn, transport)
