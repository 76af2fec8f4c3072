"""Until the first byte of an answer's body nothing was said: what fails before it is answered, not broken off."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from litestar import Litestar, get
from litestar.exceptions import LitestarException
from litestar.response import Stream

from kit.edge import Edge, exception_handlers
from kit.errors import Refusal, Unavailable
from kit.lanes import Lane
from tests.unit.kit.test_lanes import scope


class Damaged(Refusal):
    code, status, title = "damaged", 502, "What is kept is damaged."


def failing(fault: Exception | None, *, after: int = 0) -> Any:
    async def portions() -> AsyncIterator[bytes]:
        for _ in range(after):
            yield b"x"
        if fault is not None:
            raise fault

    @get("/")
    async def stream() -> Stream:
        return Stream(portions(), headers={"Content-Disposition": "attachment", "Content-Length": "3"})

    return Litestar([stream], exception_handlers=exception_handlers(lambda *_: ""), openapi_config=None).asgi_handler


class Server:
    """What it was sent; it says that the client has gone when it was sent everything."""

    def __init__(self) -> None:
        self.sent: list[Any] = []
        self._whole = asyncio.Event()

    async def send(self, message: Any) -> None:
        self.sent.append(message)
        if message["type"] == "http.response.body" and not message.get("more_body"):
            self._whole.set()

    async def receive(self) -> Any:
        await self._whole.wait()
        return {"type": "http.disconnect"}

    async def serve(self, edge: Edge, method: str = "GET") -> list[Any]:
        asked = {**scope(), "method": method, "litestar_app": Litestar([], openapi_config=None)}
        await asyncio.wait_for(edge(asked, self.receive, self.send), 5)  # type: ignore[arg-type]
        return self.sent


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        (Unavailable("database"), 503, "unavailable"),
        (Damaged(), 502, "damaged"),
        (ValueError("Amina"), 500, "fault"),
        (TimeoutError(), 500, "fault"),
    ],
)
async def test_what_fails_before_the_first_portion_is_a_problem(fault: Exception, status: int, code: str) -> None:
    start, body = await Server().serve(Edge(failing(fault)))
    headers = dict(start["headers"])
    assert (start["status"], headers[b"content-type"]) == (status, b"application/problem+json")
    assert msgspec.json.decode(body["body"])["code"] == code
    assert (b"retry-after" in headers) == (status == 503)
    # Nothing of the head that was not sent, and one of each of ours.
    assert not {b"content-disposition", b"content-length"} & headers.keys()
    assert len(headers) == len(start["headers"])
    assert b"Amina" not in body["body"]


async def test_what_fails_behind_the_first_portion_is_broken_off() -> None:
    server = Server()
    with pytest.raises(LitestarException, match="after response started"):
        await server.serve(Edge(failing(Unavailable("database"), after=1)))
    assert [message["type"] for message in server.sent] == ["http.response.start", "http.response.body"]
    assert server.sent[0]["status"] == 200


async def test_portions_leave_as_they_come_and_an_answer_without_a_body_does_too() -> None:
    streamed = await Server().serve(Edge(failing(None, after=2)))
    assert [message.get("body") for message in streamed] == [None, b"x", b"x", b""]

    async def of_it(_: Any, __: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"3")]})
        await send({"type": "http.response.body"})

    start, end = await Server().serve(Edge(of_it), "HEAD")
    assert (start["status"], dict(start["headers"])[b"content-length"]) == (200, b"3")
    assert (end["type"], end.get("body", b""), end.get("more_body", False)) == ("http.response.body", b"", False)


async def test_the_head_goes_with_the_first_portion_and_waits_for_no_second() -> None:
    server, go = Server(), asyncio.Event()

    async def app(_: Any, __: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        assert server.sent == []
        await send({"type": "http.response.body", "body": b"a", "more_body": True})
        assert len(server.sent) == 2
        go.set()

    await server.serve(Edge(app))
    assert go.is_set()


async def test_our_time_lasts_until_the_first_portion() -> None:
    ended = asyncio.Event()

    async def stuck(_: Any, __: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    lane = Lane("test", share=1.0, at_once_max=1, limit_s=0.05)
    start, _ = await Server().serve(Edge(stuck, lanes=[(lane, "GET /")]))
    assert (start["status"], dict(start["headers"])[b"retry-after"]) == (503, b"2")
    assert (ended.is_set(), lane.free) == (True, 1)
