"""The product as a user starts it, on a home and a port of its own, and what its processes cost."""

import asyncio
import contextlib
import http.client
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from khizana.deployment import Deployment
from khizana.embedded import child
from khizana.embedded.child import NotStarted
from khizana.embedded.postgres import EmbeddedPostgres
from khizana.embedded.s3 import EmbeddedS3
from khizana.home import Home
from khizana.prepare import prepare
from khizana.supervise import Program

WORKERS = 2
READY_MAX_S = 60.0
_READY_PATHS = ("/idp/.well-known/openid-configuration", "/.well-known/jwks.json")
_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Product:
    home: Home
    environ: dict[str, str]
    server_pid: int
    database_pid: int
    object_store_pid: int

    @property
    def deployment(self) -> Deployment:
        return Deployment(self.environ)

    def workers(self) -> list[int]:
        """The processes that serve; their own children judge and draw."""
        return children(self.server_pid)

    def spent(self) -> "Spent":
        workers = self.workers()
        judges = [pid for worker in workers for pid in tree(worker)[1:]]
        return Spent(
            server_s=cpu_s(tree(self.server_pid)),
            judges_s=cpu_s(judges),
            database_s=cpu_s(tree(self.database_pid)),
            object_store_s=cpu_s(tree(self.object_store_pid)),
        )


@dataclass(frozen=True)
class Spent:
    """Seconds of CPU so far."""

    server_s: float
    """The judging and drawing processes included."""
    judges_s: float
    database_s: float
    object_store_s: float

    def since(self, before: "Spent") -> "Spent":
        return Spent(
            self.server_s - before.server_s,
            self.judges_s - before.judges_s,
            self.database_s - before.database_s,
            self.object_store_s - before.object_store_s,
        )


@contextlib.contextmanager
def product(**settings: str) -> Iterator[Product]:
    """``settings`` are variables of the environment. Everything is gone afterwards. Outside any event loop."""
    folder = Path(tempfile.mkdtemp(prefix="khizana-bench-"))
    home = Home(folder / "home", free_port())
    base = {name: value for name, value in os.environ.items() if not name.startswith("KHIZANA_")}
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        postgres = EmbeddedPostgres.start(home.folder)
        stack.callback(postgres.stop)
        s3 = EmbeddedS3.start(home.folder)
        stack.callback(s3.stop)
        environ = home.environ({**base, **settings}, postgres=postgres.address, s3=s3.kept)
        asyncio.run(prepare(Deployment(environ)))
        words = ("serve", "both", "--port", str(home.port), "--workers", str(WORKERS))
        serving = Program(words, log=home.folder / "serve.log", environ=environ)
        stack.callback(serving.stop)
        ready = child.wait_until(lambda: not serving.alive() or _ready(home.port), READY_MAX_S)
        if not ready or not serving.alive():
            raise NotStarted(f"the server did not start:\n{serving.said()}")
        yield Product(home, environ, serving.pid, postgres.process.pid, s3.process.pid)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _ready(port: int) -> bool:
    return all(_answers(port, path) for path in _READY_PATHS)


def _answers(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path, headers={"Host": f"localhost:{port}"})
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def children(pid: int) -> list[int]:
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, IndexError):
            if int(_stat(int(entry.name))[1]) == pid:
                found.append(int(entry.name))
    return sorted(found)


def tree(pid: int) -> list[int]:
    """The process and all that descend from it."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, IndexError):
            parents.setdefault(int(_stat(int(entry.name))[1]), []).append(int(entry.name))
    found, ahead = [], [pid]
    while ahead:
        one = ahead.pop()
        found.append(one)
        ahead += parents.get(one, [])
    return found


def cpu_s(pids: list[int]) -> float:
    """With what their children that have ended took. A process that is gone counts through its parent."""
    ticks = 0
    for pid in pids:
        with contextlib.suppress(OSError, IndexError):
            ticks += sum(int(field) for field in _stat(pid)[11:15])
    return ticks / _TICKS_A_SECOND


def _stat(pid: int) -> list[str]:
    """Fields of /proc/PID/stat from the third on: the second is a name that may hold anything."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def forget_peak(pids: list[int]) -> None:
    """From now on the peak is that of now."""
    for pid in pids:
        Path(f"/proc/{pid}/clear_refs").write_text("5")


def peak_mb(pids: list[int]) -> float:
    """Of the one that had most in memory."""
    return max(_status_kb(pid, "VmHWM") for pid in pids) / 1024


def resident_mb(pids: list[int]) -> float:
    return max(_status_kb(pid, "VmRSS") for pid in pids) / 1024


def _status_kb(pid: int, name: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1])
    return 0
