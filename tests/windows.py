"""Rates are counted in windows of the clock: what is counted belongs into one of them."""

import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def in_one_window(per_s: float, tries: Callable[[int], Awaitable[T]]) -> T:
    """What ``tries(0)`` says, or ``tries(1)``, which begins anew as somebody else, where a window ended meanwhile."""
    window = time.time() // per_s
    said = await tries(0)
    return said if time.time() // per_s == window else await tries(1)
