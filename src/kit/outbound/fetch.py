"""Fetch from an address that somebody else named: a client its jwks_uri and logout, an officer a trust list.

The host is resolved once, every address that comes of it is checked, and the connection is made to the checked ones: a
name that changes its mind between check and use (DNS rebinding) gains nothing. No redirect is followed, no proxy of the
environment is used, nothing is remembered between two calls.
"""

import asyncio
import ipaddress
import re
import socket
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

import aiohttp
import msgspec
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from kit import tracing
from kit.errors import Unavailable
from kit.offload import Offload
from kit.outbound.addresses import Address, FetchRefused, check_addresses, check_url, literal_of, parsed
from kit.outbound.trusted import trusted

__all__ = ["FetchRefused", "Fetched", "Fetcher", "Sent", "check_url"]

OVERALL_MAX_S = 5.0
CONNECT_MAX_S = 2.0
AT_ONCE_MAX = 32
AT_ONCE_FOR_ONE_HOST_MAX = 8
RESOLVERS_MAX = 128
"""Threads; a stuck one stays for ten seconds or more, and nobody waits for it after two."""
WAITING_MAX = 256
BUSY = "too many fetches at once"
"""The reason of a FetchRefused that says nothing of the address."""
_ADDRESSES_MAX = 16
_MAX_AGE = re.compile(r"(?:^|[\s,])max-age=\"?(\d{1,9})\b", re.IGNORECASE)
_NO_HEADERS: Mapping[str, str] = MappingProxyType({})

Resolve = Callable[[str, int], Sequence[str]]
"""Host and port to addresses; blocks, and may raise OSError."""


class Fetched(msgspec.Struct, frozen=True, kw_only=True):
    status: int
    media_type: str
    """In small letters, without parameters; empty where the answer has none."""
    body: bytes
    max_age_s: int | None
    """For how long the answer says it may be kept (RFC 9111 §5.2.2): 0 for no-store, None where it says nothing."""


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    status: int
    retry_after_s: int | None
    """Where the answer says one, in seconds (RFC 9110 §10.2.3); a date is not read."""


class OutboundSettings(Protocol):
    @property
    def outbound_ca_file(self) -> Path | None: ...
    @property
    def outbound_loopback(self) -> bool: ...


class Fetcher:
    def __init__(
        self,
        *,
        ca_file: Path | None,
        loopback_allowed: bool,
        overall_max_s: float = OVERALL_MAX_S,
        certificate: Path | None = None,
        resolve: Resolve | None = None,
    ) -> None:
        """``ca_file`` and ``certificate`` as in ``trusted``. ``resolve`` is for tests of names."""
        self.loopback_allowed = loopback_allowed
        self._overall_max_s = overall_max_s
        self._tls = trusted(ca_file=ca_file, certificate=certificate)
        self._resolve_blocking = resolve or _resolve
        # A name server that does not answer holds a thread for longer than we wait for it: one thread a host.
        self._resolving = Offload("resolver", threads=RESOLVERS_MAX, waiting_max=WAITING_MAX)
        self._asked: dict[str, asyncio.Task[Sequence[str]]] = {}
        self._places = asyncio.Semaphore(AT_ONCE_MAX)
        self._waiting = 0
        self._of_host: Counter[str] = Counter()

    @classmethod
    def of(
        cls, settings: OutboundSettings, *, overall_max_s: float = OVERALL_MAX_S, certificate: Path | None = None
    ) -> "Fetcher":
        return cls(
            ca_file=settings.outbound_ca_file,
            loopback_allowed=settings.outbound_loopback,
            overall_max_s=overall_max_s,
            certificate=certificate,
        )

    async def get(
        self, url: str, *, accept: str, body_max_bytes: int = 65_536, headers: Mapping[str, str] = _NO_HEADERS
    ) -> Fetched:
        """FetchRefused for an address that is not public, a redirect, a body that is too long, or no answer in time."""
        async with self._answer("GET", url, headers={**headers, "Accept": accept}) as answer:
            return await _read(answer, body_max_bytes)

    async def post(self, url: str, *, body: bytes, content_type: str, headers: Mapping[str, str] = _NO_HEADERS) -> int:
        """The status of the answer, whatever it is; its body is not read."""
        return (await self.send(url, body=body, content_type=content_type, headers=headers)).status

    async def send(self, url: str, *, body: bytes, content_type: str, headers: Mapping[str, str] = _NO_HEADERS) -> Sent:
        """``post``, and when the answer asks to come again."""
        sent = {**headers, "Content-Type": content_type}
        async with self._answer("POST", url, headers=sent, data=body) as answer:
            retry_after = answer.headers.get("Retry-After", "").strip()
            return Sent(
                status=answer.status,
                retry_after_s=int(retry_after) if re.fullmatch(r"[0-9]{1,9}", retry_after, re.ASCII) else None,
            )

    async def post_and_read(self, url: str, *, body: bytes, content_type: str, body_max_bytes: int = 65_536) -> Fetched:
        """The answer, whatever its status is; refused as ``get`` refuses one."""
        async with self._answer("POST", url, headers={"Content-Type": content_type}, data=body) as answer:
            return await _read(answer, body_max_bytes)

    async def check(self, url: str) -> None:
        """Like ``check_url``, and the name must not lead inwards today. A name that nobody knows yet may be told."""
        check_url(url, loopback_allowed=self.loopback_allowed)
        try:
            async with asyncio.timeout(CONNECT_MAX_S):
                await self._addresses(parsed(url))
        except (OSError, TimeoutError, Unavailable):
            # Each use resolves and checks anew; this one only tells the registrar early.
            return

    def close(self) -> None:
        self._resolving.close()

    @asynccontextmanager
    async def _answer(
        self, method: str, url: str, *, headers: Mapping[str, str], data: bytes | None = None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        check_url(url, loopback_allowed=self.loopback_allowed)
        parts = parsed(url).with_fragment(None)
        try:
            with tracing.of_call(method, parts.raw_host or ""):
                async with asyncio.timeout(self._overall_max_s), self._place(parts.raw_host or ""):
                    async with asyncio.timeout(CONNECT_MAX_S):
                        addresses = await self._addresses(parts)
                    async with (
                        self._session(addresses) as session,
                        session.request(
                            method,
                            parts,
                            headers={"Accept-Encoding": "identity", "User-Agent": "khizana", **headers},
                            data=data,
                            allow_redirects=False,
                            max_line_size=8_190,
                            max_field_size=8_190,
                        ) as answer,
                    ):
                        yield answer
        except TimeoutError:
            raise FetchRefused("the address does not answer in time") from None
        except Unavailable:
            raise FetchRefused(BUSY) from None
        except (aiohttp.ClientSSLError, ssl.SSLError):
            raise FetchRefused("the certificate of the address is not trusted") from None
        except (aiohttp.ClientError, OSError, ValueError):
            raise FetchRefused("the address cannot be reached") from None

    async def _addresses(self, parts: URL) -> list[Address]:
        literal = literal_of(parts)
        if literal is not None:
            addresses: list[Address] = [literal]
        else:
            assert parts.raw_host is not None
            assert parts.port is not None
            found = await self._resolved(parts.raw_host, parts.port)
            addresses = [ipaddress.ip_address(text) for text in dict.fromkeys(found)][:_ADDRESSES_MAX]
            if not addresses:
                raise OSError("no address")
        check_addresses(addresses, secure=parts.scheme == "https", loopback_allowed=self.loopback_allowed)
        return addresses

    async def _resolved(self, host: str, port: int) -> Sequence[str]:
        """Who asks for the same name at the same time gets the same answer."""
        asked = self._asked.get(host)
        if asked is None:
            asked = asyncio.create_task(self._resolving.run(self._resolve_blocking, host, port))
            self._asked[host] = asked
            asked.add_done_callback(lambda done: self._answered(host, done))
        return await asyncio.shield(asked)

    def _answered(self, host: str, done: "asyncio.Task[Sequence[str]]") -> None:
        del self._asked[host]
        if not done.cancelled():
            # Whoever asked may have gone; the outcome is not lost on them.
            done.exception()

    def _session(self, addresses: Sequence[Address]) -> aiohttp.ClientSession:
        """For one request: its connector knows the checked addresses and nothing else."""
        pinned = {str(address) for address in addresses}

        def open_socket(info: tuple[Any, Any, int, str, tuple[Any, ...]]) -> socket.socket:
            family, kind, protocol, _, address = info
            if str(ipaddress.ip_address(address[0])) not in pinned:
                raise OSError("not a checked address")
            return socket.socket(family, kind, protocol)

        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                ssl=self._tls,
                resolver=_Pinned(addresses),
                use_dns_cache=False,
                force_close=True,
                socket_factory=open_socket,
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=self._overall_max_s, connect=CONNECT_MAX_S, sock_connect=CONNECT_MAX_S),
            trust_env=False,
            auto_decompress=False,
            requote_redirect_url=False,
        )

    @asynccontextmanager
    async def _place(self, host: str) -> AsyncIterator[None]:
        """One slow relying party takes its own places, not everybody's."""
        if self._waiting >= WAITING_MAX or self._of_host[host] >= AT_ONCE_FOR_ONE_HOST_MAX:
            raise FetchRefused(BUSY)
        self._waiting += 1
        self._of_host[host] += 1
        waiting = True
        try:
            async with self._places:
                self._waiting -= 1
                waiting = False
                yield
        finally:
            self._waiting -= waiting
            self._of_host[host] -= 1
            if not self._of_host[host]:
                del self._of_host[host]


async def _read(answer: aiohttp.ClientResponse, body_max_bytes: int) -> Fetched:
    if 300 <= answer.status < 400:
        raise FetchRefused("the address redirects")
    if answer.headers.get("Content-Encoding", "identity").lower() not in ("", "identity"):
        raise FetchRefused("the answer is compressed")
    if (answer.content_length or 0) > body_max_bytes:
        raise FetchRefused("the answer is too long")
    body = bytearray()
    async for part in answer.content.iter_chunked(16_384):
        body += part
        if len(body) > body_max_bytes:
            raise FetchRefused("the answer is too long")
    return Fetched(
        status=answer.status,
        media_type=answer.headers.get("Content-Type", "").partition(";")[0].strip().lower(),
        body=bytes(body),
        max_age_s=_max_age_s(answer.headers.get("Cache-Control", "")),
    )


class _Pinned(AbstractResolver):
    def __init__(self, addresses: Sequence[Address]) -> None:
        self._addresses = addresses

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        return [
            ResolveResult(
                hostname=host,
                host=str(address),
                port=port,
                family=socket.AF_INET6 if address.version == 6 else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in self._addresses
        ]

    async def close(self) -> None:
        return None


def _resolve(host: str, port: int) -> Sequence[str]:
    return [str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


def _max_age_s(cache_control: str) -> int | None:
    if "no-store" in cache_control.lower() or "no-cache" in cache_control.lower():
        return 0
    found = _MAX_AGE.search(cache_control)
    return int(found[1]) if found else None
