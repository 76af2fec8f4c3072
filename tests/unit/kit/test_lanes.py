"""Each lane has its own part, and our time for a request is ours alone."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import pytest

from idp.lanes import LANES as IDP_LANES
from khizana.commands.serve import CONNECTIONS_MAX
from kit.db import Database
from kit.edge import Edge
from kit.errors import Unavailable
from kit.gather import Gather
from kit.health import Health
from kit.lanes import DEPOSITING, LAST, READING, SIGNING_IN, VERIFYING, Budget, Lane, Routing
from kit.lanes import LANES as ALL_LANES
from locker.lanes import LANES
from tests.conftest import Dsns


def scope(path: str = "/") -> dict[str, Any]:
    return {
        "type": "http",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [],
        "client": ("127.0.0.1", 1),
    }


async def asked(app: Any, *, path: str = "/", receive: Any = None) -> tuple[int, dict[bytes, bytes], bytes]:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope(path), receive, send)
    return sent[0]["status"], dict(sent[0]["headers"]), b"".join(message.get("body", b"") for message in sent[1:])


async def say(send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def test_what_takes_too_long_is_cut_and_says_when_to_come_back() -> None:
    ended = asyncio.Event()

    async def stuck(_: Any, __: Any, ___: Any) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    lane = Lane("test", share=1.0, at_once_max=1, limit_s=0.05)
    status, headers, body = await asked(Edge(stuck, lanes=[(lane, "GET /")]))
    assert (status, headers[b"retry-after"]) == (503, b"2")
    assert b"unavailable" in body
    assert ended.is_set()


async def test_time_of_a_sender_is_not_our_time() -> None:
    async def upload(_: Any, receive: Any, send: Any) -> None:
        for _number in range(5):
            await receive()
        await say(send)

    async def slowly() -> dict[str, Any]:
        await asyncio.sleep(0.03)
        return {"type": "http.request", "body": b"x", "more_body": True}

    lane = Lane("test", share=1.0, at_once_max=1, limit_s=0.1)
    assert (await asked(Edge(upload, lanes=[(lane, "GET /")]), receive=slowly))[0] == 200


async def dripping() -> dict[str, Any]:
    await asyncio.sleep(0.01)
    return {"type": "http.request", "body": b"x", "more_body": True}


async def never() -> dict[str, Any]:
    await asyncio.Event().wait()
    raise AssertionError("unreachable")


@pytest.mark.parametrize("slow", [dripping, never])
async def test_d_01_whoever_drips_a_body_leaves_its_place(slow: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the edge before us it would hold one of the lane's places for as long as it likes."""
    monkeypatch.setattr("kit.edge.SENDER_S", 0.05)
    ended = asyncio.Event()

    async def upload(_: Any, receive: Any, __: Any) -> None:
        try:
            while True:
                await receive()
        finally:
            ended.set()

    lane = Lane("test", share=1.0, at_once_max=1, limit_s=0.1)
    status, _, body = await asyncio.wait_for(asked(Edge(upload, lanes=[(lane, "GET /")]), receive=slow), 5)
    assert (status, b"too-slow" in body) == (408, True)
    assert ended.is_set()
    with lane.entered():
        pass


async def test_whoever_stops_reading_an_answer_leaves_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kit.edge.READER_S", 0.05)
    ended = asyncio.Event()

    async def stream(_: Any, __: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        try:
            while True:
                await send({"type": "http.response.body", "body": b"x", "more_body": True})
        finally:
            ended.set()

    async def unread(message: Any) -> None:
        if message["type"] == "http.response.body":
            await asyncio.Event().wait()

    lane = Lane("test", share=1.0, at_once_max=1, limit_s=5.0)
    await asyncio.wait_for(Edge(stream, lanes=[(lane, "GET /")])(scope(), never, unread), 5)
    assert (ended.is_set(), lane.free) == (True, 1)


async def test_our_time_is_not_longer_because_a_sender_was_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    lane = Lane("test", share=1.0, at_once_max=1, limit_s=0.1)

    async def waits(_: Any, receive: Any, __: Any) -> None:
        # The timer meets us waiting here, and then has the sender's time before it.
        await receive()
        await asyncio.Event().wait()

    async def late() -> dict[str, Any]:
        await asyncio.sleep(0.15)
        return {"type": "http.request", "body": b"x", "more_body": False}

    started = time.monotonic()
    assert (await asked(Edge(waits, lanes=[(lane, "GET /")]), receive=late))[0] == 503
    assert time.monotonic() - started < 2


async def test_an_answer_that_has_begun_is_not_cut() -> None:
    async def stream(_: Any, __: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"who", "more_body": True})
        await asyncio.sleep(0.1)
        await send({"type": "http.response.body", "body": b"le", "more_body": False})

    lane = Lane("test", share=1.0, at_once_max=1, limit_s=0.05)
    assert (await asked(Edge(stream, lanes=[(lane, "GET /")])))[2] == b"whole"


async def test_a_full_lane_refuses_at_once_and_its_neighbour_goes_on() -> None:
    narrow, wide = (Lane(name, share=1.0, at_once_max=1, limit_s=5.0) for name in ("narrow", "wide"))
    release, inside = asyncio.Event(), asyncio.Event()

    async def app(scope: Any, _: Any, send: Any) -> None:
        if scope["path"] == "/narrow":
            inside.set()
            await release.wait()
        await say(send)

    edge = Edge(app, lanes=[(narrow, "GET /narrow"), (wide, "GET /wide")])
    first = asyncio.create_task(asked(edge, path="/narrow"))
    await inside.wait()
    status, headers, _ = await asked(edge, path="/narrow")
    assert (status, headers[b"retry-after"]) == (503, b"2")
    assert (await asked(edge, path="/wide"))[0] == 200
    release.set()
    assert (await first)[0] == 200
    assert (await asked(edge, path="/narrow"))[0] == 200


async def test_connections_are_kept_for_what_is_shed_last(dsns: Dsns) -> None:
    db = await Database.connect(dsns.locker, connections_max=4, acquire_timeout_s=0.2)
    try:

        async def read() -> str:
            with READING.entered():
                try:
                    await db.fetchval("SELECT pg_sleep(0.5)")
                except Unavailable:
                    return "refused"
                return "read"

        reads = [asyncio.create_task(read()) for _ in range(8)]
        await asyncio.sleep(0)
        with LAST.entered():
            assert await db.fetchval("SELECT 1") == 1
        assert sorted(await asyncio.gather(*reads)) == ["read"] * 2 + ["refused"] * 6
        with READING.entered():
            assert await db.fetchval("SELECT 2") == 2
    finally:
        await db.close()


async def warm(dsns: Dsns) -> Database:
    """Four connections that are there already."""
    db = await Database.connect(dsns.locker, connections_max=4, acquire_timeout_s=0.5)
    async with asyncio.timeout(20):
        while sum(db.connections()) < 4:
            with suppress(Unavailable):
                await asyncio.gather(*(db.fetchval("SELECT pg_sleep(0.05)") for _ in range(4)))
    return db


async def test_a_flood_in_two_lanes_leaves_a_connection_for_the_last(dsns: Dsns) -> None:
    """Their shares together are more than there are."""
    db, over = await warm(dsns), asyncio.Event()
    try:

        async def flood(lane: Lane) -> None:
            with lane.entered(), suppress(Unavailable):
                async with db.transaction():
                    await over.wait()

        floods = [asyncio.create_task(flood(lane)) for lane in (READING, SIGNING_IN, VERIFYING) for _ in range(8)]
        async with asyncio.timeout(10):
            while db.connections()[0] < 3:
                await asyncio.sleep(0.01)
        with LAST.entered():
            assert await db.fetchval("SELECT 1") == 1
        with DEPOSITING.entered(), pytest.raises(Unavailable):
            await db.fetchval("SELECT 2")
        over.set()
        await asyncio.gather(*floods)
        with DEPOSITING.entered():
            assert await db.fetchval("SELECT 3") == 3
    finally:
        await db.close()


async def test_who_shares_a_statement_with_a_flood_is_not_shed_with_it(dsns: Dsns) -> None:
    """A gathered statement runs in the task of whoever came first."""
    db, over = await warm(dsns), asyncio.Event()

    async def ask(questions: Sequence[int]) -> list[int]:
        return list(await db.fetchval("SELECT $1::int[]", list(questions)))

    gather: Gather[int, int] = Gather(ask, name="test", apart_s=0.0)
    try:

        async def flood() -> None:
            with READING.entered(), suppress(Unavailable):
                async with db.transaction():
                    await over.wait()

        async def asked_in(lane: Lane, number: int) -> int:
            with lane.entered():
                return await gather(number)

        floods = [asyncio.create_task(flood()) for _ in range(8)]
        async with asyncio.timeout(10):
            while db.connections()[0] < 2:
                await asyncio.sleep(0.01)
        assert await asyncio.gather(asked_in(READING, 1), asked_in(LAST, 2)) == [1, 2]
        over.set()
        await asyncio.gather(*floods)
    finally:
        await db.close()


@pytest.mark.parametrize(
    ("request_line", "lane"),
    [
        ("POST /v1/documents/X/revoke", "last"),
        ("POST /wallet/shares/revoke-all", "last"),
        ("DELETE /v1/shares/X", "last"),
        ("GET /.well-known/jwks.json", "last"),
        ("POST /v1/verifications", "verifying"),
        ("PATCH /v1/shares/X", "last"),
        ("POST /v1/asked/xrevoke", "reading"),
        ("POST /wallet/erasure/undone", "last"),
        ("GET /d/interior-birth-X", "looking-up"),
        ("GET /verify", "looking-up"),
        ("POST /v1/printed/checks", "looking-up"),
        ("POST /v1/deposits", "depositing"),
        ("GET /v1/deposits/X", "reading"),
        ("POST /v1/deposits/batches", "in-bulk"),
        ("POST /v1/deposits/batches/X/parts", "in-bulk"),
        ("GET /v1/deposits/batches/X/results", "reading"),
        ("GET /wallet/documents/X/pages/1.png", "paper"),
        ("GET /log/tile/0/000", "auditing"),
        ("GET /wallet", "reading"),
        ("POST /idp/introspect", "last"),
        ("POST /idp/revoke", "last"),
        ("POST /idp/not-me/freeze", "last"),
        ("POST /idp/account/freeze", "last"),
        ("GET /idp/jwks", "last"),
        ("POST /idp/recover/stop", "last"),
        ("POST /idp/sign-in/second-factor", "signing-in"),
        ("POST /idp/token", "reading"),
    ],
)
def test_each_request_has_its_lane(request_line: str, lane: str) -> None:
    method, path = request_line.split()
    lanes = IDP_LANES if path.startswith("/idp") else LANES
    assert Routing(lanes).lane(method, path).name == lane


def test_a_server_takes_more_connections_than_the_lanes_that_are_shed_have_places() -> None:
    assert sum(lane.free for lane in ALL_LANES if lane is not LAST) + 256 < CONNECTIONS_MAX


async def test_a_spent_budget_says_so() -> None:
    budget = Budget(0.01)
    with pytest.raises(TimeoutError), budget:
        await asyncio.sleep(1)
    assert budget.spent


async def test_a_server_whose_database_is_away_lives_and_is_not_ready() -> None:
    db = await Database.connect("postgresql://idp:x@/khizana?host=/nonexistent", acquire_timeout_s=0.2)

    async def none(_: Any, __: Any, ___: Any) -> None:
        raise AssertionError("not asked")

    health = Health(none, "", lambda: db)
    assert (await asked(health, path="/livez"))[0] == 200
    status, headers, body = await asked(health, path="/readyz")
    assert (status, headers[b"retry-after"]) == (503, b"2")
    assert b'"database":false' in body
    await db.close()


@pytest.mark.parametrize(("ahead_s", "status"), [(0, 200), (20, 200), (600, 503), (-600, 503)])
async def test_f_20_a_clock_that_is_wrong_is_shown_and_too_wrong_is_not_ready(
    locker_db: Database, ahead_s: float, status: int
) -> None:
    async def none(_: Any, __: Any, ___: Any) -> None:
        raise AssertionError("not asked")

    health = Health(none, "", lambda: locker_db, clock=lambda: time.time() + ahead_s)
    answer, _, body = await asked(health, path="/readyz")
    assert answer == status
    assert abs(float(body.split(b'"clock_skew_s":')[1].rstrip(b"}")) - ahead_s) < 1
