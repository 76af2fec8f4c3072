"""The fetcher against real servers: what it accepts, what it cuts, and to whom it connects."""

import asyncio
import contextlib
import os
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import web

from kit.outbound.fetch import AT_ONCE_FOR_ONE_HOST_MAX, Fetcher, FetchRefused
from tests.client_certificates import files
from tests.sites import Request, Site, authority_files, listening, running_site


@pytest_asyncio.fixture
async def site() -> AsyncIterator[Site]:
    async with running_site() as found:
        yield found


@pytest_asyncio.fixture
async def fetcher() -> AsyncIterator[Fetcher]:
    found = Fetcher(ca_file=authority_files()[0], loopback_allowed=True)
    yield found
    found.close()


async def test_a_document_comes_with_its_type_and_how_long_it_may_be_kept(site: Site, fetcher: Fetcher) -> None:
    url = site.serve(
        "/jwks", b'{"keys":[]}', "application/jwk-set+json; charset=utf-8", **{"Cache-Control": "max-age=60"}
    )
    fetched = await fetcher.get(url, accept="application/jwk-set+json")
    assert (fetched.status, fetched.media_type, fetched.body, fetched.max_age_s) == (
        200,
        "application/jwk-set+json",
        b'{"keys":[]}',
        60,
    )
    request = await site.next()
    assert request.host == f"localhost:{site.port}"
    assert "Cookie" not in request.headers
    assert request.headers["Accept-Encoding"] == "identity"


async def test_a_redirect_is_not_followed(site: Site, fetcher: Fetcher) -> None:
    async with listening() as ear:
        url = site.refuse("/moved", 302, Location=f"http://127.0.0.1:{ear.port}/")
        with pytest.raises(FetchRefused, match="redirects"):
            await fetcher.get(url, accept="*/*")
        assert await fetcher.post(url, body=b"x", content_type="text/plain") == 302
        assert ear.connections == 0


@pytest.mark.parametrize("announced", [True, False])
async def test_a_body_is_cut_at_its_maximum(site: Site, fetcher: Fetcher, announced: bool) -> None:
    async def long(_: Request) -> web.StreamResponse:
        return web.Response(body=b"x" * 100_001) if announced else web.Response(body=_parts())

    async def _parts() -> AsyncIterator[bytes]:
        for _ in range(101):
            yield b"x" * 1_000

    site.answers["/long"] = long
    with pytest.raises(FetchRefused, match="too long"):
        await fetcher.get(site.url("/long"), accept="*/*", body_max_bytes=100_000)


async def test_a_compressed_answer_is_refused_unread(site: Site, fetcher: Fetcher) -> None:
    url = site.serve("/bomb", b"\x1f\x8b", "application/json", **{"Content-Encoding": "gzip"})
    with pytest.raises(FetchRefused, match="compressed"):
        await fetcher.get(url, accept="*/*")


async def test_five_seconds_are_the_end_of_every_fetch(site: Site, fetcher: Fetcher) -> None:
    over = asyncio.Event()

    async def drip(_: Request) -> web.StreamResponse:
        async def one_byte_a_moment() -> AsyncIterator[bytes]:
            while not over.is_set():
                yield b"x"
                await asyncio.sleep(0.2)

        return web.Response(body=one_byte_a_moment())

    site.answers["/drip"] = drip
    began = time.monotonic()
    with pytest.raises(FetchRefused, match="in time"):
        await fetcher.get(site.url("/drip"), accept="*/*")
    assert 4.5 < time.monotonic() - began < 6.5
    over.set()


async def test_a_server_that_asks_for_a_certificate_is_shown_ours(tmp_path: Path) -> None:
    authority, ours = files(tmp_path, "CN=locker")
    async with running_site(clients=authority) as site:
        url = site.serve("/", b"{}")
        without = Fetcher(ca_file=authority_files()[0], loopback_allowed=True)
        with pytest.raises(FetchRefused):
            await without.get(url, accept="*/*")
        without.close()
        fetcher = Fetcher(ca_file=authority_files()[0], loopback_allowed=True, certificate=ours)
        assert (await fetcher.get(url, accept="*/*")).status == 200
        fetcher.close()
        assert site.requests.qsize() == 1


async def test_an_answer_without_end_of_its_head_is_cut(fetcher: Fetcher) -> None:
    """Within kilobytes, long before the time is over."""
    sent = 0

    async def endless(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\n")
        with contextlib.suppress(OSError):
            while not writer.is_closing():
                writer.write(b"X-Field: " + b"x" * 1_000 + b"\r\n")
                sent += 1_011
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(endless, "127.0.0.1", 0)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        with pytest.raises(FetchRefused, match="cannot be reached"):
            await fetcher.post(url, body=b"x", content_type="text/plain")
    assert sent < 10_000_000


async def test_a_certificate_of_an_unknown_authority_or_another_name_is_refused(site: Site) -> None:
    stranger = Fetcher(ca_file=None, loopback_allowed=True)
    with pytest.raises(FetchRefused, match="not trusted"):
        await stranger.get(site.url("/"), accept="*/*")
    stranger.close()
    knows = Fetcher(ca_file=authority_files()[0], loopback_allowed=True, resolve=lambda host, port: ["127.0.0.1"])
    with pytest.raises(FetchRefused, match="not trusted"):
        await knows.get(site.url("/", host="other.test"), accept="*/*")
    knows.close()
    assert site.requests.empty()


async def test_a_name_is_resolved_once_and_keeps_its_place_in_host_and_tls(site: Site) -> None:
    asked: list[str] = []

    def resolve(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"]

    fetcher = Fetcher(ca_file=authority_files()[0], loopback_allowed=True, resolve=resolve)
    site.serve("/here", b"{}")
    assert (await fetcher.get(site.url("/here", host="a.site.test"), accept="*/*")).status == 200
    assert asked == ["a.site.test"]
    assert (await site.next()).host == f"a.site.test:{site.port}"
    fetcher.close()


async def test_proxies_of_the_environment_are_not_used(
    site: Site, fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with listening() as ear:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setitem(os.environ, name, f"http://127.0.0.1:{ear.port}")
            monkeypatch.setitem(os.environ, name.lower(), f"http://127.0.0.1:{ear.port}")
        assert (await fetcher.get(site.serve("/", b"{}"), accept="*/*")).status == 200
        assert ear.connections == 0


async def test_one_slow_host_takes_its_own_places_only(site: Site, fetcher: Fetcher) -> None:
    over, arrived = asyncio.Event(), asyncio.Semaphore(0)

    async def wait(_: Request) -> web.StreamResponse:
        arrived.release()
        await over.wait()
        return web.Response()

    site.answers["/slow"] = wait
    slow = [
        asyncio.create_task(fetcher.post(site.url("/slow"), body=b"", content_type="text/plain"))
        for _ in range(AT_ONCE_FOR_ONE_HOST_MAX)
    ]
    for _ in slow:
        await arrived.acquire()
    with pytest.raises(FetchRefused, match="too many"):
        await fetcher.post(site.url("/slow"), body=b"", content_type="text/plain")
    site.serve("/quick", b"{}")
    assert (await fetcher.get(site.url("/quick", host="127.0.0.1"), accept="*/*")).status == 200
    over.set()
    assert await asyncio.gather(*slow) == [200] * AT_ONCE_FOR_ONE_HOST_MAX


async def test_a_name_server_that_does_not_answer_holds_one_thread_a_name() -> None:
    over, asked = threading.Event(), []

    def resolve(host: str, port: int) -> list[str]:
        asked.append(host)
        if host == "stuck.test":
            over.wait(20)
            return ["127.0.0.1"]
        return []

    fetcher = Fetcher(ca_file=None, loopback_allowed=True, resolve=resolve)
    began = time.monotonic()
    stuck = [asyncio.create_task(fetcher.get("https://stuck.test/", accept="*/*")) for _ in range(8)]
    outcomes = await asyncio.gather(*stuck, return_exceptions=True)
    assert {str(outcome) for outcome in outcomes} == {"the address does not answer in time"}
    assert time.monotonic() - began < 4
    assert asked == ["stuck.test"]
    with pytest.raises(FetchRefused, match="cannot be reached"):
        await fetcher.get("https://other.test/", accept="*/*")
    over.set()
    fetcher.close()


async def test_twenty_names_of_a_name_server_that_does_not_answer_keep_no_other_name_waiting() -> None:
    over, asked = threading.Event(), threading.Semaphore(0)

    def resolve(host: str, port: int) -> list[str]:
        if host.endswith("stuck.test"):
            asked.release()
            over.wait(20)
        return []

    fetcher = Fetcher(ca_file=None, loopback_allowed=True, resolve=resolve)
    stuck = [asyncio.create_task(fetcher.check(f"https://{number}.stuck.test/")) for number in range(20)]
    try:
        for _ in stuck:
            assert await asyncio.to_thread(asked.acquire, timeout=5)
        with pytest.raises(FetchRefused, match="cannot be reached"):
            await fetcher.get("https://other.test/", accept="*/*")
    finally:
        over.set()
        await asyncio.gather(*stuck)
        fetcher.close()
