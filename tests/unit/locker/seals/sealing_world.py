"""A locker that seals for an administration, and a time-stamp authority behind a socket that can be made to lie."""

import asyncio
import base64
import dataclasses
import json
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pypdfium2
from asn1crypto import tsp
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from kit.audit import Audit
from locker.seals.enable import enable
from locker.signatures.policies import deposit_policy
from locker.signatures.schema import Verdict
from locker.trust.add import add
from locker.trust.schema import TrustAddition
from tests.locker_world import INTERIOR, LOCKER, World, new_pki, open_world, plain_pdf
from tests.time_stamp_authority import Authority, listening
from tests.unit.locker.signatures.signature_pki import YEAR, Holder, issue, name

SCOPE = "documents:seal"


class LyingAuthority(Authority):
    """``lie`` names what is wrong with the next answers."""

    lie: str | None = None

    def answer(self, asked: bytes) -> bytes:
        request = tsp.TimeStampReq.load(asked)
        if self.lie == "imprint":
            request["message_imprint"]["hashed_message"] = secrets.token_bytes(32)
        if self.lie == "nonce":
            request["nonce"] = request["nonce"].native + 1
        given = super().answer(request.dump(force=True))
        if self.lie == "signature":
            return given[:-1] + bytes([given[-1] ^ 1])
        if self.lie == "status":
            return bytes(tsp.TimeStampResp({"status": {"status": "rejection"}}).dump())
        return given


@dataclass
class Sealing:
    world: World
    authority: LyingAuthority
    keys_folder: Path

    @property
    def desk(self) -> Any:
        return self.world.wiring.seals

    async def ask(
        self,
        pdf: bytes | None = None,
        *,
        administration: str = INTERIOR,
        key: str | None = None,
        scope: str = SCOPE,
        **request: Any,
    ) -> httpx.Response:
        # A failure is remembered for half a minute, which no test waits for.
        self.desk.authorities.forget_failures()
        return await self.world.locker.post(
            "/v1/seals",
            headers={
                **self.world.machine(administration, scope=scope),
                "Idempotency-Key": f'"{key or secrets.token_hex(16)}"',
            },
            files={
                "document": ("document.pdf", plain_pdf() if pdf is None else pdf, "application/pdf"),
                "seal": ("seal.json", json.dumps(request).encode(), "application/json"),
            },
        )

    async def owner(self, sql: str, *args: Any) -> None:
        await self.world.owner_db.execute(sql, *args)

    @asynccontextmanager
    async def with_parts(self, **parts: Any) -> AsyncIterator[None]:
        """Requests that begin inside find these parts of the desk."""
        app = self.world.app
        real = app.state.wiring
        app.state.wiring = dataclasses.replace(real, seals=dataclasses.replace(real.seals, **parts))
        try:
            yield
        finally:
            app.state.wiring = real

    async def get(self, path: str, *, administration: str = INTERIOR) -> httpx.Response:
        return await self.world.locker.get(path, headers=self.world.machine(administration, scope=SCOPE))

    async def document(self, sealed: dict[str, Any], version: int | None = None) -> bytes:
        path = sealed["document"].removeprefix(LOCKER) + (f"?version={version}" if version else "")
        answer = await self.get(path)
        assert answer.status_code == 200, answer.text
        return answer.content

    async def judged(self, pdf: bytes, folder: Path, *, level: str, at: Any = None) -> Verdict:
        """By our own judge in its worker, as a deposit of this administration would be."""
        path = folder / f"{secrets.token_hex(8)}.pdf"
        path.write_bytes(pdf)
        trust = await self.desk.trust.trust(self.world.wiring.db)
        seals = (self.world.pki.seals[INTERIOR].der,)
        return await self.desk.judge.validate(
            path,
            trust=msgspec.structs.replace(trust, seals=seals),
            policy=deposit_policy(minimum_level=level.removeprefix("B-")),
            at=at,
        )


@asynccontextmanager
async def open_sealing(dsns: Any, s3: Any, folder: Path, **changes: Any) -> AsyncIterator[Sealing]:
    """The administration's key is the file that the test PKI made its certificate for."""
    pki = new_pki(folder / "pki")
    authority = LyingAuthority(stamps_of(pki))
    async with listening(authority):
        keys = folder / "keys" / "seals"
        keys.mkdir(parents=True)
        (keys / f"{INTERIOR}.pem").write_bytes(pki.seals[INTERIOR].key_pem)
        changes = {"time_stamp_authorities": (authority.address,), "time_stamp_answer_max_s": 1.0, **changes}
        async with open_world(dsns, s3, folder, **changes) as world:
            await enable_for(world, INTERIOR)
            yield Sealing(world, authority, keys)


async def enable_for(world: World, administration: str) -> None:
    await enable(
        world.wiring.db,
        Audit("locker"),
        world.wiring.seals.keys,
        administration=administration,
        certificate=world.pki.seals[administration].pem,
        chain=[world.pki.issuing.pem],
        officer="test",
    )


def stamps_of(pki: Any) -> Holder:
    """A time-stamp authority of the locker's PKI; the software behind the socket knows RSA alone."""
    issuing = Holder(pki.issuing.key, pki.issuing.certificate)
    key = rsa.generate_private_key(65537, 2048)
    made = issue(name("Authority of Tests"), by=issuing, key=key, time_stamping=True, non_repudiation=False, **_now())
    return Holder(made.key, made.certificate, (issuing,))


def stranger() -> Holder:
    """An authority that leads to no anchor of the locker."""
    key = rsa.generate_private_key(65537, 2048)
    root = issue(name("Somebody's Root"), by=None, ca=True, **_now())
    return issue(name("Somebody's Authority"), by=root, key=key, time_stamping=True, non_repudiation=False, **_now())


def _now() -> dict[str, Any]:
    """The locker's clock is that of the machine."""
    now = datetime.now(UTC)
    return {"not_before": now - YEAR, "not_after": now + YEAR}


@asynccontextmanager
async def silence() -> AsyncIterator[str]:
    """An address that takes a connection and says nothing."""
    ending = asyncio.Event()

    async def wait(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await ending.wait()
        writer.close()

    server = await asyncio.start_server(wait, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        ending.set()


async def revoke(world: World) -> None:
    """A newer list of the issuing authority names the seal's certificate."""
    issuing, sealed = world.pki.issuing, world.pki.seals[INTERIOR]
    now = datetime.now(UTC)
    entry = (
        x509.RevokedCertificateBuilder()
        .serial_number(sealed.certificate.serial_number)
        .revocation_date(now - timedelta(hours=1))
        .build()
    )
    crl = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuing.certificate.subject)
        .last_update(now)
        .next_update(now + timedelta(days=7))
        .add_revoked_certificate(entry)
        .add_extension(x509.CRLNumber(2), critical=False)
        .sign(issuing.key, hashes.SHA256())
    )
    encoded = base64.b64encode(crl.public_bytes(serialization.Encoding.DER)).decode()
    await add(world.wiring.db, Audit("locker"), TrustAddition(crls=[encoded]), officer="test")


def dark_in(pdf: bytes, page: int, box: list[int]) -> int:
    """How many pixels of that box are dark, at two pixels a point, form fields drawn."""
    document = pypdfium2.PdfDocument(pdf)
    document.init_forms()
    picture = document[page].render(scale=2, may_draw_forms=True).to_pil().convert("L")
    left, bottom, right, top = (2 * edge for edge in box)
    part = picture.crop((left, picture.height - top, right, picture.height - bottom))
    return sum(part.histogram()[:128])
