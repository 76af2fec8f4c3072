"""One statement for many callers: what is asked while a statement runs goes together in the next one.

Statements of one kind begin no closer together than ``APART_S``, one after the other: who comes alone goes alone and at
once, and who comes under load waits those few milliseconds and shares. What one statement wrote is committed once, for
all in it (group commit), before anybody is answered.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from kit.errors import Unavailable
from kit.lanes import work_for_all

Question = TypeVar("Question")
Found = TypeVar("Found")

AT_ONCE_MAX = 64
WAITING_MAX = 2_000
APART_S = 0.004


class Gather(Generic[Question, Found]):
    """``ask`` answers several questions in their order, in one statement that does all of it or nothing."""

    def __init__(
        self,
        ask: Callable[[Sequence[Question]], Awaitable[Sequence[Found]]],
        *,
        name: str,
        apart_s: float = APART_S,
    ) -> None:
        self._ask = ask
        self._apart_s = apart_s
        self._name = name
        self._waiting: deque[tuple[Question, asyncio.Future[Found]]] = deque()
        self._task: asyncio.Task[None] | None = None
        self._begun_at = 0.0

    async def __call__(self, question: Question) -> Found:
        """Unavailable where too many wait already, or the database is away."""
        if len(self._waiting) >= WAITING_MAX:
            raise Unavailable(self._name)
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Found] = loop.create_future()
        self._waiting.append((question, answer))
        if self._task is None:
            self._task = loop.create_task(self._run())
        return await answer

    async def _run(self) -> None:
        # Who waits here may be shed last, and who came first is perhaps one of a flood.
        work_for_all()
        loop = asyncio.get_running_loop()
        try:
            while self._waiting:
                if (early_s := self._begun_at + self._apart_s - loop.time()) > 0:
                    await asyncio.sleep(early_s)
                self._begun_at = loop.time()
                # Whoever went away meanwhile asks nothing any more.
                together = [
                    (question, answer)
                    for question, answer in (
                        self._waiting.popleft() for _ in range(min(AT_ONCE_MAX, len(self._waiting)))
                    )
                    if not answer.done()
                ]
                if together:
                    await self._answer(together)
        finally:
            self._task = None

    async def _answer(self, together: Sequence[tuple[Question, "asyncio.Future[Found]"]]) -> None:
        try:
            found = await self._ask([question for question, _ in together])
        except Unavailable as away:
            for _, answer in together:
                _refuse(answer, Unavailable(away.detail))
        except Exception as fault:
            if len(together) == 1:
                _refuse(together[0][1], fault)
                return
            # Nothing was done. One question that cannot be asked must not take the others' answers away.
            for one in together:
                await self._answer([one])
        except BaseException:
            # The process ends.
            for _, answer in (*together, *self._waiting):
                answer.cancel()
            self._waiting.clear()
            raise
        else:
            for (_, answer), one_found in zip(together, found, strict=True):
                if not answer.done():
                    answer.set_result(one_found)


def _refuse(answer: "asyncio.Future[Found]", fault: Exception) -> None:
    if not answer.done():
        answer.set_exception(fault)
