"""Files of secrets, whole and on disk before they have their name, readable by us alone."""

import contextlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def write_once(file: Path, content: bytes) -> None:
    """What is there stays."""
    with _fresh(file, content) as fresh, contextlib.suppress(FileExistsError):
        os.link(fresh, file)


def replace(file: Path, content: bytes) -> None:
    """What was there stays until the new one is whole."""
    with _fresh(file, content) as fresh:
        fresh.replace(file)


@contextmanager
def _fresh(file: Path, content: bytes) -> Iterator[Path]:
    fresh = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(content)
            opened.flush()
            os.fsync(opened.fileno())
        yield fresh
    finally:
        fresh.unlink(missing_ok=True)
    _sync(file.parent)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
