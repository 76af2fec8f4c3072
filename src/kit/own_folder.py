"""Temporary files that do not outlive their process for long: whoever starts next removes what a killed one left."""

import asyncio
import fcntl
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

_PREFIX = "khizana-run-"
_TRIES = 10


@contextmanager
def own_folder(parent: Path | None) -> Iterator[Path]:
    """A folder for this process alone, gone with everything in it when the context ends.

    The lock on it is the kernel's and ends with the process, however that ends; programs that clean /tmp by age respect
    it as well. ``parent`` None is the system's place for temporary files.
    """
    base = parent or Path(tempfile.gettempdir())
    _remove_abandoned(base)
    folder, descriptor = _locked(base)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)


@asynccontextmanager
async def temporary_folder(prefix: str, parent: Path | None) -> AsyncIterator[Path]:
    """For one request. Its removal stands in line for the file system's journal, on a busy disk for tens of
    milliseconds, so it is done in a thread."""
    folder = tempfile.TemporaryDirectory(prefix=prefix, dir=parent)
    try:
        yield Path(folder.name)
    finally:
        await asyncio.to_thread(folder.cleanup)


def _locked(base: Path) -> tuple[Path, int]:
    for _ in range(_TRIES):
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=base))
        descriptor = _lock(folder)
        # Somebody else who starts just now may have taken it for an abandoned one.
        if descriptor is not None:
            if folder.exists():
                return folder, descriptor
            os.close(descriptor)
    raise RuntimeError("no folder for temporary files")


def _lock(folder: Path) -> int | None:
    """None: it is somebody's, or no folder of ours at all."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        if os.fstat(descriptor).st_uid == os.geteuid():
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return descriptor
    except BlockingIOError:
        pass
    os.close(descriptor)
    return None


def _remove_abandoned(base: Path) -> None:
    for folder in base.glob(f"{_PREFIX}*"):
        descriptor = _lock(folder)
        if descriptor is not None:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(descriptor)
