import asyncio
import threading

import pytest

from kit.errors import Unavailable
from kit.offload import Offload


async def test_a_call_runs_elsewhere_and_its_answer_and_its_exception_come_back() -> None:
    offload = Offload("probe", threads=1, waiting_max=1)
    assert await offload.run(threading.get_ident) != threading.get_ident()
    with pytest.raises(ZeroDivisionError):
        await offload.run(lambda: 1 / 0)
    offload.close()


async def test_a_full_queue_refuses_instead_of_growing() -> None:
    offload, release = Offload("probe", threads=1, waiting_max=1), threading.Event()
    taken = [asyncio.create_task(offload.run(release.wait, 5)) for _ in range(2)]
    await asyncio.sleep(0.05)
    with pytest.raises(Unavailable):
        await offload.run(int)
    release.set()
    assert await asyncio.gather(*taken) == [True, True]
    await asyncio.sleep(0.05)
    assert await offload.run(int) == 0
    offload.close()


async def test_a_caller_that_goes_away_frees_its_place_only_when_the_thread_is_free() -> None:
    offload, release = Offload("probe", threads=1, waiting_max=0), threading.Event()
    caller = asyncio.create_task(offload.run(release.wait, 5))
    await asyncio.sleep(0.05)
    caller.cancel()
    await asyncio.gather(caller, return_exceptions=True)
    with pytest.raises(Unavailable):
        await offload.run(int)
    release.set()
    await asyncio.sleep(0.1)
    assert await offload.run(int) == 0
    offload.close()
