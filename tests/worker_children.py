"""The processes that judge, draw and look at files for another one: to be stopped and killed."""

import contextlib
from pathlib import Path


def worker_children(pid: int) -> set[int]:
    """Wherever they hang below it."""
    return {below for below in _below(pid) if b"kit.worker_child" in _command(below)}


def _below(pid: int) -> list[int]:
    found: list[int] = []
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                found += [int(child), *_below(int(child))]
    return found


def _command(pid: int) -> bytes:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""
