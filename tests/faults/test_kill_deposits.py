"""F-01: 200 deposits while the server is killed again and again, each time when it has served for a second.

A server that was just started needs about as long until its judges are there, so the second counts from its first
deposit. The figures are printed.
"""

import asyncio
import base64
import hashlib
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from idp.citizens.enrol import enrol
from idp.citizens.schema import Enrolment
from idp.clients import register as clients
from idp.clients.schema import ClientRegistration
from idp.keys.secrets import Secrets
from khizana.databases import connected, opened_vault
from khizana.demo.country import CITIZENS
from khizana.demo.pki import Pki
from khizana.deployment import Deployment
from khizana.embedded.postgres import EmbeddedPostgres
from khizana.embedded.s3 import EmbeddedS3
from khizana.holder import Holder
from khizana.home import Home
from khizana.prepare import prepare
from kit.audit import Audit
from kit.db import Database
from kit.jose import LocalKeySet, SigningKey, client_assertion
from kit.throttle import Throttle
from locker.administrations.register import register
from locker.administrations.schema import AdministrationRegistration
from locker.catalogue.register_type import register_type
from locker.catalogue.schema import TypeRegistration
from locker.sweeping.reconcile import reconcile
from locker.sweeping.sweep import sweep
from locker.trust.add import add
from locker.trust.schema import TrustAddition
from locker.vault import Stored
from tests.locker_world import BIRTH, INTERIOR, SCHEMA, client_of, names, new_pki, sealed
from tests.product import ROOT, free_port

pytestmark = pytest.mark.slow

DEPOSITS = 200
AT_ONCE = 3
KILL_AFTER_S = 1.0
LEASE_S = 4
KILLS_MAX = 20
LIMIT_S = 600


@dataclass
class Figures:
    kills: int = 0
    answered_201: int = 0
    repeated: int = 0
    orphans_swept: int = 0
    seconds: float = 0.0
    statuses: dict[str, int] = field(default_factory=dict)


class Served:
    """``khizana serve both`` as a process group of its own, killed and started again."""

    def __init__(self, environ: dict[str, str], port: int, log: Path) -> None:
        self.url = f"http://localhost:{port}"
        self._environ = environ
        self._port = port
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "khizana", "serve", "both", "--port", str(self._port), "--workers", "2"],
                env=self._environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        async with httpx.AsyncClient(trust_env=False, timeout=2) as http:
            for _ in range(600):
                try:
                    if (await http.get(f"{self.url}/.well-known/jwks.json")).status_code == 200:
                        return
                except httpx.HTTPError:
                    pass
                assert self._process.poll() is None, self._log.read_text(errors="replace")[-3000:]
                await asyncio.sleep(0.05)
        raise AssertionError("the server did not start")

    async def kill(self) -> None:
        """SIGKILL to the supervisor and its workers at once: nobody says goodbye."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGKILL)
        await asyncio.to_thread(self._process.wait)


@dataclass
class Registry:
    deployment: Deployment
    db: Database
    pki: Pki
    key: SigningKey
    uid: str


@asynccontextmanager
async def country(deployment: Deployment, folder: Path) -> AsyncIterator[Registry]:
    """One administration with its seal and its client, one type, one citizen."""
    key, pki = SigningKey.generate("ES256"), new_pki(folder / "pki")
    idp = deployment.idp_settings()
    async with connected(idp.database_url) as idp_db:
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
        await clients.register(idp_db, audit, registration, officer="test", production=False)
        enrolled = await enrol(
            idp_db,
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
        yield Registry(deployment, db, pki, key, enrolled.uid)


class Backend:
    """An administration's back end as it should be: it repeats, under the same key, until it is answered."""

    def __init__(self, url: str, registry: Registry, figures: Figures) -> None:
        self._http = httpx.AsyncClient(
            base_url=url, trust_env=False, timeout=30, limits=httpx.Limits(max_keepalive_connections=0)
        )
        self._issuer = f"{url}/idp"
        self._registry = registry
        self._figures = figures
        self._token: tuple[str, float] = ("", 0.0)
        self.served = asyncio.Event()

    async def deposit(self, key: str, pdf: bytes) -> dict[str, Any]:
        request = {"type": BIRTH, "subject": {"uid": self._registry.uid}, "fields": {"family_name": "Alaoui"}}
        while True:
            try:
                answer = await self._http.post(
                    "/v1/deposits",
                    auth=Holder(self._registry.key, await self._access_token()),
                    headers={"Idempotency-Key": f'"{key}"'},
                    files={
                        "document": ("d.pdf", pdf, "application/pdf"),
                        "deposit": ("d.json", json.dumps(request).encode(), "application/json"),
                    },
                )
                self._count(str(answer.status_code))
                if answer.status_code == 201:
                    self.served.set()
                    deposited: dict[str, Any] = answer.json()
                    return deposited
                assert answer.status_code in (409, 503), answer.text
            except httpx.HTTPError as fault:
                self._count(type(fault).__name__)
            self._figures.repeated += 1
            await asyncio.sleep(0.1)

    def _count(self, outcome: str) -> None:
        self._figures.statuses[outcome] = self._figures.statuses.get(outcome, 0) + 1

    async def _access_token(self) -> str:
        if time.monotonic() > self._token[1]:
            answer = await self._http.post(
                "/idp/token",
                auth=Holder(self._registry.key),
                data={
                    "grant_type": "client_credentials",
                    "scope": "documents:deposit",
                    "client_id": client_of(INTERIOR),
                    "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
                    "client_assertion": client_assertion(
                        self._registry.key,
                        client_id=client_of(INTERIOR),
                        audience=self._issuer,
                        jti=secrets.token_hex(16),
                    ),
                },
            )
            answer.raise_for_status()
            self._token = (answer.json()["access_token"], time.monotonic() + 60)
        return self._token[0]

    async def close(self) -> None:
        await self._http.aclose()


def documents(pki: Pki) -> list[bytes]:
    """Each of its own bytes; sizes from a page to 200 kB."""
    return [
        sealed(pki, pki.seals[INTERIOR], text=secrets.token_hex(32), pages=1 if number % 4 else 60)
        for number in range(DEPOSITS)
    ]


async def deposit_under_kills(served: Served, registry: Registry, figures: Figures) -> dict[str, dict[str, Any]]:
    """Key → what was answered 201."""
    pdfs = await asyncio.to_thread(documents, registry.pki)
    backend = Backend(served.url, registry, figures)
    answered: dict[str, dict[str, Any]] = {}
    waiting = [(f"kill-{number}", pdf) for number, pdf in enumerate(pdfs)]

    async def work() -> None:
        while waiting:
            key, pdf = waiting.pop()
            answer = await backend.deposit(key, pdf)
            assert answer["sha256"] == hashlib.sha256(pdf).hexdigest()
            answered[key] = answer

    async def kill() -> None:
        while figures.kills < KILLS_MAX:
            await backend.served.wait()
            await asyncio.sleep(KILL_AFTER_S)
            await served.kill()
            figures.kills += 1
            backend.served.clear()
            await served.start()

    await served.start()
    started = time.monotonic()
    killing = asyncio.create_task(kill())
    try:
        async with asyncio.timeout(LIMIT_S):
            await asyncio.gather(*(work() for _ in range(AT_ONCE)))
    finally:
        killing.cancel()
        await asyncio.gather(killing, return_exceptions=True)
        await backend.close()
    figures.seconds = round(time.monotonic() - started, 1)
    figures.answered_201 = len(answered)
    return answered


async def check(registry: Registry, answered: dict[str, dict[str, Any]], figures: Figures) -> None:
    db, settings = registry.db, registry.deployment.locker_settings()
    async with opened_vault(db, settings) as vault:
        rows = await db.fetch("SELECT * FROM locker.document")
        found = {row["document_id"]: row for row in rows}
        # I4: one key, one document.
        assert len(answered) == DEPOSITS
        assert set(found) == {answer["document_id"] for answer in answered.values()}
        # I1: every answered 201 is readable and equal.
        for answer in answered.values():
            row = found[answer["document_id"]]
            stored = Stored(
                object_key=row["object_key"],
                wrapped_key=row["wrapped_key"],
                epoch=row["epoch"],
                plaintext_sha256=row["sha256"],
                ciphertext_sha256=row["ciphertext_sha256"],
                length=row["length"],
                format=row["format"],
            )
            content = await vault.read_all(
                stored,
                owner=row["owner"],
                document_id=row["document_id"],
                version=row["version"],
                length_max=10_000_000,
            )
            assert hashlib.sha256(content).hexdigest() == answer["sha256"]
        # I2: no row without its object; I3: no object unreferenced after a sweep.
        audit = Audit("locker")
        assert (await reconcile(db, audit, vault, grace_s=0)).missing == []
        swept = await sweep(
            db, audit, Throttle("locker"), vault, grace_s=0, outbox_lifetime_s=86_400, refused_lifetime_s=86_400
        )
        figures.orphans_swept = swept.orphans
        after = await reconcile(db, audit, vault, grace_s=0)
        assert (after.documents, after.objects, after.missing, after.unknown) == (DEPOSITS, DEPOSITS, [], [])
        assert await db.fetchval("SELECT count(*) FROM locker.deposit_intent") == 0
        assert await db.fetchval("SELECT count(*) FROM locker.audit WHERE action = 'document.deposited'") == DEPOSITS
        assert await db.fetchval("SELECT documents FROM locker.holding") == DEPOSITS


def test_f_01_two_hundred_deposits_survive_a_kill_every_second(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = Home(tmp_path / "home", free_port())
    home.folder.mkdir(mode=0o700)
    postgres, s3 = EmbeddedPostgres.start(home.folder), EmbeddedS3.start(home.folder)
    base = {name: value for name, value in os.environ.items() if not name.startswith("KHIZANA_")}
    base |= {"PYTHONPATH": str(ROOT / "src"), "KHIZANA_LOCKER_IDEMPOTENCY_LEASE_S": str(LEASE_S)}
    environ = home.environ(base, postgres=postgres.address, s3=s3.kept)
    served = Served(environ, home.port, home.folder / "serve.log")
    figures = Figures()

    async def live() -> None:
        deployment = Deployment(environ)
        await prepare(deployment)
        async with country(deployment, tmp_path) as registry:
            answered = await deposit_under_kills(served, registry, figures)
            await served.kill()
            await check(registry, answered, figures)

    try:
        asyncio.run(live())
    finally:
        s3.stop()
        postgres.stop()
    with capsys.disabled():
        print(f"\nF-01 {msgspec.json.encode(figures).decode()}")
    assert figures.kills >= 3
