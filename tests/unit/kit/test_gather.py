import asyncio
from collections.abc import Sequence

import pytest

from kit import gather
from kit.errors import Unavailable
from kit.gather import Gather


class Asking:
    """Doubles numbers, a statement at a time; refuses 13."""

    def __init__(self) -> None:
        self.statements: list[list[int]] = []
        self.go = asyncio.Event()
        self.gather = Gather(self.ask, name="numbers")

    async def ask(self, asked: Sequence[int]) -> Sequence[int]:
        self.statements.append(list(asked))
        await self.go.wait()
        if 13 in asked:
            raise ValueError("13")
        if 503 in asked:
            raise Unavailable("numbers")
        return [number * 2 for number in asked]


async def asked(asking: Asking, *numbers: int) -> "list[asyncio.Task[int]]":
    tasks = [asyncio.create_task(asking.gather(number)) for number in numbers]
    for _ in range(3):
        await asyncio.sleep(0)
    return tasks


async def test_what_is_asked_while_a_statement_runs_goes_together_in_the_next() -> None:
    asking = Asking()
    first = await asked(asking, 1)
    then = await asked(asking, 2, 3, 4)
    asking.go.set()
    assert await asyncio.gather(*first, *then) == [2, 4, 6, 8]
    assert asking.statements == [[1], [2, 3, 4]]


async def test_no_statement_is_larger_than_its_bound() -> None:
    asking = Asking()
    asking.go.set()
    tasks = await asked(asking, *range(1_000, 1_000 + gather.AT_ONCE_MAX + 1))
    await asyncio.gather(*tasks)
    assert [len(one) for one in asking.statements] == [gather.AT_ONCE_MAX, 1]


async def test_one_that_cannot_be_asked_takes_nobody_elses_answer_away() -> None:
    asking = Asking()
    asking.go.set()
    found = await asyncio.gather(*(asking.gather(number) for number in (1, 13, 2)), return_exceptions=True)
    assert [found[0], found[2]] == [2, 4]
    assert isinstance(found[1], ValueError)


async def test_whoever_went_away_is_not_asked_for() -> None:
    asking = Asking()
    first = await asked(asking, 1)
    gone, staying = await asked(asking, 2, 3)
    gone.cancel()
    await asyncio.sleep(0)
    asking.go.set()
    assert await asyncio.gather(*first, staying) == [2, 6]
    assert asking.statements == [[1], [3]]


async def test_the_database_away_is_said_to_all_and_asked_again_by_nobody() -> None:
    asking = Asking()
    asking.go.set()
    found = await asyncio.gather(asking.gather(503), asking.gather(1), return_exceptions=True)
    assert [type(one) for one in found] == [Unavailable, Unavailable]
    assert asking.statements == [[503, 1]]
    assert await asking.gather(4) == 8


async def test_a_queue_that_is_full_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gather, "WAITING_MAX", 2)
    asking = Asking()
    tasks = await asked(asking, 1, 2, 3, 4, 5)
    asking.go.set()
    found = await asyncio.gather(*tasks, return_exceptions=True)
    assert sum(isinstance(one, Unavailable) for one in found) == 3
