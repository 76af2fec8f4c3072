"""The worker's rounds: each again and again, whatever becomes of one of them."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable

from kit.clock import ClockApart
from kit.errors import Unavailable
from locker.log.sequence import LogForked

AGAIN_MAX_S = 15.0
"""After a round that came to nothing. Some come once in hours: one second without a database must not cost so much."""

log = logging.getLogger("khizana.worker")


async def every(
    seconds: float, what: str, action: Callable[[], Awaitable[object]], *, again_max_s: float = AGAIN_MAX_S
) -> None:
    """One round that fails is logged and the next one comes, the sooner: this process outlives an absent database."""
    while True:
        wait_s = min(seconds, again_max_s)
        try:
            await action()
            wait_s = seconds
        except ClockApart as refusal:
            log.error("%s: not with this machine's clock, which is %s of the database's", what, refusal.detail)
        except Unavailable as refusal:
            log.warning("%s: %s is away", what, refusal.detail)
        except LogForked as reason:
            # Each second until somebody decides: one line, not a trace.
            log.critical("%s: forked: %s", what, reason)
        except Exception:
            log.exception("%s failed", what)
        # Workers started together do not stay in step.
        await asyncio.sleep(wait_s * random.uniform(0.9, 1.1))  # noqa: S311
