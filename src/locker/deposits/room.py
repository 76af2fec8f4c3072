import errno
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from locker.deposits.refusals import NoRoom

_FULL = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def within_room() -> Iterator[None]:
    """A full disk is NoRoom; every other fault of files stays one."""
    try:
        yield
    except OSError as fault:
        if fault.errno in _FULL:
            raise NoRoom from fault
        raise


def temporary_folder(prefix: str, parent: Path | None) -> "tempfile.TemporaryDirectory[str]":
    """``parent`` None is the system's place for temporary files. Raises NoRoom."""
    with within_room():
        return tempfile.TemporaryDirectory(prefix=prefix, dir=parent)
