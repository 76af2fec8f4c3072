"""The inside of a worker process: limits first, then one job after another from stdin. See ``kit.workers``."""

import contextlib
import ctypes
import gc
import importlib
import os
import resource
import signal
import struct
import sys
import traceback
from collections.abc import Callable
from typing import Any, BinaryIO

_FRAME = struct.Struct(">cI")
_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38
_CLONE_NEWUSER = 0x10000000
_CLONE_NEWNET = 0x40000000

# Audit events (PEP 578) that a job never needs: the network and other programs.
_FORBIDDEN = frozenset(
    {
        "socket.connect",
        "socket.bind",
        "socket.sendto",
        "socket.sendmsg",
        "socket.getaddrinfo",
        "socket.gethostbyname",
        "socket.gethostbyaddr",
        "subprocess.Popen",
        "os.system",
        "os.exec",
        "os.fork",
        "os.forkpty",
        "os.posix_spawn",
        "os.spawn",
    }
)


def _die_with_parent(parent_pid: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    # It may have died between fork and here.
    if os.getppid() != parent_pid:
        sys.exit(3)


def _limit(address_space_bytes: int, file_max_bytes: int, cpu_hard_s: int) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core file would hold a citizen's document
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    resource.setrlimit(resource.RLIMIT_FSIZE, (file_max_bytes, file_max_bytes))
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CPU, (resource.RLIM_INFINITY, cpu_hard_s))
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_AS, (address_space_bytes, address_space_bytes))


def _confine() -> None:
    def refuse(event: str, _: tuple[Any, ...]) -> None:
        if event in _FORBIDDEN:
            raise PermissionError(f"a worker may not use {event}")

    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        # An empty network, where the kernel lets us; the audit hook below holds everywhere.
        if libc.unshare(_CLONE_NEWNET) != 0:
            libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET)
        # When memory runs out, the kernel takes a worker before anything else.
        with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as score:
            score.write("500")
    sys.addaudithook(refuse)


def _allow_cpu(cpu_s: int) -> None:
    """The limit counts the process's whole life, so each job moves it forward."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    soft = int(used.ru_utime + used.ru_stime) + cpu_s + 1
    resource.setrlimit(resource.RLIMIT_CPU, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard))


def _answer(function: Callable[[bytes], bytes], argument: bytes) -> tuple[bytes, bytes]:
    try:
        return b"=", function(argument)
    except MemoryError:
        return b"m", b""
    except Exception as fault:
        # Where, not what: the message of an exception may hold the document.
        frame = traceback.extract_tb(fault.__traceback__)[-1]
        return b"!", f"{type(fault).__name__} at {os.path.basename(frame.filename)}:{frame.lineno}".encode()


def _write(out: BinaryIO, kind: bytes, body: bytes) -> None:
    out.write(_FRAME.pack(kind, len(body)) + body)
    out.flush()


def main() -> None:
    target, *numbers = sys.argv[1:]
    parent_pid, address_space_bytes, cpu_s, jobs_max, file_max_bytes = (int(number) for number in numbers)
    _die_with_parent(parent_pid)
    # The protocol keeps the real stdout; what a library prints goes nowhere near it.
    out = os.fdopen(os.dup(1), "wb")
    questions = os.fdopen(os.dup(0), "rb")
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    module_name, function_name = target.split(":")
    function: Callable[[bytes], bytes] = getattr(importlib.import_module(module_name), function_name)
    gc.collect()
    gc.freeze()  # what was imported stays; collections look at the job's objects only
    _limit(address_space_bytes, file_max_bytes, cpu_hard_s=(cpu_s + 1) * (jobs_max + 1) + 60)
    _confine()
    os.dup2(nothing, 1)
    os.dup2(nothing, 2)
    _write(out, b"r", b"")
    while header := questions.read(_FRAME.size):
        _, length = _FRAME.unpack(header)
        argument = questions.read(length)
        # From here on its end is the job's doing; before, somebody else's.
        _write(out, b"b", b"")
        _allow_cpu(cpu_s)
        kind, body = _answer(function, argument)
        _write(out, kind, body)


if __name__ == "__main__":
    main()
