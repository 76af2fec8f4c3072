"""From an event in the outbox to a message that its receiver has taken, as the worker does it."""

import asyncio
import datetime as dt
import ipaddress
import ssl
import time
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bench.product import cpu_s
from bench.small_server import small_server
from bench.world import ADMINISTRATION, OFFICER, World
from khizana.databases import connected
from khizana.rounds import opened_jobs, webhook_limits
from kit import whole_file
from kit.audit import Audit
from kit.jobs.store import Jobs
from locker.webhooks.register import register
from locker.webhooks.schema import Actor, NewWebhook, Owner
from locker.webhooks.sealed_keys import SealedKeys
from locker.webhooks.spread import spread

MESSAGES, MESSAGES_QUICK = 2_000, 200
WEBHOOKS = 2
"""Of one administration; each event is told to both. More would wait for places at the one host that they share."""
TOPIC = "document.deposited"
_BODY = (
    b'{"type":"document.deposited","timestamp":"2026-01-01T00:00:00Z","data":{"document_id":"0","document_type":"X"}}'
)


async def webhooks(world: World, *, quick: bool) -> dict[str, Any]:
    messages = MESSAGES_QUICK if quick else MESSAGES
    settings = world.product.deployment.locker_settings()
    certificate = _certificate(world.folder / "receiver.pem")
    settings = msgspec.structs.replace(settings, outbound_ca_file=certificate, outbound_loopback=True)
    citizen, pdf = (await world.citizens())[0], await world.pdf(100_000)
    await world.deposit(citizen, pdf, await world.machine())
    async with (
        small_server("receiver.py", str(certificate), log=world.folder / "receiver.log", ready=_listens) as receiver,
        connected(settings.database_url) as db,
        opened_jobs(db, settings, ca_file=None) as worker,
    ):
        url = f"https://127.0.0.1:{receiver.port}"
        # What came before is nobody's: there is no webhook yet.
        await spread(db, Audit("locker"), Jobs("locker"), waiting_max=settings.webhook_waiting_max)
        for number in range(WEBHOOKS):
            await register(
                db,
                Audit("locker"),
                SealedKeys(settings.secret),
                NewWebhook(url=f"{url}/{number}", events=[TOPIC]),
                owner=Owner(administration=ADMINISTRATION),
                actor=Actor(kind="officer", name=OFFICER),
                loopback_allowed=True,
            )
        at_once = min(webhook_limits(settings).at_once_max, WEBHOOKS * webhook_limits(settings).per_webhook_max)
        bare = await _bare(url, certificate, messages, at_once=at_once)
        await _happen(world.product.environ["KHIZANA_OWNER_DATABASE_URL"], messages // WEBHOOKS)
        before, theirs, own, began = world.product.spent(), cpu_s([receiver.pid]), time.process_time(), time.monotonic()
        await spread(db, Audit("locker"), Jobs("locker"), waiting_max=settings.webhook_waiting_max)
        spread_s = time.monotonic() - began
        await worker.work_off()
        took, spent, own = time.monotonic() - began, world.product.spent().since(before), time.process_time() - own
        theirs = cpu_s([receiver.pid]) - theirs
        taken = await db.fetchval("SELECT count(*) FROM locker.webhook_message WHERE state = 'delivered'")
    assert taken == messages, f"{taken} of {messages} were taken"
    return {
        "measure": "webhooks",
        "rate_per_s": round(messages / took, 1),
        "events_spread_per_s": round(messages / WEBHOOKS / spread_s, 1),
        "cpu_ms_per_op": round(own / messages * 1000, 3),
        "database_cpu_ms_per_op": round(spent.database_s / messages * 1000, 3),
        "receiver_cpu_ms_per_op": round(theirs / messages * 1000, 3),
        "limit": f"the same POSTs by the same library, a connection each, {at_once} at once",
        "limit_rate_per_s": round(bare, 1),
        "ratio": round(messages / took / bare, 3),
        "n": messages,
        "note": f"one worker; {WEBHOOKS} webhooks, HMAC; each message resolved, checked, signed, sent and settled",
    }


async def _happen(owner_url: str, events: int) -> None:
    """As often as asked, what happened once: written by the role that owns the tables."""
    connection = await asyncpg.connect(owner_url)
    try:
        await connection.execute(
            """
            INSERT INTO locker.outbox (outbox_id, owner, topic, body)
            SELECT gen_random_uuid(), o.owner, o.topic, o.body
              FROM generate_series(1, $1),
                   (SELECT owner, topic, body FROM locker.outbox WHERE topic = $2 LIMIT 1) o""",
            events,
            TOPIC,
        )
    finally:
        await connection.close()


async def _bare(url: str, certificate: Path, messages: int, *, at_once: int) -> float:
    tls = ssl.create_default_context(cafile=str(certificate))
    left = iter(range(messages))
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=tls, force_close=True, limit=0), trust_env=False
    ) as http:

        async def some() -> None:
            for _ in left:
                async with http.post(f"{url}/bare", data=_BODY) as answer:
                    assert answer.status == 204

        began = time.monotonic()
        await asyncio.gather(*(some() for _ in range(at_once)))
    return messages / (time.monotonic() - began)


async def _listens(port: int) -> bool:
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.close()
    return True


def _certificate(path: Path) -> Path:
    """Key and certificate in one file, which is its own authority."""
    key, now = ec.generate_private_key(ec.SECP256R1()), dt.datetime.now(dt.UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Receiver of the bench")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(minutes=5))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    encoding = serialization.Encoding.PEM
    private = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    whole_file.replace(path, private + certificate.public_bytes(encoding))
    return path
