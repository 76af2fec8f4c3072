"""What goes by this machine's clock and cannot be taken back is not done while that clock is wrong."""

import time

import pytest

from kit.clock import ClockApart, check_clock
from kit.db import Database


@pytest.mark.parametrize("ahead_s", [0, 20, -20])
async def test_some_seconds_are_nothing(locker_db: Database, ahead_s: float) -> None:
    await check_clock(locker_db, clock=lambda: time.time() + ahead_s)


@pytest.mark.parametrize(("ahead_s", "said"), [(600, "600 s ahead"), (-600, "600 s behind")])
async def test_f_20_minutes_are_refused_and_named(locker_db: Database, ahead_s: float, said: str) -> None:
    with pytest.raises(ClockApart, match=said) as apart:
        await check_clock(locker_db, clock=lambda: time.time() + ahead_s)
    assert apart.value.code == "clock-apart"
