import asyncio
import logging

import pytest

from khizana.every import every
from kit.clock import ClockApart
from kit.errors import Unavailable

LONG_S = 3_600.0


@pytest.mark.parametrize("refused", [Unavailable("database"), ClockApart("60 s ahead"), ZeroDivisionError()])
async def test_a_round_that_came_to_nothing_comes_again_soon_and_one_that_did_not_when_it_is_due(
    refused: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    """Keys are rotated each ten minutes, partitions made each six hours."""
    rounds: list[int] = []
    done = asyncio.Event()

    async def action() -> None:
        rounds.append(len(rounds))
        if len(rounds) < 3:
            raise refused
        done.set()

    with caplog.at_level(logging.WARNING, "khizana.worker"):
        task = asyncio.create_task(every(LONG_S, "rotation of the keys", action, again_max_s=0.001))
        async with asyncio.timeout(10):
            await done.wait()
        await asyncio.sleep(0.05)
        task.cancel()
    assert rounds == [0, 1, 2]
    assert len([line for line in caplog.messages if line.startswith("rotation of the keys")]) == 2
