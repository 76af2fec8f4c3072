"""This machine's clock beside that of the database, by which all machines agree."""

import time
from collections.abc import Callable

from kit.db import Tx
from kit.errors import Unavailable

SKEW_MAX_S = 30.0


class ClockApart(Unavailable):
    """A clock that is years ahead would end keys and copies that hold for years yet, and for good."""

    code, title = "clock-apart", "This machine's clock is not the database's. Set it, then try again."


async def clock_skew_s(tx: Tx, *, clock: Callable[[], float] = time.time) -> float:
    """This machine's clock less the database's. Raises Unavailable while that is away."""
    before = clock()
    there = float(await tx.fetchval("SELECT extract(epoch FROM clock_timestamp())"))
    return round((before + clock()) / 2 - there, 2)


async def check_clock(tx: Tx, *, clock: Callable[[], float] = time.time) -> None:
    """Before what cannot be taken back and goes by the clock. Raises ClockApart."""
    skew_s = await clock_skew_s(tx, clock=clock)
    if abs(skew_s) > SKEW_MAX_S:
        raise ClockApart(f"{abs(skew_s):.0f} s {'ahead' if skew_s > 0 else 'behind'}")
