"""A proxy before a real S3 server that does, request by request, what engines and networks do on a bad day."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from aiohttp import ClientSession, DummyCookieJar, web
from yarl import URL


@dataclass
class FaultEngine:
    """``faults`` maps a method to what happens to its next requests, in order; after them it behaves."""

    upstream: str
    endpoint: str = ""
    faults: dict[str, list[str]] = field(default_factory=dict)
    seen: list[str] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.seen.append(request.method)
        waiting = self.faults.get(request.method, [])
        fault = waiting.pop(0) if waiting else ""
        if fault.isdigit():
            await request.read()
            return web.Response(status=int(fault), text="<Error><Code>SlowDown</Code></Error>")
        if fault == "missing":
            await request.read()
            return web.Response(status=404, text="<Error><Code>NoSuchKey</Code></Error>")
        if fault == "later":
            await request.read()
            return web.Response(status=503, headers={"Retry-After": "3600"})
        if fault.endswith(" page"):
            # Of what stands before a store: a load balancer, a captive network.
            await request.read()
            return web.Response(status=int(fault[:3]), text="<!doctype html><p>Sorry<br>", content_type="text/html")
        if fault == "slow":
            await asyncio.sleep(30)
        if fault == "cut before":
            assert request.transport is not None
            request.transport.abort()
        async with (
            ClientSession(cookie_jar=DummyCookieJar(), auto_decompress=False) as session,
            session.request(
                request.method,
                URL(self.upstream + request.raw_path, encoded=True),
                # With the Host that the client named: its signature covers it.
                headers={name: value for name, value in request.headers.items() if name != "Transfer-Encoding"},
                data=await request.read(),
            ) as upstream,
        ):
            body = await upstream.read()
            headers = {n: v for n, v in upstream.headers.items() if n not in {"Transfer-Encoding", "Connection"}}
        if fault == "cut after":
            assert request.transport is not None
            request.transport.abort()
        if fault == "flip":
            body = body[:-1] + bytes([body[-1] ^ 1])
        if fault == "shorter":
            body = body[:-1]
        if fault == "no range":
            headers.pop("Content-Range", None)
        response = web.StreamResponse(status=upstream.status, headers=headers)
        await response.prepare(request)
        if fault == "stall":
            await response.write(body[: len(body) // 2])
            await asyncio.sleep(30)
        await response.write(body)
        if len(body) == int(headers.get("Content-Length", len(body))):
            await response.write_eof()
        else:
            assert request.transport is not None
            request.transport.close()
        return response


@asynccontextmanager
async def fault_engine(upstream: str) -> AsyncIterator[FaultEngine]:
    engine = FaultEngine(upstream)
    app = web.Application(client_max_size=2**28)
    app.router.add_route("*", "/{anything:.*}", engine.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    assert urlsplit(upstream).scheme == "http"
    engine.endpoint = f"http://127.0.0.1:{port}"
    try:
        yield engine
    finally:
        await runner.cleanup()
