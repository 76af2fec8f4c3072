"""The real provider and real lockers in one process, over HTTP messages: citizens, relying parties and documents."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

import httpx
import msgspec

from idp.authorization.details import TYPES
from idp.clients.register import register
from idp.clients.register_resource import register_resource
from idp.clients.schema import ClientRegistration
from khizana.prepare import LOCKER_SCOPES, LOCKER_SECTOR, locker_client
from kit.audit import Audit
from kit.jose import LocalKeySet, SigningKey
from locker.app import create_app
from locker.requests.register_purpose import register_purpose
from locker.requests.schema import PurposeRegistration
from tests.citizen_browser import Browser, CitizenWorld
from tests.locker_world import INTERIOR, LOCKER, TinyProvider, World, _running, client_of, open_world
from tests.provider import ISSUER, RESOURCE, Provider, RelyingParty, answer_of, running_provider

NAMES = {"ar": "البنك س", "fr": "Banque X", "zgh": "ⵜⴰⴱⴰⵏⴽⴰ", "en": "Bank X"}
PURPOSE = {"ar": "فتح حساب", "fr": "Ouvrir un compte", "zgh": "ⴰⵔⵣⵣⵓⵎ", "en": "To open an account"}
EDGE = "192.0.2.1"
"""Whom both apps believe a certificate."""


class RealProvider(TinyProvider):
    """Carries the locker's requests to the project's own provider, unless it is away."""

    def __init__(self, app: Any) -> None:
        super().__init__()
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.calls.append(scope["path"])
        if self.away:
            await send({"type": "http.response.start", "status": 503, "headers": []})
            await send({"type": "http.response.body", "body": b""})
        else:
            await self._app(scope, receive, send)


@dataclass
class Person:
    citizen_id: UUID
    uid: str
    browser: httpx.AsyncClient
    """Signed in at the provider."""


@dataclass
class OneWorld:
    idp: Provider
    world: World
    transport: RealProvider
    nodes: list[httpx.AsyncClient]
    """Two lockers on one database."""
    deposits: dict[str, str]
    """Authorization of an administration's back end."""

    async def person(self) -> Person:
        citizen_id = await self.idp.citizen()
        [row] = await self.idp.owner("SELECT uid FROM idp.citizen WHERE citizen_id = $1", citizen_id)
        return Person(citizen_id, row["uid"], await self.idp.signed_in(citizen_id))

    async def document(self, person: Person, **changes: Any) -> str:
        answer = await self.world.deposit(uid=person.uid, headers=self.deposits, **changes)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["document_id"])

    async def party(self, **metadata: Any) -> RelyingParty:
        """With refresh tokens; a bearer client unless told otherwise."""
        return await self.idp.client(
            **{
                "authorization_details_types": list(TYPES),
                "sector": "bank",
                "scope": "openid profile offline_access",
                **metadata,
            }
        )

    async def purpose(self, party: RelyingParty, purpose_id: str, documents: dict[str, list[str] | None]) -> None:
        """At both, as the command does."""
        await self.idp.purpose(party, purpose_id, documents)
        registration = {
            "client_id": party.client_id,
            "purpose_id": purpose_id,
            "names": NAMES,
            "purpose": PURPOSE,
            "documents": [{"type": type_, "fields": fields} for type_, fields in documents.items()],
        }
        await register_purpose(
            self.world.wiring.db, Audit("locker"), msgspec.convert(registration, PurposeRegistration), officer="test"
        )

    async def tokens(self, person: Person, party: RelyingParty, *details: dict[str, Any], **changed: Any) -> Any:
        """The citizen allows these details; tokens for the locker."""
        asked = {"authorization_details": msgspec.json.encode(details).decode()} if details else {}
        code = await self.idp.code(person.browser, party, **asked)
        answer = await self.idp.exchange(party, code, resource=LOCKER, **changed)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def take(
        self, party: RelyingParty, token: str, detail: dict[str, Any], *, node: int = 0, **parts: Any
    ) -> httpx.Response:
        return await self.nodes[node].post("/v1/requests/authorized", json=detail, **shown(party, token, **parts))

    async def open(self, party: RelyingParty, token: str, url: str, *, node: int = 0, **parts: Any) -> httpx.Response:
        return await self.nodes[node].post(url.removeprefix(LOCKER), **shown(party, token, **parts))

    async def figures(self, party: RelyingParty) -> dict[str, int]:
        """As they are kept."""
        rows = await self.world.rows("SELECT * FROM locker.request_figure WHERE client_id = $1", party.client_id)
        return {name: sum(row[name] for row in rows) for name in ("asked", "refused", "given", "declined")}

    async def at_the_locker(self, person: Person) -> Browser:
        """This citizen's browser, signed in there through the provider."""
        home: Any = CitizenWorld(self.world, self.world.app, self.transport)  # type: ignore[arg-type]
        browser = Browser(home, "192.0.2.77")
        started = await browser.get("/sign-in")
        asked = dict(parse_qsl(urlsplit(started.headers["location"]).query))
        back = await self.idp.allowed_of(person.browser, asked)
        assert "code" in answer_of(back)
        finished = await browser.get(back.headers["location"].removeprefix(LOCKER))
        assert finished.status_code == 303, finished.text
        return browser

    async def disconnect(self, person: Person, party: RelyingParty) -> None:
        """On the provider's page of connected services."""
        page = await person.browser.get("/idp/account/services")
        [row] = await self.idp.owner(
            "SELECT consent_id FROM idp.consent WHERE citizen_id = $1 AND client_id = $2 AND ended_at IS NULL",
            person.citizen_id,
            party.client_id,
        )
        csrf = page.text.split('name="csrf" value="', 1)[1].split('"', 1)[0]
        form = {"csrf": csrf, "consent": str(row["consent_id"])}
        assert str(row["consent_id"]) in page.text
        ended = await person.browser.post("/idp/account/services", data=form)
        assert ended.status_code == 303, ended.text


def shown(party: RelyingParty, token: str, **parts: Any) -> dict[str, Any]:
    """With a proof of the party's key, if it has one."""
    if party.dpop is not None:
        return {"auth": party.holder(token), **parts}
    return {**parts, "headers": {"Authorization": f"Bearer {token}", **parts.get("headers", {})}}


@asynccontextmanager
async def open_one_world(dsns: Any, s3: Any, folder: Path, **changes: Any) -> AsyncIterator[OneWorld]:
    """``changes`` are settings of the lockers."""
    mtls = "https://mtls.id.test/idp"
    async with running_provider(dsns.idp, dsns.owner, trusted_proxies=(f"{EDGE}/32",), mtls_issuer=mtls) as idp:
        db, audit = idp.wiring.db, idp.wiring.audit
        await idp.owner("DELETE FROM idp.resource WHERE resource = $1", RESOURCE)
        await register_resource(
            db,
            audit,
            LOCKER,
            name="Locker",
            scopes=LOCKER_SCOPES,
            sector=LOCKER_SECTOR,
            details_types=TYPES,
            officer="test",
        )
        idp.wiring.scopes.forget()
        (folder / "keys").mkdir(parents=True, exist_ok=True)
        key = SigningKey.load_or_create(folder / "keys" / "client-ES256.pem", "ES256")
        locker = locker_client("khizana-locker", LOCKER, LocalKeySet([key]).jwks(), legal_ground="test")
        await register(db, audit, msgspec.convert(locker, ClientRegistration), officer="test", production=False)
        back_end = await idp.client(
            client_id=client_of(INTERIOR),
            token_endpoint_auth_method="private_key_jwt",
            redirect_uris=[],
            grant_types=["client_credentials"],
            scope="documents:deposit",
            legal_ground="test",
        )
        answer = await idp.token(back_end, {"grant_type": "client_credentials", **back_end.authentication()})
        assert answer.status_code == 200, answer.text
        transport = RealProvider(idp.transport.app)
        settings: dict[str, Any] = {"issuer": ISSUER, "client_id": "khizana-locker", "trusted_proxies": (f"{EDGE}/32",)}
        async with open_world(dsns, s3, folder, provider=transport, **settings, **changes) as world:
            second = create_app(world.wiring.settings, idp_transport=httpx.ASGITransport(transport))
            async with _running(second), _node(world.app) as first_node, _node(second) as second_node:
                yield OneWorld(
                    idp,
                    world,
                    transport,
                    [first_node, second_node],
                    {"Authorization": f"Bearer {answer.json()['access_token']}"},
                )


def _node(app: Any) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=(EDGE, 50_000))
    return httpx.AsyncClient(transport=transport, base_url=LOCKER, timeout=60)
