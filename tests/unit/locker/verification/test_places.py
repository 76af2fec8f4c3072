"""A flood of files to verify: so many are judged at once, so many wait, and everything else goes on."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest
import pytest_asyncio

from kit.errors import Unavailable
from locker.verification.places import Places
from tests.citizen_browser import CitizenWorld, open_citizen_world

pytestmark = pytest.mark.asyncio(loop_scope="module")

AT_ONCE, WAITING = 2, 1
PDF = {"Content-Type": "application/pdf"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(dsns: Any, s3: Any, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[CitizenWorld]:
    async with open_citizen_world(
        dsns,
        s3,
        tmp_path_factory.mktemp("locker"),
        verifications_per_address_per_minute=500,
        verifications_at_once_max=AT_ONCE,
        verifications_waiting_max=WAITING,
        verifications_wait_max_s=3.0,
    ) as opened:
        yield opened


def places(place: CitizenWorld) -> Places:
    found = place.app.state.desk.places
    assert isinstance(found, Places)
    return found


async def verify(place: CitizenWorld, content: Any, **headers: str) -> httpx.Response:
    return await place.world.locker.post("/v1/verifications", content=content, headers={**PDF, **headers})


async def attempts(place: CitizenWorld) -> int:
    sql = "SELECT coalesce(sum(attempts), 0)::int FROM locker.throttle WHERE bucket LIKE 'verify:%'"
    return int(await place.world.owner_db.fetchval(sql))


async def in_line(places: Places, many: int) -> None:
    while places._in_line < many:
        await asyncio.sleep(0.005)


async def test_beyond_what_may_wait_a_file_is_refused_before_it_is_sent(place: CitizenWorld) -> None:
    sent = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        sent.set()
        yield place.world.sealed()

    async with AsyncExitStack() as flood:
        for _ in range(AT_ONCE):
            await flood.enter_async_context(places(place).place())
        waiting = asyncio.create_task(verify(place, place.world.sealed()))
        await in_line(places(place), AT_ONCE + WAITING)
        counted = await attempts(place)
        refused = await verify(place, body())
        assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
        assert refused.headers["retry-after"] == "3"
        assert not sent.is_set()
        # Nor does it cost the database anything: whoever is refused at once asks again at once.
        assert await attempts(place) == counted
        page = await place.browser().post("/verify", files={"document": ("d.pdf", b"%PDF-1.7", "application/pdf")})
        assert (page.status_code, "<h1" in page.text) == (503, True)
        # Who waited in vain is told the same.
        late = await waiting
        assert (late.status_code, late.headers["retry-after"]) == (503, "3")
    # And nobody holds a place any more.
    assert [(await verify(place, place.world.sealed())).status_code for _ in range(4)] == [200] * 4


async def test_the_flood_takes_no_place_from_deposits_lists_look_ups_and_revocations(place: CitizenWorld) -> None:
    async with AsyncExitStack() as flood:
        for _ in range(AT_ONCE):
            await flood.enter_async_context(places(place).place())
        deposited = await place.world.deposit()
        assert deposited.status_code == 201, deposited.text
        document_id, uri = deposited.json()["document_id"], deposited.json()["uri"]
        listed = await place.world.locker.get("/v1/documents", headers=place.share_headers())
        assert document_id in listed.text
        _, link = await place.share(document_id)
        assert (await place.open(link)).status_code == 200
        revoked = await place.world.locker.post(
            f"/v1/documents/{document_id}/revoke",
            headers=place.world.machine(),
            json={"reason": "obtained-by-fraud"},
        )
        assert revoked.status_code == 200
        assert (await place.world.locker.get(f"/d/{uri}")).json()["uri"] == uri


async def test_who_lets_a_file_trickle_holds_no_place(place: CitizenWorld) -> None:
    begun, ending = asyncio.Event(), asyncio.Event()

    async def trickle() -> AsyncIterator[bytes]:
        pdf = place.world.sealed()
        yield pdf[:100]
        begun.set()
        await ending.wait()
        yield pdf[100:]

    slow = [asyncio.create_task(verify(place, trickle())) for _ in range(AT_ONCE + WAITING + 1)]
    await begun.wait()
    assert (await verify(place, place.world.sealed())).status_code == 200
    ending.set()
    # As many as come at once are judged, as many wait.
    assert sorted({answer.status_code for answer in await asyncio.gather(*slow)}) in ([200], [200, 503])


async def test_a_place_that_becomes_free_goes_to_who_waited_longest() -> None:
    some, order = Places(1, waiting_max=3, wait_max_s=10), list[int]()

    async def one(number: int) -> None:
        async with some.place():
            order.append(number)

    async with some.place():
        tasks = [asyncio.create_task(one(number)) for number in range(3)]
        await in_line(some, 4)
        tasks[1].cancel()
        await asyncio.gather(tasks[1], return_exceptions=True)
        # Whoever goes away leaves the line.
        tasks.append(asyncio.create_task(one(3)))
        await in_line(some, 4)
        with pytest.raises(Unavailable):
            some.look()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert order == [0, 2, 3]
    some.look()
