"""A TCP proxy that misbehaves on demand: between the product and PostgreSQL or the object store."""

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

Connect = Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]
Fault = Literal["none", "refused", "silent", "slow", "dripping", "spoilt", "spoilt-sent", "cut"]
"""Refused: nobody listens. Silent: connections stay and nothing passes, as where a cable was cut. Slow: each answer is
held back. Dripping: answers come a byte at a time. Spoilt: the last byte of each piece of an HTTP body is another.
Spoilt-sent: the same of what is sent there. Cut: the connection breaks before an answer, within it, or behind it."""


@dataclass
class _Held:
    fault: Fault = "none"
    delay_s: float = 0.0
    each: int = 1
    """Spoilt, spoilt-sent and cut happen to each so-manieth piece."""
    pieces: int = 0

    def strikes(self) -> bool:
        self.pieces += 1
        return self.pieces % self.each == 0


class FaultProxy:
    """Its own thread, so that a busy test does not look like a slow network."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._state = _Held()
        self._loop = asyncio.new_event_loop()
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._turned = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.port = 0
        self._do(self._listen())

    @contextmanager
    def faulty(self, fault: Fault, *, delay_s: float = 0.0) -> Iterator[None]:
        self.turn(fault, delay_s=delay_s)
        try:
            yield
        finally:
            self.turn("none")

    def turn(self, fault: Fault, *, delay_s: float = 0.0, each: int = 1) -> None:
        self._do(self._turn(_Held(fault, delay_s, each)))

    def close(self) -> None:
        self._do(self._turn(_Held("refused")))
        self._do(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    async def _end(self) -> None:
        ending = asyncio.all_tasks() - {asyncio.current_task()}
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)

    def _do(self, coroutine: Any) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    async def _turn(self, state: _Held) -> None:
        before, self._state = self._state, state
        if state.fault == "refused" and self._server is not None:
            self._server.close()
            self._server = None
        if state.fault == "refused" or before.fault in ("silent", "slow", "dripping"):
            for writer in list(self._writers):
                writer.transport.abort()
        if state.fault != "refused" and self._server is None:
            await self._listen()
        turned, self._turned = self._turned, asyncio.Event()
        turned.set()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._state.fault == "silent":
            await self._turned.wait()
            writer.transport.abort()
            return
        there: asyncio.StreamWriter | None = None
        self._writers.add(writer)
        try:
            there_reader, there = await self._connect()
            self._writers.add(there)
            await asyncio.gather(self._pump(reader, there, False), self._pump(there_reader, writer, True))
        except (OSError, asyncio.CancelledError):
            # The other side is gone, or the proxy ends.
            pass
        finally:
            for each in (writer, there):
                if each is not None:
                    self._writers.discard(each)
                    each.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answering: bool) -> None:
        try:
            while data := await reader.read(65_536):
                state = self._state
                if state.fault == "silent":
                    await self._turned.wait()
                    writer.transport.abort()
                    return
                if answering and state.fault == "slow":
                    await self._until_turned(state.delay_s)
                if answering and state.fault == "dripping":
                    for at in range(len(data)):
                        if writer.is_closing():
                            return
                        writer.write(data[at : at + 1])
                        await self._until_turned(0.5)
                    continue
                if answering and state.fault == "cut" and state.strikes():
                    writer.write(data[: len(data) * (state.pieces // state.each % 3) // 2])
                    await writer.drain()
                    return
                if answering and state.fault == "spoilt" and state.strikes():
                    data = _spoilt(data)
                if not answering and state.fault == "spoilt-sent" and _is_body(data) and state.strikes():
                    data = _spoilt(data)
                writer.write(data)
                await writer.drain()
        finally:
            writer.close()

    async def _until_turned(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._turned.wait(), seconds)


_METHODS = (b"GET ", b"HEAD ", b"PUT ", b"POST ", b"DELETE ")


def _is_body(data: bytes) -> bool:
    """At least at its end."""
    return not data.startswith(_METHODS) or not data.endswith(b"\r\n\r\n")


def _spoilt(data: bytes) -> bytes:
    head, end, body = data.partition(b"\r\n\r\n")
    if data.startswith((b"HTTP/1.", *_METHODS)) and not body:
        return data
    return (head + end if end else b"") + (body or head)[:-1] + bytes([(body or head)[-1] ^ 1])


def before_port(port: int) -> FaultProxy:
    return FaultProxy(lambda: asyncio.open_connection("127.0.0.1", port))


def before_socket(path: str) -> FaultProxy:
    return FaultProxy(lambda: asyncio.open_unix_connection(path))
