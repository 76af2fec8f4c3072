"""ClamAV's INSTREAM command (clamd(8)): ``zINSTREAM\\0``, chunks of a length (4 bytes, big-endian) and that many bytes,
a chunk of no length, and one answer that ends with a zero byte."""

import asyncio
import contextlib
import logging
import re
import struct
import time
from pathlib import Path

from locker.scanning.refusals import NoVerdict, ScannerAway
from locker.scanning.schema import Scanned

log = logging.getLogger(__name__)

CONNECT_S = 1.0
ANSWER_MAX_BYTES = 4_096
_CHUNK_BYTES = 65_536
_LENGTH = struct.Struct(">I")
_FOUND = re.compile(rb"stream: ([\x21-\x7e]{1,200}) FOUND")
_HOST_PORT = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<host>[^\s/:\[\]]+)):(?P<port>[0-9]{1,5})")


class Scanner:
    """``address`` is ``host:port`` or the absolute path of a Unix socket.

    At most ``at_once_max`` files are at the scanner and as many wait. A scanner that was away is not asked again for
    ``rest_s``, so that it costs nobody a time-out who comes meanwhile.
    """

    def __init__(self, address: str, *, answer_max_s: float, at_once_max: int = 8, rest_s: float = 2.0) -> None:
        self._where = where(address)
        self._answer_max_s = answer_max_s
        self._places = asyncio.Semaphore(at_once_max)
        self._taken_max = 2 * at_once_max
        self._taken = 0
        self._rest_s = rest_s
        self._rests_until = 0.0

    async def scan(self, *files: Path) -> Scanned:
        """The first thing found in any of ``files``. Raises ScannerAway: whatever is no verdict is not clean."""
        for file in files:
            scanned = await self._one(file)
            if not scanned.clean:
                return scanned
        return Scanned()

    async def _one(self, file: Path) -> Scanned:
        if time.monotonic() < self._rests_until or self._taken >= self._taken_max:
            raise ScannerAway
        self._taken += 1
        try:
            async with asyncio.timeout(self._answer_max_s):
                async with self._places:
                    return await self._ask(file)
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as fault:
            self._rests_until = time.monotonic() + self._rest_s
            log.warning("the scanner is away: %s", type(fault).__name__)
            raise ScannerAway from None
        finally:
            self._taken -= 1

    async def _ask(self, file: Path) -> Scanned:
        reader, writer = await self._connected()
        all_sent = asyncio.Event()
        try:
            sending = asyncio.create_task(_send(writer, file, all_sent))
            # It may find something, and close, before it has read all: the answer counts, not the broken pipe.
            try:
                scanned = read_answer((await reader.readuntil(b"\0"))[:-1])
            finally:
                sending.cancel()
                with contextlib.suppress(asyncio.CancelledError, OSError):
                    await sending
        finally:
            # Closing would wait for what it does not read.
            writer.transport.abort()
        if scanned.clean and not all_sent.is_set():
            log.error("the scanner called a file clean before it had all of it")
            raise NoVerdict
        return scanned

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        async with asyncio.timeout(CONNECT_S):
            if isinstance(self._where, Path):
                return await asyncio.open_unix_connection(self._where, limit=ANSWER_MAX_BYTES)
            host, port = self._where
            return await asyncio.open_connection(host, port, limit=ANSWER_MAX_BYTES)


def where(address: str) -> Path | tuple[str, int]:
    """ValueError for what is neither ``host:port``, ``[address]:port`` nor an absolute path."""
    if address.startswith("/"):
        return Path(address)
    found = _HOST_PORT.fullmatch(address)
    if found is None or not 0 < int(found["port"]) < 65_536:
        raise ValueError("clamav: host:port, or the absolute path of a Unix socket")
    return found["six"] or found["host"], int(found["port"])


def read_answer(answer: bytes) -> Scanned:
    """Only the two answers that are verdicts: ``INSTREAM size limit exceeded. ERROR`` and the like are NoVerdict."""
    if answer == b"stream: OK":
        return Scanned()
    if found := _FOUND.fullmatch(answer):
        return Scanned(signature=found[1].decode("ascii"))
    # Its own words hold nothing of the file; to the log, escaped and short.
    log.error("the scanner gave no verdict: %r", answer[:200])
    raise NoVerdict


async def _send(writer: asyncio.StreamWriter, file: Path, all_sent: asyncio.Event) -> None:
    writer.write(b"zINSTREAM\0")
    # Just written, so it comes from the page cache.
    with file.open("rb", buffering=0) as opened:
        while chunk := opened.read(_CHUNK_BYTES):
            writer.write(_LENGTH.pack(len(chunk)) + chunk)
            await writer.drain()
    writer.write(_LENGTH.pack(0))
    all_sent.set()
    await writer.drain()
