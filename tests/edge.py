"""The edge as it is deployed: the distribution's nginx with deploy/edge, before a real server; spoken to in bytes."""

import asyncio
import datetime as dt
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.conftest import ROOT
from tests.product import free_port

IDP, MTLS, LOCKER = "id.edge.test", "mtls.edge.test", "locker.edge.test"
MODULES = Path("/usr/lib/nginx/modules")
READY_MAX_S = 180


@dataclass(frozen=True)
class Edge:
    port: int
    plain_port: int
    certificate: Path
    log: Path

    def context(self, *, client: "tuple[Path, Path] | None" = None) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self.certificate))
        if client is not None:
            context.load_cert_chain(*client)
        return context

    async def connect(
        self, host: str = IDP, *, context: ssl.SSLContext | None = None
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(
            "127.0.0.1", self.port, ssl=context or self.context(), server_hostname=host, ssl_handshake_timeout=20
        )

    async def say(self, data: bytes, host: str = IDP, *, context: ssl.SSLContext | None = None) -> "Said":
        """Send the bytes; what came until the server closed, or was silent for a second after its answer."""
        reader, writer = await self.connect(host, context=context)
        said = b""
        closed = False
        try:
            writer.write(data)
            while True:
                more = await asyncio.wait_for(reader.read(65_536), 1.0 if said else 20)
                if not more:
                    closed = True
                    break
                said += more
        except TimeoutError:
            pass
        except (ConnectionError, ssl.SSLError):
            closed = True
        finally:
            writer.close()
        return Said(said, closed)


@dataclass(frozen=True)
class Said:
    raw: bytes
    closed: bool

    @property
    def status(self) -> int:
        return int(self.raw.split(b" ", 2)[1])

    @property
    def head(self) -> str:
        return self.raw.partition(b"\r\n\r\n")[0].decode("latin-1").lower()

    @property
    def body(self) -> bytes:
        return self.raw.partition(b"\r\n\r\n")[2]


def _certificate(folder: Path, name: str, hosts: tuple[str, ...]) -> tuple[Path, Path]:
    """Self-signed; file of the certificate, file of the key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts or (name,)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    files = folder / f"{name}.pem", folder / f"{name}.key"
    files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return files


def client_certificate(folder: Path) -> tuple[Path, Path]:
    return _certificate(folder, "client", ())


@contextmanager
def running_edge(*, idp: str, locker: str, **changed: str) -> Iterator[Edge]:
    """``changed`` are the edge's own variables, without KHIZANA_EDGE_."""
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    if nginx is None or not (MODULES / "ngx_http_lua_module.so").exists():
        pytest.skip("SKIPPED: no nginx here; install nginx-light and libnginx-mod-http-lua to test the edge")
    with tempfile.TemporaryDirectory(prefix="khizana-edge-") as name:
        folder = Path(name)
        # nginx's workers give up the rights of who starts them.
        folder.chmod(0o755)
        certificate, key = _certificate(folder, "edge", (IDP, MTLS, LOCKER))
        port, plain_port = free_port(), free_port()
        told = {
            "RUN": str(folder / "run"),
            "MODULES": str(MODULES),
            "IDP_HOST": IDP,
            "MTLS_HOST": MTLS,
            "LOCKER_HOST": LOCKER,
            "IDP": idp,
            "LOCKER": locker,
            "HTTPS": f"127.0.0.1:{port}",
            "HTTP": f"127.0.0.1:{plain_port}",
            "CERTIFICATE": str(certificate),
            "KEY": str(key),
            **changed,
        }
        environ = {**os.environ, **{f"KHIZANA_EDGE_{one}": value for one, value in told.items()}}
        environ["PATH"] = f"{Path(nginx).parent}:{environ['PATH']}"
        log = folder / "edge.log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                [str(ROOT / "deploy" / "edge" / "start.sh")], env=environ, stdin=subprocess.DEVNULL, stderr=out
            )
        try:
            _wait_for(port, process, log)
            yield Edge(port, plain_port, certificate, log)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(20)


@contextmanager
def running_server(which: str, environ: dict[str, str], *, workers: int = 1) -> Iterator[str]:
    """``khizana serve``: granian; where it listens."""
    port = free_port()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("KHIZANA_")}
    with tempfile.NamedTemporaryFile(prefix="khizana-serve-") as log:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "khizana", "serve", which, "--port", str(port), "--workers", str(workers)],
            env={**kept, "PYTHONPATH": str(ROOT / "src"), **environ},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        try:
            _wait_for(port, process, Path(log.name))
            yield f"127.0.0.1:{port}"
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(20)


def _wait_for(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    end = time.monotonic() + READY_MAX_S
    while time.monotonic() < end and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError("it did not start:\n" + log.read_text(errors="replace")[-4000:])
