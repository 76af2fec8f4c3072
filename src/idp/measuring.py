"""What is looked at now and then, because no event tells it: the pool of connections, the age of the keys."""

import asyncio
import time

from idp.wiring import Wiring
from kit import metrics

EVERY_S = 5.0


def measure(wiring: Wiring) -> None:
    busy, idle = wiring.db.connections()
    metrics.connections.labels("busy").set(busy)
    metrics.connections.labels("idle").set(idle)
    now = time.time()
    metrics.keys_read_age.set(now - wiring.keys.read_at)
    signing: dict[str, int] = {}
    for one in wiring.keys.placed:
        if one.activates_at <= now:
            signing[one.alg] = max(one.activates_at, signing.get(one.alg, 0))
    for alg, since in signing.items():
        metrics.key_age.labels(alg).set(now - since)


async def keep_measuring(wiring: Wiring) -> None:
    while True:
        measure(wiring)
        await asyncio.sleep(EVERY_S)
