"""D-15 in small: after many requests of every kind, done, refused and given up, a process holds what it held before."""

import asyncio
import os
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from kit.lanes import LANES
from tests.citizen_browser import CitizenWorld, open_citizen_world

pytestmark = pytest.mark.asyncio(loop_scope="module")

ROUNDS = 12
WARM = 3


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(dsns: Any, s3: Any, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[CitizenWorld]:
    async with open_citizen_world(dsns, s3, tmp_path_factory.mktemp("locker")) as opened:
        yield opened


def held(place: CitizenWorld) -> dict[str, Any]:
    working, _ = place.world.wiring.db.connections()
    return {
        "descriptors": len(os.listdir("/proc/self/fd")),
        "tasks": len(asyncio.all_tasks()),
        "connections at work": working,
        "places": [lane.free for lane in LANES],
    }


async def test_d_15_many_requests_of_every_kind_leave_nothing_behind(place: CitizenWorld) -> None:
    document_id = await place.document()
    _, link = await place.share(document_id, openings=ROUNDS * 2)
    browser = await place.signed_in()
    citizen = place.share_headers()

    async def given_up() -> None:
        """Somebody who goes away in the middle."""
        asking = asyncio.create_task(browser.get(f"/wallet/documents/{document_id}/original"))
        await asyncio.sleep(0.001)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)

    async def round_(number: int) -> None:
        answers = await asyncio.gather(
            browser.get("/wallet"),
            browser.get(f"/wallet/documents/{document_id}"),
            browser.get(f"/wallet/documents/{document_id}/original"),
            browser.get("/wallet/history"),
            browser.get("/nowhere"),
            browser.post("/wallet/shares/revoke-all", {"csrf": "wrong"}),
            place.open(link, address=f"198.51.100.{number}"),
            place.world.locker.get("/v1/documents", headers=citizen),
            place.world.locker.get("/v1/documents", headers={"Authorization": "Bearer nothing"}),
            place.world.locker.post(
                "/v1/verifications", content=b"%PDF-1.7 no", headers={"Content-Type": "application/pdf"}
            ),
            place.world.deposit(b"no PDF"),
            place.world.deposit(),
        )
        await asyncio.gather(given_up(), given_up())
        assert [answer.status_code // 100 for answer in answers] == [2, 2, 2, 2, 4, 4, 2, 2, 4, 2, 4, 2]

    for number in range(WARM):
        await round_(number)
    before = held(place)
    for number in range(WARM, ROUNDS):
        await round_(number)
    # Connections to the stores come and go; what leaks grows by one at least with each round.
    after = held(place)
    assert after["descriptors"] < before["descriptors"] + ROUNDS - WARM
    assert after["tasks"] < before["tasks"] + ROUNDS - WARM
    assert (after["connections at work"], after["places"]) == (0, before["places"])
