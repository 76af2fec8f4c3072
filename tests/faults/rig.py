"""The product with two servers, each fault proxy before its database and its object store, and who deposits there."""

import asyncio
import base64
import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import msgspec

from idp.citizens.enrol import enrol
from idp.citizens.schema import Enrolment
from idp.clients import register as clients
from idp.clients.schema import ClientRegistration
from idp.keys.secrets import Secrets
from khizana.databases import connected, opened_vault
from khizana.demo.country import CITIZENS
from khizana.demo.pki import Pki
from khizana.deployment import Deployment
from khizana.embedded.postgres import DATABASE, PORT, EmbeddedPostgres
from khizana.embedded.s3 import EmbeddedS3
from khizana.holder import Holder
from khizana.home import Home
from khizana.prepare import prepare
from kit.audit import Audit
from kit.db import Database
from kit.jose import LocalKeySet, SigningKey, client_assertion
from kit.throttle import Throttle
from kit.tokens import digest
from locker.access.provider import Provider
from locker.access.sessions import SESSION_COOKIE
from locker.administrations.register import register
from locker.administrations.schema import AdministrationRegistration
from locker.catalogue.register_type import register_type
from locker.catalogue.schema import TypeRegistration
from locker.shares.code import Codes
from locker.shares.create import Sharer, create
from locker.shares.desk import ShareDesk
from locker.shares.pin import Pins
from locker.shares.schema import NewShare
from locker.signing.ring import SigningKeys
from locker.trust.add import add
from locker.trust.schema import TrustAddition
from locker.vault import Vault
from tests.ceph import Ceph
from tests.fault_proxy import FaultProxy, before_port, before_socket
from tests.locker_world import BIRTH, INTERIOR, SCHEMA, client_of, names, new_pki, sealed
from tests.product import ROOT, free_port
from tests.worker_children import worker_children

LEASE_S = 4
DRAIN_S = 1.0


class Elsewhere(httpx.AsyncBaseTransport):
    """Requests for the public address go to one server, as a load balancer would send them."""

    def __init__(self, port: int) -> None:
        self._port = port
        # There is no TLS; to read all certification authorities takes longer than most answers.
        self._inner = httpx.AsyncHTTPTransport(verify=False, limits=httpx.Limits(max_keepalive_connections=0))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        request.url = request.url.copy_with(port=self._port)
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        await self._inner.aclose()


class Node:
    """``khizana serve both`` with one process, in a process group of its own."""

    def __init__(self, environ: dict[str, str], public: str, port: int, folder: Path) -> None:
        self.port = port
        self.folder = folder
        self.environ = {**environ, "TMPDIR": str(folder)}
        self._public = public
        self._process: subprocess.Popen[bytes] | None = None

    words = ("serve", "both", "--workers", "1", "--port")

    def begin(self, *, within: Sequence[str] = (), **changed: str) -> None:
        """``within`` is a command that ends with running another."""
        self.folder.mkdir(exist_ok=True, mode=0o700)
        with (self.folder / "serve.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*within, sys.executable, "-m", "khizana", *self.words, str(self.port)],
                env={**self.environ, **changed},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    async def up(self) -> None:
        async with self.http(timeout=2) as http:
            for _ in range(4800):
                with contextlib.suppress(httpx.HTTPError):
                    if (await http.get("/livez")).status_code == 200:
                        return
                assert self._process is not None
                assert self._process.poll() is None, self.said()
                await asyncio.sleep(0.05)
        raise AssertionError("the server did not start: " + self.said())

    async def start(self) -> None:
        self.begin()
        await self.up()

    async def kill(self) -> None:
        """SIGKILL to the server and its workers at once: nobody says goodbye."""
        if self._process is not None and self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            await asyncio.to_thread(self._process.wait)

    def file(self, path: Path) -> Path:
        """As the server sees it, which may have file systems of its own."""
        assert self._process is not None
        return Path(f"/proc/{self._process.pid}/root") / path.relative_to("/")

    def terminate(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)

    def stand_still(self) -> None:
        """The server and its workers; those that judge for them go on."""
        self._signal_all(signal.SIGSTOP)

    def go_on(self) -> None:
        self._signal_all(signal.SIGCONT)

    def _signal_all(self, number: int) -> None:
        if self.alive():
            assert self._process is not None
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)

    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def children(self) -> set[int]:
        assert self._process is not None
        return worker_children(self._process.pid)

    async def ended(self, within_s: float) -> int:
        assert self._process is not None
        return await asyncio.to_thread(self._process.wait, within_s)

    async def heard(self, line: str, *, within_s: float) -> None:
        """Until it has said so. What it said instead stands in the failure."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while line not in (self.folder / "serve.log").read_text(errors="replace"):
                    assert self.alive(), self.said()
                    await asyncio.sleep(0.1)
                return
        raise AssertionError(f"not heard: {line}\n{self.said()}")

    def said(self) -> str:
        return (self.folder / "serve.log").read_text(errors="replace")[-4000:]

    def faults(self) -> list[str]:
        """Lines of the log that tell of a mistake of ours."""
        lines = (self.folder / "serve.log").read_text(errors="replace").splitlines()
        return [line for line in lines if '"event": "fault"' in line]

    def http(self, **settings: Any) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            base_url=self._public, transport=Elsewhere(self.port), **{"timeout": 40, "trust_env": False, **settings}
        )


class LockerNode(Node):
    """The locker alone: its provider is somewhere else."""

    words = ("serve", "locker", "--workers", "1", "--port")


class Worker(Node):
    """``khizana worker``: among others, it sequences the log."""

    words = ("worker", "--metrics")


@dataclass
class Figures:
    """What the whole run did."""

    kills: int = 0
    answered_201: int = 0
    repeated: int = 0
    openings: int = 0
    orphans_swept: int = 0
    losses: int = 0
    leaves: int = 0
    statuses: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Request:
    content: bytes
    content_type: str
    holder: Holder


@dataclass
class Rig:
    deployment: Deployment
    home: Home
    database: FaultProxy
    objects: FaultProxy
    nodes: list[Node]
    workers: list[Worker]
    postgres: EmbeddedPostgres
    s3: EmbeddedS3 | Ceph
    db: Database
    """The locker's role, past the proxy."""
    owner_db: Database
    vault: Vault
    provider: Provider
    signing: SigningKeys
    pki: Pki
    key: SigningKey
    uid: str
    wire: FaultProxy | None = None
    """Before the provider, where the second server has none of its own."""
    first_pdf: bytes = b""
    """Of the deposit with which everything begins."""
    owner: str = ""
    cookie: str = ""
    figures: Figures = field(default_factory=Figures)
    answered: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Idempotency key → what was answered 201, of the whole run."""
    _token: tuple[str, float] = ("", 0.0)

    @property
    def worker(self) -> Worker:
        return self.workers[0]

    def pdf(self, *, pages: int = 1) -> bytes:
        return sealed(self.pki, self.pki.seals[INTERIOR], text=secrets.token_hex(32), pages=pages)

    async def request(self, pdf: bytes, *, node: int = 0) -> "Request":
        """``node`` gives the token, where there is none that is still good."""
        said = {"type": BIRTH, "subject": {"uid": self.uid}, "fields": {"family_name": "Alaoui"}}
        files = {
            "document": ("d.pdf", pdf, "application/pdf"),
            "deposit": ("d.json", json.dumps(said).encode(), "application/json"),
        }
        encoded = httpx.Request("POST", self.home.url, files=files)
        return Request(
            encoded.read(), encoded.headers["content-type"], Holder(self.key, await self._access_token(node))
        )

    async def deposit(self, pdf: bytes, *, key: str, node: int = 0, token_of: int | None = None) -> httpx.Response:
        """One try."""
        request = await self.request(pdf, node=node if token_of is None else token_of)
        async with self.nodes[node].http() as http:
            answer = await http.post(
                "/v1/deposits",
                auth=request.holder,
                content=request.content,
                headers={"Idempotency-Key": f'"{key}"', "Content-Type": request.content_type},
            )
        if answer.status_code == 201:
            self.answered[key] = answer.json()
        return answer

    async def deposit_until_answered(self, pdf: bytes, *, key: str) -> dict[str, Any]:
        """As an administration's back end should: again under the same key, at another server."""
        for attempt in range(400):
            try:
                answer = await self.deposit(pdf, key=key, node=attempt % len(self.nodes))
                self._count(str(answer.status_code))
                if answer.status_code == 201:
                    return dict(answer.json())
                assert answer.status_code in (409, 503), answer.text
            except httpx.HTTPError as fault:
                self._count(type(fault).__name__)
            self.figures.repeated += 1
            await asyncio.sleep(0.1)
        raise AssertionError("never answered")

    async def original(self, document_id: str, *, node: int = 0) -> httpx.Response:
        async with self.nodes[node].http() as http:
            return await http.get(
                f"/wallet/documents/{document_id}/original", headers={"Cookie": f"{SESSION_COOKIE}={self.cookie}"}
            )

    async def share(self, document_id: str, *, openings: int) -> str:
        """The link's path."""
        new = NewShare(documents=[document_id], recipient="A bank", purpose="A loan", openings=openings)
        sharer = Sharer(owner=self.owner, actor=self.owner)
        desk = ShareDesk(
            db=self.db,
            audit=Audit("locker"),
            throttle=Throttle("locker"),
            provider=self.provider,
            vault=self.vault,
            signing=self.signing,
            pins=Pins(b"0" * 32),
            codes=Codes(b"0" * 32),
            locker_url=self.home.url,
            lifetime_max_s=86_400 * 30,
            viewing_s=600,
        )
        made = await create(desk, new, sharer=sharer)
        return f"/s/{made.token}"

    async def readiness(self, *, node: int = 0) -> httpx.Response:
        async with self.nodes[node].http(timeout=10) as http:
            return await http.get("/readyz")

    async def recovered(self) -> None:
        """Both servers want requests again, by themselves."""
        async with asyncio.timeout(30):
            for node in range(len(self.nodes)):
                while (await self.readiness(node=node)).status_code != 200:
                    await asyncio.sleep(0.1)

    def _count(self, outcome: str) -> None:
        self.figures.statuses[outcome] = self.figures.statuses.get(outcome, 0) + 1

    async def _access_token(self, node: int) -> str:
        if time.monotonic() > self._token[1]:
            assertion = client_assertion(
                self.key,
                client_id=client_of(INTERIOR),
                audience=f"{self.home.url}/idp",
                jti=secrets.token_hex(16),
            )
            async with self.nodes[node].http() as http:
                answer = await http.post(
                    "/idp/token",
                    auth=Holder(self.key),
                    data={
                        "grant_type": "client_credentials",
                        "scope": "documents:deposit",
                        "client_id": client_of(INTERIOR),
                        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
                        "client_assertion": assertion,
                    },
                )
            if answer.status_code != 200:
                raise httpx.HTTPError(f"no token: {answer.status_code}")
            self._token = (answer.json()["access_token"], time.monotonic() + 120)
        return self._token[0]


async def _citizen_signs_in(rig: Rig) -> None:
    """With the session that a sign-in would have made: what is tried here is what comes after it."""
    rig.first_pdf = rig.pdf()
    first = await rig.deposit_until_answered(rig.first_pdf, key="first")
    rig.owner = await rig.owner_db.fetchval(
        "SELECT owner FROM locker.document WHERE document_id = $1", first["document_id"]
    )
    rig.cookie = base64.urlsafe_b64encode(secrets.token_bytes(32)).rstrip(b"=").decode()
    await rig.owner_db.execute(
        """
        INSERT INTO locker.session (owner, session_sha256, acr, names, id_token, expires_at)
        VALUES ($1, $2, 'substantial', '{}', '', now() + interval '1 hour')""",
        rig.owner,
        digest(rig.cookie),
    )


async def _registered(deployment: Deployment, pki: Pki, key: SigningKey) -> str:
    """One administration with its seal and its client, one type, one citizen: whose ``uid`` it is."""
    idp = deployment.idp_settings()
    async with connected(idp.database_url) as db:
        machine = {
            "client_id": client_of(INTERIOR),
            "client_name": "Intérieur",
            "profile": "machine",
            "sector": INTERIOR,
            "token_endpoint_auth_method": "private_key_jwt",
            "grant_types": ["client_credentials"],
            "scope": "documents:deposit",
            "jwks": LocalKeySet([key]).jwks(),
        }
        audit = Audit("idp")
        registration = msgspec.convert(machine, ClientRegistration)
        await clients.register(db, audit, registration, officer="test", production=False)
        enrolled = await enrol(
            db,
            audit,
            Secrets(bytes.fromhex(idp.secret)),
            msgspec.convert(CITIZENS[0].enrolment(), Enrolment),
            officer="test",
            code_lifetime_s=3600,
        )
    async with connected(deployment.locker_settings().database_url) as db:
        audit = Audit("locker")
        type_ = TypeRegistration(type=BIRTH, names=names(BIRTH), category="civil-status", fields=SCHEMA)
        await register_type(db, audit, type_, officer="test")
        administration = AdministrationRegistration(
            administration=INTERIOR,
            names=names(INTERIOR),
            clients=[client_of(INTERIOR)],
            types=[BIRTH],
            seal_certificates=[pki.seals[INTERIOR].pem],
        )
        await register(db, audit, administration, officer="test")
        addition = TrustAddition(
            anchors=[pki.root.pem],
            intermediates=[pki.issuing.pem],
            crls=[base64.b64encode(crl).decode() for crl in pki.crls],
        )
        await add(db, audit, addition, officer="test")
    return enrolled.uid


@asynccontextmanager
async def running(
    folder: Path,
    postgres: EmbeddedPostgres,
    s3: EmbeddedS3 | Ceph,
    *,
    workers: int = 1,
    provider_apart: bool = False,
    **settings: str,
) -> AsyncIterator[Rig]:
    """``settings`` are variables of the environment beside the usual ones. ``provider_apart``: the second server is a
    locker alone; it and the workers reach the first one's provider over a wire that may be faulty."""
    ports = [free_port(), free_port()]
    wire = before_port(ports[0]) if provider_apart else None
    home = Home(folder / "home", wire.port if wire else ports[0])
    base = {name: value for name, value in os.environ.items() if not name.startswith("KHIZANA_")}
    base |= {
        "PYTHONPATH": str(ROOT / "src"),
        "KHIZANA_DRAIN_S": str(DRAIN_S),
        "KHIZANA_LOCKER_IDEMPOTENCY_LEASE_S": str(LEASE_S),
        **settings,
    }
    told = home.environ(base, postgres=postgres.address, s3=s3.kept)
    if s3.bucket_folder is None:
        del told["KHIZANA_LOCKER_S3_FSYNC_FOLDER"]
    direct = Deployment(told)
    await prepare(direct)
    pki, key = new_pki(folder / "pki"), SigningKey.generate("ES256")
    uid = await _registered(direct, pki, key)
    database = before_socket(f"{postgres.address.socket_folder}/.s.PGSQL.{PORT}")
    objects = before_port(s3.kept.port)
    environ = dict(direct.environ)
    for app in ("idp", "locker"):
        password = urlsplit(postgres.dsn(app)).password  # type: ignore[arg-type]
        environ[f"KHIZANA_{app.upper()}_DATABASE_URL"] = (
            f"postgresql://{app}:{password}@127.0.0.1:{database.port}/{DATABASE}?sslmode=disable"
        )
    environ["KHIZANA_LOCKER_S3_ENDPOINT"] = f"http://127.0.0.1:{objects.port}"
    kinds = [Node, LockerNode if wire else Node]
    nodes = [
        kind(environ, home.url, port, folder / f"node-{number}")
        for number, (kind, port) in enumerate(zip(kinds, ports, strict=True))
    ]
    working = [
        Worker(environ, home.url, free_port(), folder / ("worker" if number == 0 else f"worker-{number}"))
        for number in range(workers)
    ]
    locker = direct.locker_settings()
    async with (
        connected(locker.database_url) as db,
        connected(direct.owner_dsn()) as owner_db,
        opened_vault(db, locker) as vault,
        httpx.AsyncClient(trust_env=False) as http,
    ):
        provider = Provider.of(http, locker)
        signing = SigningKeys(locker.keys_folder)
        await signing.start()
        rig = Rig(
            deployment=direct,
            home=home,
            database=database,
            objects=objects,
            nodes=nodes,
            workers=working,
            postgres=postgres,
            s3=s3,
            db=db,
            owner_db=owner_db,
            vault=vault,
            provider=provider,
            signing=signing,
            pki=pki,
            key=key,
            uid=uid,
            wire=wire,
        )
        try:
            for node in (*nodes, *working):
                node.begin()
            for node in nodes:
                await node.up()
            await _citizen_signs_in(rig)
            yield rig
        finally:
            for node in (*nodes, *working):
                await node.kill()
            await signing.stop()
            database.close()
            objects.close()
            if wire:
                wire.close()
