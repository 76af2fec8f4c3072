import errno
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path

from kit import own_folder
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


@asynccontextmanager
async def temporary_folder(prefix: str, parent: Path | None) -> AsyncIterator[Path]:
    """``parent`` None is the system's place for temporary files. Raises NoRoom."""
    async with AsyncExitStack() as stack:
        with within_room():
            folder = await stack.enter_async_context(own_folder.temporary_folder(prefix, parent))
        yield folder
