"""What the measures need to be there, made by the project's own actions and over HTTP, and only when a measure asks."""

import asyncio
import base64
import hashlib
import json
import re
import secrets
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlencode, urlsplit

import aiohttp
import msgspec

import idp
from bench.paper import Press
from bench.product import Product
from idp.activation.choose_password import choose_password
from idp.activation.finish import finish
from idp.activation.open_code import open_code
from idp.activation.schema import Activation
from idp.authenticators.set_up_totp import proposed
from idp.authenticators.totp import code_at, step_at
from idp.citizens.enrol import enrol
from idp.citizens.schema import Enrolment
from idp.clients.register import register as register_client
from idp.clients.schema import ClientRegistration
from idp.keys.secrets import Secrets
from idp.messages.post import Post
from idp.sessions.cookies import SESSION_COOKIE
from idp.sessions.start import start
from khizana.demo.pki import Pki, SealOrder, load_or_create
from khizana.say import say
from kit.audit import Audit
from kit.db import Database
from kit.dpop import prove
from kit.jose import LocalKeySet, SigningKey, client_assertion
from kit.offload import Offload
from kit.pages import Pages
from kit.throttle import Throttle
from locker.administrations.register import register as register_administration
from locker.administrations.schema import AdministrationRegistration, Names
from locker.catalogue.register_type import register_type
from locker.catalogue.schema import TypeRegistration
from locker.trust.add import add
from locker.trust.schema import TrustAddition

T = TypeVar("T")

ADMINISTRATION, TYPE = "ma.gov.bench", "BENCH"
RP, RP_LOW, WALLET, MACHINE, OFFICER = "bench-rp", "bench-rp-low", "bench-wallet", "bench-machine", "bench"
FAPI2 = "bench-fapi2"
CALLBACK = "https://rp.example/callback"
PASSWORD = "Zellige vert 42 matin"
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
_BOUNDARY = "khizana-bench-boundary"
AT_ONCE = 16
DATABASE_CONNECTIONS = 8


class PreparationFailed(Exception):
    """The product did not do what every client may ask of it."""


@dataclass
class Citizen:
    uid: str
    citizen_id: Any
    totp_secret: bytes
    step_used: int
    session: str = ""
    address: str = ""


@dataclass(frozen=True)
class Client:
    client_id: str
    secret: str | None = None
    key: SigningKey | None = None
    dpop: SigningKey | None = None
    scope: str = "openid profile"
    resource: str | None = None


@dataclass(frozen=True)
class Held:
    """A token that is bound to a key, or the key alone where the token is still to be asked for."""

    key: SigningKey
    origin: str
    token: str | None = None

    def headers(self, method: str, path: str) -> dict[str, str]:
        proof = prove(self.key, method=method, url=self.origin + path, access_token=self.token)
        return {"DPoP": proof} if self.token is None else {"Authorization": f"DPoP {self.token}", "DPoP": proof}

    def told(self) -> dict[str, Any]:
        """For the load program, which proves each request by itself."""
        return {"key": self.key.pem().decode(), "origin": self.origin, "token": self.token}


@dataclass
class World:
    product: Product
    folder: Path
    http: aiohttp.ClientSession
    idp_db: Database
    locker_db: Database
    citizens_count: int
    stack: AsyncExitStack
    _made: dict[str, "asyncio.Task[Any]"] = field(default_factory=dict)

    @classmethod
    async def open(cls, product: Product, stack: AsyncExitStack, *, citizens_count: int) -> "World":
        folder = product.home.folder / "bench"
        folder.mkdir(exist_ok=True)
        idp_settings, locker_settings = product.deployment.idp_settings(), product.deployment.locker_settings()
        idp_db = await Database.connect(idp_settings.database_url, connections_max=DATABASE_CONNECTIONS)
        stack.push_async_callback(idp_db.close)
        locker_db = await Database.connect(locker_settings.database_url, connections_max=DATABASE_CONNECTIONS)
        stack.push_async_callback(locker_db.close)
        jar = aiohttp.DummyCookieJar()
        # The server ends a connection on which nothing is asked; a POST that meets its end fails.
        connector = aiohttp.TCPConnector(keepalive_timeout=4)
        http = await stack.enter_async_context(
            aiohttp.ClientSession(connector=connector, cookie_jar=jar, trust_env=False)
        )
        return cls(product, folder, http, idp_db, locker_db, citizens_count, stack)

    @property
    def url(self) -> str:
        return self.product.home.url

    @property
    def issuer(self) -> str:
        return self.product.home.issuer

    async def _once(self, name: str, make: Callable[[], Awaitable[T]]) -> T:
        if name not in self._made:
            self._made[name] = asyncio.ensure_future(make())
        made: T = await self._made[name]
        return made

    # -- people and clients ----------------------------------------------------------------------------------------

    async def clients(self) -> dict[str, Client]:
        return await self._once("clients", self._register_clients)

    async def citizens(self) -> list[Citizen]:
        """Active, with a password and an authenticator app; each from an address of its own."""
        return await self._once("citizens", self._enrol)

    async def _register_clients(self) -> dict[str, Client]:
        rp: dict[str, Any] = {
            "profile": "basic",
            "token_endpoint_auth_method": "client_secret_post",
            "redirect_uris": [CALLBACK],
        }
        rp |= {"grant_types": ["authorization_code", "refresh_token"], "scope": "openid profile email"}
        key = SigningKey.generate("ES256")
        clients = [
            await self._register(RP, **rp),
            await self._register(RP_LOW, **rp, default_acr_values=["low"]),
            await self._register(
                WALLET,
                profile="wallet",
                # The locker's own: a wallet knows the citizen as the locker does.
                sector="khizana-locker",
                token_endpoint_auth_method="none",
                redirect_uris=[CALLBACK],
                grant_types=["authorization_code", "refresh_token"],
                scope="openid profile documents:read documents:share",
            ),
            await self._register(
                FAPI2,
                key=key,
                profile="fapi2",
                token_endpoint_auth_method="private_key_jwt",
                redirect_uris=[CALLBACK],
                grant_types=["authorization_code", "refresh_token"],
                scope="openid profile",
                jwks=LocalKeySet([key]).jwks(),
            ),
            await self._register(
                MACHINE,
                key=key,
                profile="machine",
                token_endpoint_auth_method="private_key_jwt",
                grant_types=["client_credentials"],
                scope="documents:deposit",
                jwks=LocalKeySet([key]).jwks(),
            ),
        ]
        return {client.client_id: client for client in clients}

    async def _register(self, client_id: str, *, key: SigningKey | None = None, **metadata: Any) -> Client:
        wanted = {"client_id": client_id, "client_name": client_id, "sector": client_id, **metadata}
        registration = msgspec.convert(wanted, ClientRegistration)
        answer = await register_client(self.idp_db, Audit("idp"), registration, officer=OFFICER, production=False)
        resource = self.url if client_id == WALLET else None
        scope = metadata["scope"].replace("openid profile ", "") if client_id == WALLET else metadata["scope"]
        dpop = SigningKey.generate("ES256") if answer.get("dpop_bound_access_tokens") else None
        secret = answer.get("client_secret")
        return Client(client_id, secret=secret, key=key, dpop=dpop, scope=scope, resource=resource)

    async def _enrol(self) -> list[Citizen]:
        say(f"enrolling and activating {self.citizens_count} citizens")
        passwords = Offload("bench-passwords", threads=2, waiting_max=self.citizens_count)
        self.stack.callback(passwords.close)
        secrets_ = Secrets(bytes.fromhex(self.product.deployment.idp_settings().secret))
        pages = Pages({"idp": Path(idp.__path__[0])}, static_prefix="/idp/static", home="/idp/account")
        parts = Activation(
            db=self.idp_db,
            audit=Audit("idp"),
            throttle=Throttle("idp"),
            secrets=secrets_,
            passwords=passwords,
            post=Post(secrets_, pages),
            one_time_code_lifetime_s=600,
        )
        return await gathered([self._enrol_one(parts, number) for number in range(self.citizens_count)])

    async def _enrol_one(self, parts: Activation, number: int) -> Citizen:
        claims = {
            "given_name#ar": "أمينة",
            "family_name#ar": "العلوي",
            "given_name#fr": "Amina",
            "family_name#fr": "El Alaoui",
            "given_name#zgh": "ⴰⵎⵉⵏⴰ",
            "family_name#zgh": "ⵍⵄⵍⴰⵡⵉ",
            "birthdate": "1990-03-14",
            "gender": "female",
            "email": f"bench{number}@example.org",
            "phone_number": f"+212600{number:06d}",
        }
        enrolment = msgspec.convert({"claims": claims}, Enrolment)
        enrolled = await enrol(parts.db, parts.audit, parts.secrets, enrolment, officer=OFFICER, code_lifetime_s=3_600)
        assert enrolled.activation_code is not None
        browser, address = secrets.token_bytes(32), f"10.0.{number // 250}.{number % 250 + 1}"
        opened = await open_code(
            parts, uid=enrolled.uid, code=enrolled.activation_code, browser_sha256=browser, address_prefix=address
        )
        assert opened
        secret = await proposed(parts.db, parts.secrets, enrolled.citizen_id)
        await choose_password(parts, browser_sha256=browser, password=PASSWORD)
        step = step_at(time.time()) - 1
        done = await finish(parts, browser_sha256=browser, method="totp", typed=code_at(secret, step))
        assert done == enrolled.uid
        return Citizen(enrolled.uid, enrolled.citizen_id, secret, step, address=address)

    # -- tokens ----------------------------------------------------------------------------------------------------

    async def session(self, citizen: Citizen) -> str:
        """Of a browser in which the citizen signed in some time ago."""
        if not citizen.session:
            started = await self.idp_db.transact(
                lambda tx: start(
                    tx,
                    Audit("idp"),
                    citizen_id=citizen.citizen_id,
                    acr="substantial",
                    amr=["pwd", "otp", "mfa"],
                    browser_label="bench",
                    lifetime_s=3_600,
                )
            )
            citizen.session = started.token
        return citizen.session

    async def consented(self, client_id: str) -> None:
        """Every citizen has let this client in before."""

        async def all_() -> None:
            say(f"giving consent to {client_id}")
            citizens = await self.citizens()
            await gathered([self.code(citizen, client_id) for citizen in citizens])

        await self._once(f"consented {client_id}", all_)

    def request(self, client: Client) -> dict[str, str]:
        """An authorization request without what is fresh in each."""
        parameters = {
            "client_id": client.client_id,
            "redirect_uri": CALLBACK,
            "response_type": "code",
            "scope": client.scope,
        }
        return {**parameters, "resource": client.resource} if client.resource else parameters

    def exchange(self, client: Client) -> dict[str, str]:
        """A code exchange without its code and its verifier."""
        form = {"grant_type": "authorization_code", "redirect_uri": CALLBACK, "client_id": client.client_id}
        return {**form, "client_secret": client.secret} if client.secret else form

    async def code(self, citizen: Citizen, client_id: str) -> tuple[str, str]:
        """A fresh code and its verifier, in a session; allowed on the consent page where that comes."""
        client = (await self.clients())[client_id]
        verifier = secrets.token_urlsafe(48)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        parameters = {**self.request(client), "state": "s", "nonce": "n", "code_challenge": challenge}
        parameters["code_challenge_method"] = "S256"
        cookies = {SESSION_COOKIE: await self.session(citizen)}
        if client_id == FAPI2:
            pushed = await self.post_form("/idp/par", {**parameters, **self.authentication(client)}, status=201)
            parameters = {"client_id": client_id, "request_uri": pushed["request_uri"]}
        path = f"/idp/authorize?{urlencode(parameters)}"
        location = await self._browse(cookies, "GET", path)
        if "/consent" in location:
            page = await self._browse(cookies, "GET", location)
            csrf = re.search(r'name="csrf" value="([^"]+)"', page)
            assert csrf, page
            form = urlencode({"csrf": csrf[1], "decision": "allow"})
            location = await self._browse(cookies, "GET", await self._browse(cookies, "POST", location, form))
        answer = dict(parse_qsl(urlsplit(location).query))
        if "code" not in answer:
            raise PreparationFailed(f"no code: {location}")
        return answer["code"], verifier

    async def _browse(self, cookies: dict[str, str], method: str, path: str, body: str | None = None) -> str:
        """Where a redirect leads, or the page."""
        headers = {"Accept": "text/html", "Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}
        headers |= FORM if body is not None else {}
        request = self.http.request(method, self.url + path, headers=headers, data=body, allow_redirects=False)
        async with request as answer:
            for line in answer.headers.getall("Set-Cookie", ()):
                name, _, value = line.partition(";")[0].partition("=")
                cookies[name] = value
            text = await answer.text()
            if answer.status == 303:
                return answer.headers["Location"]
            if answer.status != 200:
                raise PreparationFailed(f"{method} {path.partition('?')[0]}: {answer.status} {text[:500]}")
            return text

    async def tokens(self, citizen: Citizen, client_id: str) -> dict[str, Any]:
        client = (await self.clients())[client_id]
        code, verifier = await self.code(citizen, client_id)
        form = {**self.exchange(client), "code": code, "code_verifier": verifier}
        if client.resource:
            form["resource"] = client.resource
        return await self.post_form("/idp/token", form, self.holder(client))

    def holder(self, client: Client) -> Held | None:
        return Held(client.dpop, self.url) if client.dpop else None

    async def bearer(self, citizen: Citizen, client_id: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {(await self.tokens(citizen, client_id))['access_token']}"}

    async def wallet(self, citizen: Citizen) -> Held:
        client = (await self.clients())[WALLET]
        assert client.dpop is not None
        return Held(client.dpop, self.url, (await self.tokens(citizen, WALLET))["access_token"])

    async def machine(self) -> Held:
        client = (await self.clients())[MACHINE]
        assert client.dpop is not None
        answer = await self.post_form("/idp/token", self.client_credentials(client), self.holder(client))
        return Held(client.dpop, self.url, answer["access_token"])

    def client_credentials(self, client: Client) -> dict[str, str]:
        return {"grant_type": "client_credentials", "scope": client.scope, **self.authentication(client)}

    def authentication(self, client: Client) -> dict[str, str]:
        """private_key_jwt: each is good once, within a minute."""
        assert client.key is not None
        assertion = client_assertion(
            client.key, client_id=client.client_id, audience=self.issuer, jti=secrets.token_urlsafe(16)
        )
        return {
            "client_id": client.client_id,
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": assertion,
        }

    async def post_form(
        self, path: str, form: dict[str, str], holder: Held | None = None, *, status: int = 200
    ) -> dict[str, Any]:
        headers = {**FORM, **holder.headers("POST", path)} if holder else FORM
        async with self.http.post(self.url + path, headers=headers, data=urlencode(form)) as answer:
            text = await answer.text()
            if answer.status != status:
                raise PreparationFailed(f"{path}: {answer.status} {text[:500]}")
            found: dict[str, Any] = json.loads(text)
            return found

    # -- documents -------------------------------------------------------------------------------------------------

    async def pki(self) -> Pki:
        return await self._once("pki", self._register_administration)

    async def _register_administration(self) -> Pki:
        order = SealOrder(
            identifier=ADMINISTRATION,
            organisation_identifier="NTRMA-1",
            latin_name="Administration",
            arabic_name="إدارة",
            key="P-256",
        )
        pki = load_or_create(self.folder / "pki", [order])
        db, audit, names = (
            self.locker_db,
            Audit("locker"),
            Names(ar="وثيقة", fr="Document", zgh="ⵜⴰⴽⴰⵔⴹⴰ", en="Document"),
        )
        schema = {"type": "object", "properties": {"number": {"type": "string"}}, "additionalProperties": False}
        type_ = TypeRegistration(type=TYPE, names=names, category="civil-status", fields=schema)
        await register_type(db, audit, type_, officer=OFFICER)
        registration = AdministrationRegistration(
            administration=ADMINISTRATION,
            names=names,
            clients=[MACHINE],
            types=[TYPE],
            seal_certificates=[pki.seals[ADMINISTRATION].pem],
        )
        await register_administration(db, audit, registration, officer=OFFICER)
        crls = [base64.b64encode(crl).decode() for crl in pki.crls]
        addition = TrustAddition(anchors=[pki.root.pem], intermediates=[pki.issuing.pem], crls=crls)
        await add(db, audit, addition, officer=OFFICER)
        return pki

    async def pdf(self, size: int) -> Path:
        """A file with a sealed document of about that size."""
        pki = await self.pki()
        file = self.folder / f"{size}.pdf"
        if not file.exists():
            file.write_bytes(await asyncio.to_thread(Press(pki, ADMINISTRATION).sealed, size))
        return file

    async def unseen(self, size: int, count: int) -> list[Path]:
        """Files that nobody was shown before, each with another document of about that size, in a folder of their own
        as ``0.pdf``, ``1.pdf`` and so on: what is judged is what a judge remembers for some minutes."""
        pki, folder = await self.pki(), Path(tempfile.mkdtemp(prefix="unseen-", dir=self.folder))

        def make() -> list[Path]:
            press = Press(pki, ADMINISTRATION)
            files = [folder / f"{number}.pdf" for number in range(count)]
            for file in files:
                file.write_bytes(press.sealed(size))
            return files

        return await asyncio.to_thread(make)

    async def deposit_body(self, citizen: Citizen, pdf: Path) -> tuple[Path, dict[str, str]]:
        """A file with the request's body, and its Content-Type."""
        file = pdf.with_name(f"{pdf.stem}-{citizen.uid}.multipart")
        if not file.exists():
            request = {"type": TYPE, "subject": {"uid": citizen.uid}, "fields": {"number": "12/2026"}}
            file.write_bytes(multipart(json.dumps(request).encode(), pdf.read_bytes()))
        return file, {"Content-Type": f"multipart/form-data; boundary={_BOUNDARY}"}

    async def deposit(self, citizen: Citizen, pdf: Path, machine: Held) -> str:
        """The document's id."""
        body, content_type = await self.deposit_body(citizen, pdf)
        proven = machine.headers("POST", "/v1/deposits")
        headers = {**proven, **content_type, "Idempotency-Key": f'"{secrets.token_hex(16)}"'}
        async with self.http.post(f"{self.url}/v1/deposits", headers=headers, data=body.read_bytes()) as answer:
            text = await answer.text()
            if answer.status != 201:
                raise PreparationFailed(f"/v1/deposits: {answer.status} {text[:500]}")
            return str(json.loads(text)["document_id"])

    async def share(self, wallet: Held, document_id: str, *, openings: int) -> str:
        """The link's path."""
        new = {"documents": [document_id], "recipient": "A bank", "purpose": "An account", "openings": openings}
        headers = {**wallet.headers("POST", "/v1/shares"), "Content-Type": "application/json"}
        body = json.dumps({**new, "view_only": False})
        async with self.http.post(f"{self.url}/v1/shares", headers=headers, data=body) as answer:
            text = await answer.text()
            if answer.status != 201:
                raise PreparationFailed(f"/v1/shares: {answer.status} {text[:500]}")
            return urlsplit(str(json.loads(text)["url"])).path


async def gathered(making: list[Any]) -> list[Any]:
    """A few at once; the product's queues are bounded."""
    places = asyncio.Semaphore(AT_ONCE)

    async def one(awaitable: Awaitable[T]) -> T:
        async with places:
            return await awaitable

    return list(await asyncio.gather(*(one(awaitable) for awaitable in making)))


def multipart(deposit: bytes, pdf: bytes) -> bytes:
    return b"".join(
        [
            f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="deposit"\r\n'.encode(),
            b"Content-Type: application/json\r\n\r\n" + deposit + b"\r\n",
            f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="document"; filename="d.pdf"\r\n'.encode(),
            b"Content-Type: application/pdf\r\n\r\n" + pdf + b"\r\n",
            f"--{_BOUNDARY}--\r\n".encode(),
        ]
    )
