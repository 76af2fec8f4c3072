"""A mail server and a gateway for text messages, both real and on this machine."""

import asyncio
import datetime as dt
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.product import free_port

USER, PASSWORD = "khizana", "a p@ss/word"


class MailServer:
    """Keeps what it got. With a certificate it offers STARTTLS, and asks for it and for a login before anything;
    with ``smtps`` too it speaks TLS from the first byte."""

    def __init__(self, port: int, context: ssl.SSLContext | None, *, smtps: bool) -> None:
        self.port, self.mails, self.logins = port, [], 0  # type: ignore[var-annotated]
        self.refuses: str | None = None
        """What it says to every recipient."""
        self.holds: str | None = None
        """The command that it does not answer until ``let_go``."""
        self.held = threading.Semaphore(0)
        """Released for each command that is held."""
        self._go = asyncio.Event()
        starttls = context is not None and not smtps
        self._controller = Controller(
            self,
            hostname="127.0.0.1",
            port=port,
            ssl_context=context if smtps else None,
            tls_context=None if smtps else context,
            require_starttls=starttls,
            authenticator=self._authenticate if starttls else None,
            auth_required=starttls,
        )

    def _authenticate(self, server: Any, session: Any, envelope: Any, mechanism: str, auth_data: Any) -> AuthResult:
        assert isinstance(auth_data, LoginPassword)
        self.logins += 1
        right = (auth_data.login, auth_data.password) == (USER.encode(), PASSWORD.encode())
        return AuthResult(success=right, handled=False)

    def let_go(self) -> None:
        self.holds = None
        self._controller.loop.call_soon_threadsafe(self._go.set)

    async def _answers(self, command: str) -> None:
        if command == self.holds:
            self.held.release()
            await self._go.wait()

    async def handle_EHLO(self, server: Any, session: Any, envelope: Any, hostname: str, answers: Any) -> Any:
        session.host_name = hostname
        await self._answers("EHLO")
        return answers

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        if self.refuses:
            return self.refuses.format(address)
        envelope.rcpt_tos.append(address)
        return "250 known"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.mails.append(envelope)
        await self._answers("DATA")
        return "250 kept"

    async def handle_QUIT(self, server: Any, session: Any, envelope: Any) -> str:
        await self._answers("QUIT")
        return "221 bye"


@contextmanager
def mail_server(
    port: int | None = None, *, context: ssl.SSLContext | None = None, smtps: bool = False
) -> Iterator[MailServer]:
    server = MailServer(port or free_port(), context, smtps=smtps)
    server._controller.start()
    try:
        yield server
    finally:
        server._controller.stop()


class Gateway(ThreadingHTTPServer):
    """Answers 200 until ``status`` is another one, and while it ``may_answer``."""

    daemon_threads = True
    # Of five that connect at once the rest would wait for a second.
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status, self.asked = 200, []  # type: ignore[var-annotated]
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.was_asked = threading.Semaphore(0)
        """Released for each message that came."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/sms"


class _Handler(BaseHTTPRequestHandler):
    server: Gateway

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append((self.path, self.headers["Authorization"], body))
        self.server.was_asked.release()
        self.server.may_answer.wait()
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *arguments: Any) -> None:
        pass


@contextmanager
def gateway() -> Iterator[Gateway]:
    server = Gateway()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.may_answer.set()
        server.shutdown()
        server.server_close()


def certificate_for_localhost(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """What a server shows, and the file by which a client trusts it."""
    key, now = ec.generate_private_key(ec.SECP256R1()), dt.datetime.now(dt.UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(minutes=5))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, secret = folder / "localhost.pem", folder / "localhost.key"
    pem.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, secret)
    return context, pem
