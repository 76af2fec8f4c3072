"""The wire to other providers: bounded in time and size, and to the hosts that an operator named.

It is not the fetcher that is safe against SSRF: a client names its addresses itself, an operator registers a provider,
and one of the state's own may well live on an internal address. So it is the name that is held to: an endpoint has the
issuer's host, or one that the operator listed, and speaks for it with a TLS certificate. Discovery cannot lead us
elsewhere, and no redirect is followed.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx

from kit.outbound.trusted import trusted

BODY_MAX_BYTES = 262_144
OVERALL_MAX_S = 8.0
TIMEOUT = httpx.Timeout(5.0, connect=2.0)


class Bounded(httpx.AsyncBaseTransport):
    """Kept open from one call to the next, so a client that is closed does not close it."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self.inner = inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        request.headers["Accept-Encoding"] = "identity"
        answer = await self.inner.handle_async_request(request)
        if answer.headers.get("content-encoding", "identity").lower() not in ("", "identity"):
            await answer.aclose()
            raise httpx.RemoteProtocolError("the answer is compressed")
        assert isinstance(answer.stream, httpx.AsyncByteStream)
        return httpx.Response(
            answer.status_code,
            headers=answer.headers,
            stream=_BoundedStream(answer.stream),
            extensions=answer.extensions,
        )

    async def aclose(self) -> None:
        return None


class _BoundedStream(httpx.AsyncByteStream):
    def __init__(self, inner: httpx.AsyncByteStream) -> None:
        self._inner = inner

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for part in self._inner:
            size += len(part)
            if size > BODY_MAX_BYTES:
                raise httpx.RemoteProtocolError("the answer is too long")
            yield part

    async def aclose(self) -> None:
        await self._inner.aclose()


def opened(*, ca_file: Path | None) -> Bounded:
    limits = httpx.Limits(max_connections=20, max_keepalive_connections=5)
    return Bounded(httpx.AsyncHTTPTransport(verify=trusted(ca_file=ca_file), trust_env=False, limits=limits))
