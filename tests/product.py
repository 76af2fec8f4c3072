"""The product as a newcomer starts it, with the demo country in it: one for each test process that asks for it."""

import asyncio
import base64
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import asyncpg
import httpx
import pytest

from idp.authenticators import totp
from khizana.embedded import postgres

READY_MAX_S = 240
ROOT = Path(__file__).parent.parent


@dataclass
class Citizen:
    uid: str
    password: str
    totp_secret: str
    name: str
    locale: str

    def secret(self) -> bytes:
        text = self.totp_secret.replace(" ", "")
        return base64.b32decode(text + "=" * (-len(text) % 8))


@dataclass
class Product:
    home: Path
    url: str
    told: dict[str, Any]
    process: "subprocess.Popen[bytes]"

    @property
    def issuer(self) -> str:
        return f"{self.url}/idp"

    @property
    def citizens(self) -> list[Citizen]:
        return [Citizen(**one) for one in self.told["sign_ins"]]

    def environ(self) -> dict[str, str]:
        return environ(self.home, urlsplit(self.url).port or 0)

    def khizana(self, *words: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        """The command line, on this product's home."""
        return subprocess.run(
            [sys.executable, "-m", "khizana", *words],
            env=self.environ(),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=120,
        )

    def browser(self, language: str = "fr") -> "HttpBrowser":
        return HttpBrowser(self.url, language)


def environ(home: Path, port: int) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("KHIZANA_")}
    kept.pop("PYTHONDONTWRITEBYTECODE", None)
    path = os.pathsep.join(filter(None, [str(ROOT / "src"), kept.get("PYTHONPATH")]))
    return {
        **kept,
        "PYTHONPATH": path,
        "KHIZANA_HOME": str(home),
        "KHIZANA_PORT": str(port),
        # Relying parties and other providers of the tests are on this machine.
        "KHIZANA_IDP_OUTBOUND_LOOPBACK": "true",
    }


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def start(home: Path, port: int, *words: str) -> "subprocess.Popen[bytes]":
    home.mkdir(parents=True, exist_ok=True)
    with (home / "run.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "khizana", "run", *words],
            env=environ(home, port),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def wait_until_told(home: Path, process: "subprocess.Popen[bytes]", since: int = 0) -> None:
    """Until ``run`` says that it is ready."""
    end = time.monotonic() + READY_MAX_S
    while time.monotonic() < end:
        said = (home / "run.log").read_bytes()[since:]
        if b"Ctrl-C stops it" in said:
            return
        if process.poll() is not None:
            break
        time.sleep(0.1)
    raise AssertionError("the product did not start:\n" + (home / "run.log").read_text(errors="replace")[-4000:])


@contextmanager
def running_product() -> Iterator[Product]:
    with tempfile.TemporaryDirectory(prefix="khizana-product-", ignore_cleanup_errors=True) as folder:
        home, port = Path(folder) / "home", free_port()
        process = start(home, port)
        try:
            wait_until_told(home, process)
            _homes.append(home)
            marker = home / "demo.json"
            assert marker.exists(), (home / "run.log").read_text(errors="replace")[-4000:]
            yield Product(home, f"http://localhost:{port}", json.loads(marker.read_text()), process)
        finally:
            if home in _homes:
                _homes.remove(home)
            process.send_signal(signal.SIGINT)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)


@pytest.fixture(scope="session")
def product() -> Iterator[Product]:
    with running_product() as running:
        yield running


_FORM = re.compile(r"<form\b([^>]*)>(.*?)</form>", re.DOTALL)
_HIDDEN = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)"')


@dataclass
class HttpBrowser:
    """A browser without JavaScript, over real HTTP: cookies as at http://localhost, forms read from the pages."""

    url: str
    language: str
    cookies: dict[str, str] = field(default_factory=dict)
    http: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=60, trust_env=False))

    def get(self, path: str, **headers: str) -> httpx.Response:
        return self.send("GET", path, headers=headers)

    def follow(self, response: httpx.Response, *, until: str | None = None) -> httpx.Response:
        """Along redirects on our own host; ``until`` is where to stop, unopened."""
        for _ in range(10):
            if response.status_code not in (302, 303, 307):
                return response
            target = urljoin(str(response.request.url), response.headers["location"])
            if until is not None and target.startswith(until):
                return response
            assert target.startswith(self.url), target
            response = self.get(target)
        raise AssertionError("too many redirects")

    def submit(self, page: httpx.Response, *, until: str | None = None, **fields: Any) -> httpx.Response:
        """The page's own form with what a person would fill in."""
        forms = [pair for pair in _FORM.findall(page.text) if "sign-out" not in pair[0]]
        fitting = [pair for pair in forms if all(f'name="{name}"' in pair[1] for name in fields)]
        assert fitting, page.text
        attributes, body = fitting[-1]
        action = re.search(r'action="([^"]*)"', attributes)
        target = urljoin(str(page.request.url), unescape(action[1])) if action else str(page.request.url)
        hidden = {unescape(name): unescape(value) for name, value in _HIDDEN.findall(body)}
        return self.follow(self.send("POST", target, data={**hidden, **fields}), until=until)

    def send(self, method: str, path: str, *, headers: dict[str, str] | None = None, **body: Any) -> httpx.Response:
        sent = {"Accept": "text/html", "Accept-Language": self.language, **(headers or {})}
        if self.cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        response = self.http.request(method, urljoin(self.url, path), headers=sent, **body)
        for line in response.headers.get_list("set-cookie"):
            name, _, rest = line.partition("=")
            value = rest.split(";", 1)[0].strip('"')
            if value:
                self.cookies[name] = value
            else:
                self.cookies.pop(name, None)
        self.http.cookies.clear()
        return response

    def sign_in(self, page: httpx.Response, citizen: Citizen, *, until: str | None = None) -> httpx.Response:
        """From the sign-in page on: password, second factor, consent where it is asked."""
        page = self.submit(page, username=citizen.uid, password=citizen.password, until=until)
        if 'value="totp"' in page.text:
            page = self.submit(page, way="totp")
        page = self.submit(page, otp=unused_code(citizen), until=until)
        if 'id="consent-allow"' in page.text:
            page = self.submit(page, decision="allow", until=until)
        return page


def unused_code(citizen: Citizen) -> str:
    """Each step's code passes once; the product is made to forget it, as if half a minute had passed."""
    with ThreadPoolExecutor(1) as pool:
        for home in _homes:
            pool.submit(asyncio.run, _forget_codes(home)).result()
    return totp.code_at(citizen.secret(), totp.step_at(time.time()))


_homes: list[Path] = []
"""Of products that run."""


async def _forget_codes(home: Path) -> None:
    address = postgres.running(home)
    assert address is not None
    connection = await asyncpg.connect(address.dsn("owner"))
    try:
        await connection.execute("UPDATE idp.totp SET last_step = 0")
    finally:
        await connection.close()
