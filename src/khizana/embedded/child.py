"""Child processes that do not outlive us, and what a killed predecessor may have left behind."""

import contextlib
import fcntl
import functools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

LOG_MAX_BYTES = 10_000_000
LOOK_MAX_S = 0.3


class NotStarted(Exception):
    """An embedded server did not come up; the message is for a person."""


def dying_with_us(signal_name: str) -> list[str]:
    """Prefix of a command that gets ``signal_name`` when we die in whatever way; nothing where that cannot be had.

    The kernel ties it to the thread that started the child: start children from a thread that stays.
    """
    setpriv = shutil.which("setpriv")
    if setpriv is None or subprocess.run([setpriv, "--pdeathsig", signal_name, "true"], capture_output=True).returncode:
        return []
    return [setpriv, "--pdeathsig", signal_name]


def spawn(
    command: Sequence[str], *, log: Path, environ: Mapping[str, str] | None = None, cwd: Path | None = None
) -> subprocess.Popen[bytes]:
    """In its own session: a Ctrl-C at the terminal reaches us alone, and we stop the children in order."""
    if log.exists() and log.stat().st_size > LOG_MAX_BYTES:
        log.replace(log.with_suffix(".log.1"))
    with log.open("ab") as output:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(environ) if environ is not None else None,
            cwd=cwd,
            start_new_session=True,
        )


def last_lines(log: Path, count: int = 8) -> str:
    with contextlib.suppress(OSError):
        return "\n".join(log.read_text(errors="replace").splitlines()[-count:])
    return ""


def end(process: subprocess.Popen[bytes], signals: Sequence[signal.Signals], *, each_s: float) -> None:
    """Ask more and more firmly; SIGKILL at the end."""
    for number in (*signals, signal.SIGKILL):
        if process.poll() is not None:
            return
        process.send_signal(number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(each_s)


def end_stranger(pid: int, is_it: Callable[[int], bool], signals: Sequence[signal.Signals], *, each_s: float) -> None:
    """The same for a process that is not our child; ``is_it`` is asked before each signal, as numbers are reused."""
    for number in (*signals, signal.SIGKILL):
        if not is_it(pid):
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        wait_until(lambda: not is_it(pid), each_s)


def wait_until(done: Callable[[], bool], limit_s: float) -> bool:
    deadline = time.monotonic() + limit_s
    while not done():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def command_of(pid: int) -> str:
    """The command line of a living process, with blanks between its words; empty if there is none."""
    proc = Path(f"/proc/{pid}/cmdline")
    if Path("/proc/self").exists():
        try:
            return proc.read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        except OSError:
            return ""
    answer = subprocess.run(["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True)
    return answer.stdout.strip()


def working_in(folder: Path) -> list[int]:
    """Processes whose working directory is ``folder``: PostgreSQL's servers stand in their data folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (entry / "cwd").readlink() == folder:
                found.append(int(entry.name))
    return found


@functools.cache
def user_namespace() -> tuple[str, ...]:
    """Prefix under which we are another user, one that has a name and is not root, and still reach our own files.

    Empty where the machine refuses that.
    """
    names = {entry.pw_uid for entry in pwd.getpwall()} - {0}
    if not names or shutil.which("unshare") is None:
        return ()
    # 65534 also stands for everybody who is not mapped: the last choice.
    uid = min(names - {65534}, default=65534)
    prefix = ("unshare", "--user", f"--map-user={uid}", f"--map-group={uid}")
    return prefix if subprocess.run([*prefix, "true"], capture_output=True).returncode == 0 else ()


def has_name() -> bool:
    """Container platforms run programs under numbers that no user has."""
    try:
        pwd.getpwuid(os.geteuid())
    except KeyError:
        return False
    return True


class HeldLock:
    """One holder of a file among all processes; the kernel lets go of it when the holder dies."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    @classmethod
    def take(cls, path: Path) -> "HeldLock | None":
        """None if somebody else holds it, and not only to look whether anybody does."""
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("ab")

        def taken() -> bool:
            with contextlib.suppress(OSError):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
            return False

        if wait_until(taken, LOOK_MAX_S):
            return cls(file)
        file.close()
        return None

    @staticmethod
    def held(path: Path) -> bool:
        """Does somebody hold it? (A lock of one's own counts.)"""
        try:
            file = path.open("rb")
        except OSError:
            return False
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                return True
        return False

    def release(self) -> None:
        self._file.close()


def write_private(path: Path, content: str) -> None:
    """Whole or not at all, readable by us alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(handle, "w") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    Path(name).replace(path)


@contextlib.contextmanager
def private_file(folder: Path, content: str, *, owner: int | None = None) -> Iterator[Path]:
    """A file that holds a secret for as long as a command needs to read it."""
    handle, name = tempfile.mkstemp(dir=folder)
    try:
        with os.fdopen(handle, "w") as file:
            file.write(content)
        if owner is not None:
            os.chown(name, owner, owner)
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)
