"""A locker over real servers, a provider as small as a real one can be, and administrations with real seals.

The provider here signs, introspects and resolves over HTTP as the project's own does, so that tests of the locker need
no second app; ``tests/journeys`` and ``tests/faults`` use the real one.
"""

import asyncio
import base64
import io
import json
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import httpx
import jwt
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from litestar import Litestar
from reportlab.pdfgen import canvas

from khizana.demo.pki import Issued, Pki, SealOrder, load_or_create
from kit.audit import Audit
from kit.db import Database
from kit.jose import LocalKeySet, PublicKeys, SigningKey, verify
from locker.administrations.register import register
from locker.administrations.schema import AdministrationRegistration, Names
from locker.app import create_app
from locker.catalogue.register_type import register_type
from locker.catalogue.schema import TypeRegistration
from locker.settings import LockerSettings
from locker.signatures.seal import LocalTimeStamper, Sealer, seal
from locker.trust.add import add
from locker.trust.schema import TrustAddition
from locker.vault import is_object_key
from locker.vault.blobs import PREFIXES
from locker.wiring import Wiring

ISSUER = "http://localhost:8000/idp"
LOCKER = "http://localhost:8000"
INTERIOR, JUSTICE = "ma.gov.interieur", "ma.gov.justice"
BIRTH, RECORD = "BIRTHEXTRACT", "CRIMRECORD"
AMINA, YOUSSEF = "2000000001", "2000000002"

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "family_name": {"type": "string", "minLength": 1, "maxLength": 200},
        "birthdate": {"type": "string", "format": "date"},
        "record_number": {"type": "string", "pattern": "^[0-9]{1,6}/[0-9]{4}$"},
    },
    "required": ["family_name"],
    "additionalProperties": False,
}


class TinyProvider:
    """Discovery, keys, client_credentials with private_key_jwt, introspection, subject resolution: as ASGI."""

    def __init__(self) -> None:
        self.keys = LocalKeySet([SigningKey.generate("ES256")])
        self.locker_keys: PublicKeys | None = None
        self.revoked: set[str] = set()
        self.subjects: dict[str, str] = {}
        self.foreign_subjects: dict[tuple[str, str], str] = {}
        self.dormant: set[str] = set()
        """Subs of citizens who have not activated their accounts."""
        self.disabled: set[str] = set()
        self.connections: set[str] = set()
        """Those of citizens with services that stand."""
        self.away = False
        self.calls: list[str] = []
        self.purposes: list[str] = []
        """Of the subjects that were asked for."""

    def enrol(self, uid: str) -> str:
        """The locker's sub of this citizen."""
        return self.subjects.setdefault(uid, secrets.token_urlsafe(32))

    def token(self, *, sub: str, client_id: str, scope: str, lifetime_s: int = 300, **claims: Any) -> str:
        now = int(time.time())
        return self.keys.sign(
            {
                "iss": ISSUER,
                "aud": LOCKER,
                "sub": sub,
                "client_id": client_id,
                "scope": scope,
                "iat": now,
                "exp": now + lifetime_s,
                "jti": secrets.token_hex(8),
                **claims,
            },
            typ="at+jwt",
        )

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        path = scope["path"].removeprefix("/idp")
        self.calls.append(path)
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        status, answer = (503, {}) if self.away else self._answer(path, body, headers)
        await send(
            {"type": "http.response.start", "status": status, "headers": [(b"content-type", b"application/json")]}
        )
        await send({"type": "http.response.body", "body": json.dumps(answer).encode()})

    def _answer(self, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, dict[str, Any]]:
        if path == "/.well-known/openid-configuration":
            return 200, {
                "issuer": ISSUER,
                "jwks_uri": f"{ISSUER}/jwks",
                "authorization_endpoint": f"{ISSUER}/authorize",
                "token_endpoint": f"{ISSUER}/token",
                "introspection_endpoint": f"{ISSUER}/introspect",
            }
        if path == "/jwks":
            return 200, self.keys.jwks()
        if path == "/subjects/resolve-several":
            return self._resolve(json.loads(body), headers["authorization"].removeprefix("Bearer "))
        if path == "/clients/standing":
            verify(
                headers["authorization"].removeprefix("Bearer "),
                self.keys.public,
                algorithms=["ES256"],
                typ=["at+jwt"],
                issuer=ISSUER,
            )
            return 200, {"active": [one for one in json.loads(body)["client_ids"] if one not in self.disabled]}
        form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        assert self.locker_keys is not None
        verify(
            form["client_assertion"],
            self.locker_keys,
            algorithms=["ES256"],
            typ=None,
            audience=ISSUER,
            strict_audience=True,
        )
        if path == "/token":
            token = self.token(sub=form["client_id"], client_id=form["client_id"], scope=form["scope"])
            return 200, {"access_token": token, "token_type": "Bearer", "expires_in": 300}
        if path == "/introspect":
            if form["token_type_hint"] == "grant_id":
                return 200, {"active": form["token"] in self.connections}
            if form["token"] in self.revoked:
                return 200, {"active": False}
            return 200, {"active": True, **jwt.decode(form["token"], options={"verify_signature": False})}
        return 404, {}

    def _resolve(self, asked: dict[str, list[dict[str, str]]], token: str) -> tuple[int, dict[str, Any]]:
        claims = verify(token, self.keys.public, algorithms=["ES256"], typ=["at+jwt"], issuer=ISSUER)
        assert "subjects:resolve" in claims["scope"].split()
        self.purposes += [one["purpose"] for one in asked["subjects"]]
        subs = [
            self.subjects.get(one["uid"]) if "uid" in one else self.foreign_subjects.get((one["client_id"], one["sub"]))
            for one in asked["subjects"]
        ]
        return 200, {
            "subjects": [
                {"sub": sub, "dormant": sub in self.dormant} if sub else {"error": "unknown-subject"} for sub in subs
            ]
        }


@dataclass
class World:
    """``locker`` speaks HTTP to the app; ``wiring`` is for looking, never for doing what HTTP can do."""

    locker: httpx.AsyncClient
    provider: TinyProvider
    pki: Pki
    wiring: Wiring
    owner_db: Database
    subs: dict[str, str] = field(default_factory=dict)
    app: Any = None

    def machine(
        self, administration: str = INTERIOR, scope: str = "documents:deposit", **claims: Any
    ) -> dict[str, str]:
        """Authorization of an administration's back end."""
        client_id = client_of(administration)
        return {
            "Authorization": f"Bearer {self.provider.token(sub=client_id, client_id=client_id, scope=scope, **claims)}"
        }

    def citizen(self, uid: str = AMINA, scope: str = "documents:read", client_id: str = "wallet") -> dict[str, str]:
        token = self.provider.token(sub=self.subs[uid], client_id=client_id, scope=scope, acr="substantial")
        return {"Authorization": f"Bearer {token}"}

    def sealed(self, administration: str = INTERIOR, *, text: str = "Extrait", time_stamp: bool = True) -> bytes:
        return sealed(self.pki, self.pki.seals[administration], text=text, time_stamp=time_stamp)

    def sealed_from(self, pdf: bytes, administration: str = INTERIOR) -> bytes:
        """Somebody else's bytes under a right seal."""
        by = self.pki.seals[administration]
        return seal(
            pdf,
            sealer=_sealer(by.der, by.key_pem, self.pki.issuing.der),
            timestamper=LocalTimeStamper(self.pki.tsa.key, self.pki.tsa.der, [self.pki.issuing.der]),
        )

    async def deposit(
        self,
        pdf: bytes | None = None,
        *,
        administration: str = INTERIOR,
        key: str | None = None,
        uid: str | None = AMINA,
        type_: str = BIRTH,
        headers: dict[str, str] | None = None,
        filename: str = "document.pdf",
        data: bytes | None = None,
        data_signature: bytes | None = None,
        **members: Any,
    ) -> httpx.Response:
        request = {
            "type": type_,
            **({"subject": {"uid": uid}} if uid else {}),
            "fields": {"family_name": "Alaoui"},
            **members,
        }
        return await self.locker.post(
            "/v1/deposits",
            headers={
                **self.machine(administration),
                "Idempotency-Key": f'"{key or secrets.token_hex(16)}"',
                **(headers or {}),
            },
            files={
                "document": (filename, self.sealed(administration) if pdf is None else pdf, "application/pdf"),
                "deposit": ("deposit.json", json.dumps(request).encode(), "application/json"),
                **({"data": ("data", data, "application/json")} if data is not None else {}),
                **({"data_signature": ("data.sig", data_signature)} if data_signature is not None else {}),
            },
        )

    async def rows(self, sql: str, *args: Any) -> list[dict[str, Any]]:
        return [dict(row) for row in await self.owner_db.fetch(sql, *args)]

    async def counts(self) -> dict[str, int]:
        """How much there is of everything that a deposit may leave, objects included."""
        tables = ("document", "document_uri", "deposit_intent", "outbox", "idempotency")
        counts = {table: await self.owner_db.fetchval(f"SELECT count(*) FROM locker.{table}") for table in tables}
        return {**counts, "objects": len(await self.objects())}

    async def objects(self) -> set[str]:
        blobs = self.wiring.vault.blobs
        return {info.key for prefix in PREFIXES for info in await blobs.list(prefix) if is_object_key(info.key)}


def client_of(administration: str) -> str:
    return f"{administration}-backend"


def names(name: str) -> Names:
    return Names(ar=name, fr=name, zgh=name, en=name)


def plain_pdf(text: str = "Extrait", *, pages: int = 1) -> bytes:
    buffer = io.BytesIO()
    page = canvas.Canvas(buffer, invariant=True)
    for number in range(pages):
        page.drawString(72, 720, f"{text} {number + 1}")
        page.showPage()
    page.save()
    return buffer.getvalue()


def sealed(pki: Pki, by: Issued, *, text: str = "Extrait", time_stamp: bool = True, pages: int = 1) -> bytes:
    return seal(
        plain_pdf(text, pages=pages),
        sealer=_sealer(by.der, by.key_pem, pki.issuing.der),
        timestamper=LocalTimeStamper(pki.tsa.key, pki.tsa.der, [pki.issuing.der]) if time_stamp else None,
    )


@cache
def _sealer(certificate_der: bytes, key_pem: bytes, issuing_der: bytes) -> Sealer:
    key: Any = load_pem_private_key(key_pem, None)
    return Sealer(key, certificate_der, [issuing_der])


def new_pki(folder: Path) -> Pki:
    return load_or_create(
        folder,
        [
            SealOrder(
                identifier=identifier,
                organisation_identifier=f"NTRMA-{number}",
                latin_name=f"Administration {number}",
                arabic_name="إدارة",
                key="P-256",
            )
            for number, identifier in enumerate((INTERIOR, JUSTICE))
        ],
    )


def settings_for(locker_dsn: str, s3: Any, folder: Path, **changes: Any) -> LockerSettings:
    return LockerSettings(
        **{
            "mode": "embedded",
            "issuer": ISSUER,
            "locker_url": LOCKER,
            "database_url": locker_dsn,
            "secret": secrets.token_hex(32),
            "keys_folder": folder / "keys",
            "s3_endpoint": s3.endpoint,
            "s3_access_key": s3.access_key,
            "s3_secret_key": s3.secret_key,
            "s3_bucket": s3.bucket,
            "s3_fsync_folder": s3.bucket_folder,
            # One bucket for all tests, a log for each.
            "s3_log_prefix": f"log-{secrets.token_hex(8)}",
            "judge_workers": 1,
            # What it answers is asked, not how soon: the machine may be busy with other tests.
            "connections_wait_s": 5.0,
            **changes,
        }
    )


@asynccontextmanager
async def open_world(
    dsns: Any, s3: Any, folder: Path, *, provider: TinyProvider | None = None, **changes: Any
) -> AsyncIterator[World]:
    """``changes`` are settings that differ from the tests' own."""
    provider = provider or TinyProvider()
    app = create_app(settings_for(dsns.locker, s3, folder, **changes), idp_transport=httpx.ASGITransport(provider))
    owner_db = await Database.connect(dsns.owner)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)  # type: ignore[arg-type]
    async with (
        _running(app),
        httpx.AsyncClient(transport=transport, base_url=LOCKER, timeout=60) as client,
    ):
        wiring = app.state.wiring
        provider.locker_keys = LocalKeySet([SigningKey.load(folder / "keys" / "client-ES256.pem", "ES256")]).public
        world = World(client, provider, new_pki(folder / "pki"), wiring, owner_db, app=app)
        await _populate(world)
        yield world
    await owner_db.close()


@asynccontextmanager
async def _running(app: Litestar) -> AsyncIterator[None]:
    """The lifespan in a task of its own: pytest leaves a fixture in another task than it entered it in."""
    started, ending = asyncio.Event(), asyncio.Event()

    async def live() -> None:
        async with app.lifespan():
            started.set()
            await ending.wait()

    living = asyncio.create_task(live())
    waiting = asyncio.create_task(started.wait())
    await asyncio.wait({living, waiting}, return_when=asyncio.FIRST_COMPLETED)
    if living.done():
        living.result()
    yield
    ending.set()
    await living


async def _populate(world: World) -> None:
    db, audit = world.wiring.db, Audit("locker")
    for type_ in (BIRTH, RECORD):
        registration = TypeRegistration(type=type_, names=names(type_), category="civil-status", fields=SCHEMA)
        await register_type(db, audit, registration, officer="test")
    for administration, types in ((INTERIOR, [BIRTH]), (JUSTICE, [RECORD])):
        await register(
            db,
            audit,
            AdministrationRegistration(
                administration=administration,
                names=names(administration),
                clients=[client_of(administration)],
                types=types,
                seal_certificates=[world.pki.seals[administration].pem],
            ),
            officer="test",
        )
    await add(
        db,
        audit,
        TrustAddition(
            anchors=[world.pki.root.pem],
            intermediates=[world.pki.issuing.pem],
            crls=[base64.b64encode(crl).decode() for crl in world.pki.crls],
        ),
        officer="test",
    )
    for uid in (AMINA, YOUSSEF):
        world.subs[uid] = world.provider.enrol(uid)
