"""Rates counted in memory and shared through PostgreSQL: held across workers and restarts, within a twentieth each."""

import asyncio

import pytest

from kit import pace as module
from kit.db import Database
from kit.errors import Unavailable
from kit.pace import Left, Pace, Rate, fields
from kit.throttle import Throttle

RATE = Rate("probe", 200, per_s=3_600)


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The clock, in the middle of a window."""
    at = [1_000_000 * 3_600.0 + 600]
    monkeypatch.setattr(module.time, "time", lambda: at[0])
    return at


def allowed(pace: Pace, key: str, times: int) -> int:
    counted = [pace.count(RATE, key) for _ in range(times)]
    return sum(left is not None and left.remaining >= 0 for left in counted)


def test_a_process_alone_lets_through_exactly_the_limit(now: list[float]) -> None:
    pace = Pace(Throttle("idp"))
    assert allowed(pace, "one", 500) == 200
    assert allowed(pace, "other", 1) == 1
    left = pace.count(RATE, "one")
    assert left is not None
    assert (left.remaining, left.reset_s) == (-1, 3_000)


def test_the_next_window_begins_anew(now: list[float]) -> None:
    pace = Pace(Throttle("idp"))
    assert allowed(pace, "one", 500) == 200
    now[0] += 3_600
    assert allowed(pace, "one", 500) == 200


def test_no_limit_is_no_limit() -> None:
    assert Pace(Throttle("idp")).count(Rate("none", 0), "one") is None


async def test_workers_together_hold_the_limit_within_a_twentieth_each(idp_db: Database, now: list[float]) -> None:
    workers = [Pace(Throttle("idp")) for _ in range(4)]
    through = 0
    for _ in range(100):
        for worker in workers:
            through += allowed(worker, "shared", 1)
        await asyncio.gather(*(worker.share(idp_db) for worker in workers))
    assert 200 <= through <= 200 + len(workers) * RATE.batch


async def test_a_process_that_starts_anew_learns_what_was_used(idp_db: Database, now: list[float]) -> None:
    before = Pace(Throttle("idp"))
    assert allowed(before, "restarted", 500) == 200
    await before.share(idp_db)
    after = Pace(Throttle("idp"))
    assert allowed(after, "restarted", RATE.batch) == RATE.batch
    await after.share(idp_db)
    assert allowed(after, "restarted", 10) == 0


async def test_who_asks_seldom_never_touches_the_database(idp_db: Database, now: list[float]) -> None:
    pace = Pace(Throttle("idp"))
    allowed(pace, "seldom", RATE.batch - 1)
    await pace.share(idp_db)
    assert await idp_db.fetch("SELECT 1 FROM idp.throttle WHERE bucket LIKE 'probe:seldom%'") == []


async def test_what_could_not_be_shared_is_still_counted(now: list[float]) -> None:
    away = await Database.connect("postgresql://nobody@/nothing?host=/nowhere", acquire_timeout_s=0.2)
    pace = Pace(Throttle("idp"))
    assert allowed(pace, "away", 150) == 150
    with pytest.raises(Unavailable):
        await pace.share(away)
    assert allowed(pace, "away", 500) == 50
    await away.close()


def test_a_flood_of_keys_does_not_grow_without_end(now: list[float]) -> None:
    pace = Pace(Throttle("idp"), keys_max=100)
    for number in range(1_000):
        pace.count(RATE, str(number))
    assert len(pace._counted) <= 100


def test_the_fields_say_the_policy_and_what_is_left() -> None:
    assert dict(fields(Left(Rate("client", 100), 12, 34))) == {
        b"ratelimit-policy": b'"client";q=100;w=60',
        b"ratelimit": b'"client";r=12;t=34',
    }
