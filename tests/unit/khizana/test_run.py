"""``khizana run``: the whole product as one command, and what becomes of it when parts or all of it are killed."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from khizana.commands.run import tell
from khizana.home import Home

READY_MAX_S = 90.0

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="SKIPPED: looks at processes through /proc"),
]


class Product:
    """``python -m khizana run --no-demo`` on a home and a port of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.url = f"http://localhost:{self.port}"
        kept = {name: value for name, value in os.environ.items() if not name.startswith("KHIZANA_")}
        self._environ = {
            **kept,
            "KHIZANA_HOME": str(home),
            "KHIZANA_PORT": str(self.port),
            "KHIZANA_WORKERS": "1",
        }
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> "Product":
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "khizana", "run", "--no-demo"],
            env=self._environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert self._process.stdout is not None
        said = []
        for line in self._process.stdout:
            said.append(line)
            if "Ctrl-C stops it" in line:
                return self
        pytest.fail("".join(said))

    def again(self) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-P", "-m", "khizana", "run", "--no-demo"],
            env=self._environ,
            capture_output=True,
            text=True,
            timeout=60,
        )

    def stop(self) -> int:
        assert self._process is not None
        self._process.terminate()
        return self._process.wait(60)

    def kill_everything(self) -> None:
        for pid in self.processes():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        assert self._process is not None
        self._process.wait(10)

    def processes(self) -> list[int]:
        """Ours by what their environment or their command line names, our own process excepted."""
        mark = str(self.home).encode()
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if mark in (entry / "environ").read_bytes() + (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
        return [pid for pid in found if pid != os.getpid()]

    def answers(self) -> bool:
        with suppress(httpx.TransportError):
            paths = ("/idp/.well-known/openid-configuration", "/.well-known/jwks.json", "/idp/jwks")
            return all(httpx.get(self.url + path, timeout=10).status_code == 200 for path in paths)
        return False

    def comes_back(self) -> bool:
        deadline = time.monotonic() + READY_MAX_S
        while time.monotonic() < deadline:
            if self.answers():
                return True
            time.sleep(0.1)
        return False


@pytest.fixture(scope="module")
def product() -> Iterator[Product]:
    home = Path(tempfile.mkdtemp(prefix="khizana-test-"))
    product = Product(home).start()
    yield product
    product.stop()
    shutil.rmtree(home, ignore_errors=True)


def test_it_serves_both_apps_under_one_address(product: Product) -> None:
    assert product.answers()
    issuer = httpx.get(f"{product.url}/idp/.well-known/openid-configuration").json()["issuer"]
    assert issuer == f"{product.url}/idp"


def test_a_second_one_for_the_same_home_says_that_it_runs(product: Product) -> None:
    again = product.again()
    assert again.returncode == 2
    assert again.stderr.startswith("error: running: ")
    assert product.answers()


def test_the_killed_server_comes_back(product: Product) -> None:
    os.kill(json.loads((product.home / "serve.json").read_text())["pid"], signal.SIGKILL)
    assert product.comes_back()


def test_the_killed_database_comes_back_under_its_old_address(product: Product) -> None:
    before = (product.home / "postgres-socket.json").read_text()
    pid = int((product.home / "postgres" / "postmaster.pid").read_text().split("\n", 1)[0])
    os.kill(pid, signal.SIGKILL)
    assert product.comes_back()
    client = {"grant_type": "client_credentials", "client_id": "nobody"}
    deadline = time.monotonic() + READY_MAX_S
    # A statement, not only a published key: "no such client" is read from the database.
    while httpx.post(f"{product.url}/idp/token", data=client).status_code != 401:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert (product.home / "postgres-socket.json").read_text() == before


def test_killed_altogether_it_starts_again_by_itself_and_in_seconds(product: Product) -> None:
    kid = httpx.get(f"{product.url}/idp/jwks").json()["keys"][0]["kid"]
    product.kill_everything()
    left = product.home / "tmp" / "khizana-deposit-left" / "document.pdf"
    left.parent.mkdir()
    left.touch()
    product.start()
    assert product.answers()
    assert not left.exists(), "a document in the clear outlived the server that was killed"
    assert httpx.get(f"{product.url}/idp/jwks").json()["keys"][0]["kid"] == kid


def test_asked_to_stop_it_leaves_nothing_behind_and_keeps_its_data(product: Product) -> None:
    assert product.stop() == 0
    deadline = time.monotonic() + 10
    while product.processes() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert product.processes() == []
    product.start()
    assert product.answers()


def test_a_taken_port_is_named_with_the_way_out() -> None:
    home = Path(tempfile.mkdtemp(prefix="khizana-test-"))
    product = Product(home)
    try:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", product.port))
            taken.listen()
            said = product.again()
        assert said.returncode == 2
        assert said.stderr.startswith("error: port-taken: ")
        assert "KHIZANA_PORT=" in said.stderr
    finally:
        shutil.rmtree(home, ignore_errors=True)


def test_it_tells_the_addresses_that_are_set_and_not_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    given = {"KHIZANA_ISSUER": "https://id.example.ma/idp", "KHIZANA_LOCKER_URL": "https://locker.example.ma"}
    told = {"to_activate": [{"uid": "1234567897", "activation_code": "c-1"}], "folder": "x"}
    for environ, issuer, locker in (
        (given, given["KHIZANA_ISSUER"], given["KHIZANA_LOCKER_URL"]),
        ({"KHIZANA_PORT": "8080"}, "http://localhost:8080/idp", "http://localhost:8080"),
    ):
        tell(Home.of(environ), told)
        said = capsys.readouterr().out
        assert f"Open      {locker}\n" in said
        assert f"Provider  {issuer}\n" in said
        assert f"activate at {issuer}/activate" in said
        assert f"verify at {locker}/verify" in said
