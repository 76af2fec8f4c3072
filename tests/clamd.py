"""A real clamd with one signature of its own, EICAR's, so that nothing is downloaded and it starts at once."""

import asyncio
import contextlib
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from khizana.commands.test import find_program

EICAR = rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
STARTS_WITHIN_S = 30.0

_CONFIGURATION = """\
DatabaseDirectory {folder}/signatures
LocalSocket {folder}/clamd.sock
LocalSocketMode 600
FixStaleSocket yes
Foreground yes
StreamMaxLength {stream_max_bytes}
MaxThreads 2
Bytecode no
ReadTimeout 5
User {user}
"""


@dataclass
class Clamd:
    folder: Path
    program: str
    stream_max_bytes: int
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def address(self) -> str:
        return str(self.folder / "clamd.sock")

    def start(self) -> None:
        configuration = self.folder / "clamd.conf"
        signatures = self.folder / "signatures"
        signatures.mkdir(exist_ok=True)
        # Extended signature: name, any type of file, any offset, the first 40 bytes after its head, in hexadecimal.
        (signatures / "eicar.ndb").write_text(f"Eicar-Test:0:*:{EICAR[:68].hex()}\n")
        user = Path("~").expanduser().owner()
        configuration.write_text(
            _CONFIGURATION.format(folder=self.folder, user=user, stream_max_bytes=self.stream_max_bytes)
        )
        self.process = subprocess.Popen(
            [self.program, "--config-file", str(configuration)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until = time.monotonic() + STARTS_WITHIN_S
        while not self._answers():
            assert self.process.poll() is None, "clamd ended"
            assert time.monotonic() < until, "clamd did not start"
            time.sleep(0.05)

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(10)
            self.process = None
            Path(self.address).unlink(missing_ok=True)

    def _answers(self) -> bool:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as asking:
            asking.settimeout(2)
            asking.connect(self.address)
            asking.sendall(b"zPING\0")
            return asking.recv(16) == b"PONG\0"
        return False


@contextmanager
def running_clamd(folder: Path, *, stream_max_bytes: int = 30_000_000) -> Iterator[Clamd]:
    """Skips loudly where there is none. ``folder`` must be short: a Unix socket's path has 107 bytes."""
    program = find_program("clamd")
    if program is None:
        pytest.skip("SKIPPED: no clamd here; install the package clamav-daemon to test the scanning of files")
    clamd = Clamd(folder, program, stream_max_bytes)
    clamd.start()
    try:
        yield clamd
    finally:
        clamd.stop()


class FaultyScanner:
    """What clamd cannot be made to do: ``faults`` says how the next connections end."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.answer: bytes | None = b"stream: OK\0"
        """None: it never answers."""
        self.answers: list[bytes | None] = []
        """Those of the first connections, where they differ."""
        self.pieces = False
        self.reads = True
        self.asked = 0
        self.at_once = 0
        self.most_at_once = 0
        self.may_answer = asyncio.Event()
        self._over = asyncio.Event()
        self._server: asyncio.AbstractServer | None = None

    async def __aenter__(self) -> "FaultyScanner":
        self.may_answer.set()
        self._server = await asyncio.start_unix_server(self._connected, self.address)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._over.set()
        assert self._server is not None
        self._server.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.asked += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            assert await reader.readuntil(b"\0") == b"zINSTREAM\0"
            while self.reads and (length := int.from_bytes(await reader.readexactly(4))):
                await reader.readexactly(length)
            await self.may_answer.wait()
            answer = self.answers.pop(0) if self.answers else self.answer
            for piece in [answer[:3], answer[3:]] if self.pieces and answer else [answer or b""]:
                writer.write(piece)
                await writer.drain()
            if not self.reads:
                await self._over.wait()
            elif answer is None:
                await reader.read()
        except ConnectionError:
            # The other side gave up.
            return
        finally:
            self.at_once -= 1
            writer.close()
