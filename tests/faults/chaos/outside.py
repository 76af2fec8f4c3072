"""Servers that are not ours: those that are told by webhook, one of an administration that keeps its documents, and a
scanner for harmful software."""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Literal

from aiohttp import web
from examples.verify_webhook import verify

from tests.clamd import EICAR
from tests.faults.chaos.model import Figures
from tests.sites import Request, Site
from tests.time_stamp_authority import Authority

Receiving = Literal["well", "badly"]
Scanning = Literal["well", "away", "silent"]
Keeping = Literal["well", "away", "other bytes", "slow"]
SLOW_S = 3.0


@dataclass
class Receivers:
    """Each under a path of its own, with its own key."""

    site: Site
    figures: Figures
    fail: Callable[[str], None]
    how: Receiving = "well"
    rng: Random = field(default_factory=lambda: Random(0))
    told: set[tuple[str, str, str]] = field(default_factory=set)
    """Whom, type and identifier, of what was taken."""
    struck: int = 0
    bodies: dict[str, bytes] = field(default_factory=dict)
    """By ``webhook-id``: the same however often it comes."""

    def path(self, name: str) -> str:
        return f"/hook/{name}"

    def add(self, name: str, secret: str, administrations: set[str]) -> None:
        """``administrations``: whose documents it may be told of, all where it is empty."""

        async def taken(request: Request) -> web.StreamResponse:
            self._look_at(name, secret, administrations, request)
            if self.how == "badly" and (refusal := self.rng.choice(_BAD)) is not None:
                self.figures.messages_refused += 1
                self.struck += 1
                return await refusal()
            said = json.loads(request.body)
            self.figures.messages += 1
            for identifier in (said["data"].get("document_id"), *said["data"].get("opening_ids", [])):
                if identifier:
                    self.told.add((name, said["type"], identifier))
            return web.Response(status=204)

        self.site.answers[self.path(name)] = taken

    def _look_at(self, name: str, secret: str, administrations: set[str], request: Request) -> None:
        headers = {key.lower(): value for key, value in request.headers.items()}
        if "webhook-signature" not in headers or not verify(secret, headers, request.body):
            self.fail(f"{name} was told something that is not signed for it")
            return
        before = self.bodies.setdefault(headers["webhook-id"], request.body)
        if before != request.body:
            self.fail(f"{name}: {headers['webhook-id']} came again as something else")
        data = json.loads(request.body)["data"]
        if administrations and data.get("administration", next(iter(administrations))) not in administrations:
            self.fail(f"{name} was told of another's: {data}")


async def _refused(status: int, **headers: str) -> web.StreamResponse:
    return web.Response(status=status, headers={key.replace("_", "-"): value for key, value in headers.items()})


async def _slow() -> web.StreamResponse:
    await asyncio.sleep(SLOW_S)
    return web.Response(status=503)


_BAD: list[Callable[[], Awaitable[web.StreamResponse]] | None] = [
    None,
    lambda: _refused(500),
    lambda: _refused(503),
    lambda: _refused(429, Retry_After="2"),
    lambda: _refused(302, Location="http://127.0.0.1:1/inside"),
    _slow,
]


@dataclass
class Issuer:
    """Its documents, each at an address that nobody guesses."""

    site: Site
    how: Keeping = "well"
    struck: int = 0

    def keep(self, pdf: bytes) -> str:
        path = f"/kept/{secrets.token_hex(12)}.pdf"

        async def give(request: Request) -> web.StreamResponse:
            self.struck += self.how != "well"
            match self.how:
                case "away":
                    return web.Response(status=503)
                case "slow":
                    await asyncio.sleep(SLOW_S)
            body = pdf if self.how != "other bytes" else pdf[:-8] + b"\n%%EOF \n"
            return web.Response(body=body, headers={"Content-Type": "application/pdf"})

        self.site.answers[path] = give
        return self.site.url(path)


@dataclass
class Stamping:
    """The authority for time stamps, of seals and of copies in the archive."""

    authority: Authority

    @property
    def how(self) -> Keeping:
        return "away" if self.authority.away else "well"

    @how.setter
    def how(self, how: Keeping) -> None:
        self.authority.away = how != "well"

    @property
    def struck(self) -> int:
        return self.authority.refused


@dataclass
class Scanner:
    """What ClamAV's INSTREAM says; it knows EICAR alone."""

    how: Scanning = "well"
    struck: int = 0
    found: int = 0
    _over: asyncio.Event = field(default_factory=asyncio.Event)

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.struck += self.how != "well"
        try:
            if self.how == "away":
                return
            if self.how == "silent":
                await self._over.wait()
                return
            await reader.readuntil(b"\0")
            content = bytearray()
            while length := int.from_bytes(await reader.readexactly(4)):
                content += await reader.readexactly(length)
            infected = EICAR in content
            self.found += infected
            writer.write(b"stream: Eicar-Test FOUND\0" if infected else b"stream: OK\0")
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            # Who asked was killed, or gave up.
            return
        finally:
            writer.close()

    def end(self) -> None:
        self._over.set()


@asynccontextmanager
async def running_scanner(address: str) -> AsyncIterator[Scanner]:
    scanner = Scanner()
    server = await asyncio.start_unix_server(scanner.connected, address)
    try:
        yield scanner
    finally:
        scanner.end()
        server.close()
