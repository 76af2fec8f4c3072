"""HEAD is answered as GET, without the body (RFC 9110 §9.3.2)."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from litestar import Litestar, Request, get, post
from litestar.exceptions import LitestarException
from litestar.response import Stream

from kit.edge import Edge, exception_handlers, method_sent
from kit.errors import NotFound
from tests.unit.kit.test_edge_first_byte import Server
from tests.unit.kit.test_lanes import scope

LENGTH = 1_000_000


class Routes:
    """Some routes, and what they were asked for."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, str | None]] = []
        self.portions = 0

        async def portions(last: Exception | None) -> AsyncIterator[bytes]:
            for _ in range(LENGTH):
                self.portions += 1
                yield b"x"
                if last is not None:
                    raise last

        @get("/")
        async def stream(request: Request[Any, Any, Any]) -> Stream:
            self.seen.append((request.method, method_sent(request.scope), request.headers.get("range")))
            return Stream(portions(None), headers={"Content-Length": str(LENGTH), "ETag": '"a"'})

        @get("/breaks")
        async def breaks() -> Stream:
            return Stream(portions(ValueError()))

        @get("/no")
        async def refused() -> None:
            raise NotFound

        @post("/post")
        async def posted() -> None:
            raise AssertionError

        app = Litestar(
            [stream, breaks, refused, posted],
            exception_handlers=exception_handlers(lambda *_: ""),
            openapi_config=None,
        )
        self.edge = Edge(app.asgi_handler)


async def answer(routes: Routes, method: str, path: str = "/", **headers: str) -> tuple[int, dict[bytes, bytes], bytes]:
    server = Server()
    asked = {
        **scope(path),
        "method": method,
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "litestar_app": Litestar([], openapi_config=None),
    }
    await asyncio.wait_for(routes.edge(asked, server.receive, server.send), 20)  # type: ignore[arg-type]
    start, *portions = server.sent
    assert not portions[-1].get("more_body")
    return start["status"], dict(start["headers"]), b"".join(portion.get("body", b"") for portion in portions)


async def test_it_has_the_head_of_get_and_no_body_and_the_rest_of_the_body_is_not_made() -> None:
    routes = Routes()
    status, headers, body = await answer(routes, "HEAD")
    assert (status, body) == (200, b"")
    assert (headers[b"content-length"], headers[b"etag"]) == (b"%d" % LENGTH, b'"a"')
    assert routes.portions == 1


async def test_for_a_route_it_is_get_and_only_a_proof_is_of_what_was_sent() -> None:
    routes = Routes()
    await answer(routes, "HEAD")
    await answer(routes, "GET", "/no")
    assert routes.seen == [("GET", "HEAD", None)]


async def test_a_part_is_asked_for_by_get_alone_rfc9110_14_2() -> None:
    routes = Routes()
    await answer(routes, "HEAD", **{"range": "bytes=0-0", "if-range": '"a"'})
    assert routes.seen == [("GET", "HEAD", None)]


async def test_a_no_has_the_head_of_get_s_too() -> None:
    routes = Routes()
    status, headers, body = await answer(routes, "HEAD", "/no")
    as_got, headers_got, _ = await answer(routes, "GET", "/no")
    assert (status, as_got, body) == (404, 404, b"")
    assert headers[b"content-type"] == headers_got[b"content-type"] == b"application/problem+json"
    assert headers[b"content-length"] == headers_got[b"content-length"]


@pytest.mark.parametrize("method", ["HEAD", "GET"])
async def test_where_get_is_not_allowed_it_is_not_either(method: str) -> None:
    status, headers, _ = await answer(Routes(), method, "/post")
    assert status == 405
    assert {one.strip() for one in headers[b"allow"].split(b",")} == {b"OPTIONS", b"POST"}


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({"headers": [(b"x-%d" % number, b"1") for number in range(101)]}, 431),
        ({"headers": [(b"x", b"1" * 65_536)]}, 431),
        ({"raw_path": b"/" + b"a" * 32_768}, 414),
        ({"query_string": b"a" * 32_768}, 414),
    ],
    ids=["headers", "bytes of headers", "path", "query"],
)
async def test_d_03_a_head_beyond_its_bounds_reaches_no_route(asked: dict[str, Any], status: int) -> None:
    routes, server = Routes(), Server()
    await routes.edge({**scope("/"), **asked}, server.receive, server.send)  # type: ignore[arg-type]
    start, body = server.sent
    assert (start["status"], json.loads(body["body"])["code"]) == (status, {431: "http-431", 414: "http-414"}[status])
    assert routes.seen == []


@pytest.mark.parametrize(("method", "status"), [("OPTIONS", 204), ("PUT", 405)])
async def test_it_is_said_to_be_allowed_where_get_is(method: str, status: int) -> None:
    said, headers, _ = await answer(Routes(), method)
    assert said == status
    assert {one.strip() for one in headers[b"allow"].split(b",")} == {b"GET", b"HEAD", b"OPTIONS"}


async def test_a_get_that_breaks_is_not_taken_for_a_head_that_is_over() -> None:
    with pytest.raises(LitestarException, match="after response started"):
        await answer(Routes(), "GET", "/breaks")
