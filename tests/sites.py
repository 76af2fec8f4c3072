"""Real servers of relying parties on this machine, with certificates of a test authority, and ears that only count."""

import asyncio
import datetime as dt
import ipaddress
import ssl
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

FOLDER = tempfile.TemporaryDirectory(prefix="khizana-ca-")


@cache
def authority_files() -> tuple[Path, Path]:
    """Files: the authority's certificate; a key with a certificate for localhost, *.site.test, 127.0.0.1 and ::1."""
    now = dt.datetime.now(dt.UTC)
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test authority")])

    def builder(name: x509.Name, public: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(ca_name)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(minutes=5))
            .not_valid_after(now + dt.timedelta(days=1))
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
        )

    ca = (
        builder(ca_name, ca_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key()), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    leaf = (
        builder(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "site.test")]), key.public_key())
        .add_extension(
            x509.SubjectAlternativeName(
                [
                    x509.DNSName("localhost"),
                    x509.DNSName("*.site.test"),
                    x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
                    x509.IPAddress(ipaddress.ip_address("::1")),
                ]
            ),
            critical=False,
        )
        .sign(ca_key, hashes.SHA256())
    )
    authority, server = Path(FOLDER.name) / "ca.pem", Path(FOLDER.name) / "server.pem"
    authority.write_bytes(ca.public_bytes(serialization.Encoding.PEM))
    server.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + leaf.public_bytes(serialization.Encoding.PEM)
    )
    return authority, server


@dataclass
class Request:
    method: str
    path: str
    host: str
    headers: dict[str, str]
    body: bytes


Answer = Callable[[Request], Awaitable[web.StreamResponse]]


@dataclass
class Site:
    """``answers`` by path; any other path is 404. Every request is kept, in order."""

    port: int = 0
    scheme: str = "https"
    answers: dict[str, web.StreamResponse | Answer] = field(default_factory=dict)
    requests: asyncio.Queue[Request] = field(default_factory=asyncio.Queue)

    def url(self, path: str, *, host: str = "localhost") -> str:
        return f"{self.scheme}://{host}:{self.port}{path}"

    def serve(self, path: str, body: bytes | str, content_type: str = "application/json", **headers: str) -> str:
        """The address at which this body now stands."""
        data = body.encode() if isinstance(body, str) else body

        async def answer(_: Request) -> web.Response:
            return web.Response(body=data, headers={"Content-Type": content_type, **headers})

        self.answers[path] = answer
        return self.url(path)

    def refuse(self, path: str, status: int, **headers: str) -> str:
        async def answer(_: Request) -> web.Response:
            return web.Response(status=status, headers=headers)

        self.answers[path] = answer
        return self.url(path)

    async def next(self, *, within_s: float = 10) -> Request:
        async with asyncio.timeout(within_s):
            return await self.requests.get()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        kept = Request(request.method, request.path_qs, request.host, dict(request.headers), await request.read())
        self.requests.put_nowait(kept)
        answer = self.answers.get(request.path)
        if answer is None:
            return web.Response(status=404)
        return await answer(kept) if callable(answer) else answer


@asynccontextmanager
async def running_site(
    *, tls: bool = True, host: str = "127.0.0.1", clients: Path | None = None
) -> AsyncIterator[Site]:
    """``clients``: the authority of the certificate that it asks every client for (mutual TLS)."""
    site = Site(scheme="https" if tls else "http")
    context = None
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(authority_files()[1])
        if clients is not None:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(clients)
    # A server's requests are all of this kind; its type says any.
    server = web.Server(site._handle)  # type: ignore[arg-type]
    runner = web.ServerRunner(server, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, host, 0, ssl_context=context).start()
    site.port = runner.addresses[0][1]
    try:
        yield site
    finally:
        await runner.cleanup()


@dataclass
class Ear:
    """Accepts and counts; says nothing."""

    port: int
    connections: int = 0


@asynccontextmanager
async def listening(host: str = "127.0.0.1") -> AsyncIterator[Ear]:
    ear = Ear(0)

    async def heard(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ear.connections += 1
        writer.close()

    server = await asyncio.start_server(heard, host, 0)
    ear.port = server.sockets[0].getsockname()[1]
    async with server:
        yield ear
