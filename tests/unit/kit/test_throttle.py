import asyncio

import pytest

from kit.db import Database
from kit.errors import TooManyRequests
from kit.throttle import Limit, Throttle

LIMIT = Limit(name="probe", attempts=3, per_s=3_600)


async def test_racing_attempts_share_one_count(idp_db: Database) -> None:
    throttle = Throttle("idp")
    allowed = await asyncio.gather(*(throttle.count(idp_db, LIMIT, "race", blocks=False) for _ in range(12)))
    assert sum(allowed) == 3


async def test_the_refusal_says_when_to_come_back(idp_db: Database) -> None:
    throttle = Throttle("idp")
    for _ in range(3):
        await throttle.count(idp_db, LIMIT, "wait")
    with pytest.raises(TooManyRequests) as refused:
        await throttle.count(idp_db, LIMIT, "wait")
    assert 1 <= int(refused.value.headers["Retry-After"]) <= 3_600


async def test_one_key_does_not_count_for_another_and_a_success_forgets(idp_db: Database) -> None:
    throttle = Throttle("idp")
    for _ in range(4):
        await throttle.count(idp_db, LIMIT, "one", blocks=False)
    assert await throttle.count(idp_db, LIMIT, "two", blocks=False)
    await throttle.forget(idp_db, LIMIT, "one")
    assert await throttle.count(idp_db, LIMIT, "one", blocks=False)


async def test_an_attempt_that_was_none_is_given_back(idp_db: Database) -> None:
    throttle = Throttle("idp")
    for _ in range(6):
        assert await throttle.count(idp_db, LIMIT, "back", blocks=False)
        await throttle.give_back(idp_db, LIMIT, "back")


async def test_a_new_window_starts_at_nothing(idp_db: Database) -> None:
    throttle, short = Throttle("idp"), Limit(name="short", attempts=1, per_s=1)
    await throttle.count(idp_db, short, "window", blocks=False)
    await throttle.count(idp_db, short, "window", blocks=False)
    await asyncio.sleep(1.05)
    assert await throttle.count(idp_db, short, "window", blocks=False)


async def test_old_windows_are_swept(idp_db: Database, owner_db: Database) -> None:
    throttle = Throttle("idp")
    await throttle.count(idp_db, LIMIT, "old")
    await owner_db.execute(
        "UPDATE idp.throttle SET window_starts_at = now() - interval '2 days' WHERE bucket = 'probe:old'"
    )
    await throttle.sweep(idp_db)
    assert await idp_db.fetchval("SELECT count(*) FROM idp.throttle WHERE bucket = 'probe:old'") == 0
