"""Group D of the attack catalogue: a history that is very long."""

import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.citizen_browser import CitizenWorld, open_citizen_world
from tests.locker_world import YOUSSEF

pytestmark = pytest.mark.asyncio(loop_scope="module")

ROWS, AT_ONCE = 100_000, 10_000


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(dsns: Any, s3: Any, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[CitizenWorld]:
    async with open_citizen_world(dsns, s3, tmp_path_factory.mktemp("locker")) as opened:
        for start in range(0, ROWS, AT_ONCE):
            await opened.world.owner_db.execute(
                """
                INSERT INTO locker.audit (audit_id, at, action, actor_kind, actor, owner, object_id, result, detail)
                SELECT gen_random_uuid(), now() - make_interval(secs => n), 'document.viewed', 'client', 'bank', $1,
                       'D' || n % 50, 'ok', '{"type": "BIRTHEXTRACT"}'
                  FROM generate_series($2::int + 1, $2::int + $3::int) AS n""",
                opened.world.subs[YOUSSEF],
                start,
                AT_ONCE,
            )
        yield opened


@pytest.mark.parametrize("query", ["", "document=D7", "by=anonymous", "since=2020-01-01&until=2020-12-31", "actor=x"])
async def test_d_12_a_page_of_a_hundred_thousand_lines_is_there_in_300_ms(place: CitizenWorld, query: str) -> None:
    took = []
    for _ in range(4):
        started = time.perf_counter()
        answer = await place.world.locker.get(f"/v1/history?limit=50&{query}", headers=place.world.citizen(YOUSSEF))
        took.append(time.perf_counter() - started)
        assert answer.status_code == 200
    # The fastest: others work on this machine too.
    assert min(took) < 0.3, took
