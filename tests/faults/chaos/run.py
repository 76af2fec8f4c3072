"""One seed: phases, each with its faults, and after each the invariants."""

import asyncio
import contextlib
import sys
import time
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

from khizana.embedded.postgres import EmbeddedPostgres
from khizana.embedded.s3 import EmbeddedS3
from tests.faults.chaos.calls import Calls
from tests.faults.chaos.connections import Connections
from tests.faults.chaos.faults import FAULTS, can_be_together
from tests.faults.chaos.invariants import Invariants
from tests.faults.chaos.keeping import Keeping
from tests.faults.chaos.leaving import Leaving
from tests.faults.chaos.model import Document, Figures
from tests.faults.chaos.operations import FRACTION, Operations
from tests.faults.chaos.operators import Operators
from tests.faults.chaos.place import Place, opened
from tests.faults.chaos.sealing import Sealing
from tests.locker_world import BIRTH, INTERIOR, JUSTICE

STUCK_S = 600
"""Nothing of ours takes so long, however busy the machine is."""
UNDER_MIN, UNDER_MAX = 10, 24
"""Operations that a fault lasts, or for so long: the more is frozen, the fewer are over."""
LASTS_MAX_S = 6.0
EPOCH_EVERY = 3
"""Phases after which what wraps citizens' keys is of last month."""

Tell = Callable[[str], None]


def plan(seed: int, among: Sequence[str] = tuple(FAULTS)) -> Iterator[list[str]]:
    """The faults of each phase, for ever: all of them in some order, then in another one."""
    rng = Random(seed)
    while True:
        order = rng.sample(among, len(among))
        while order:
            phase = [order.pop()]
            if order and can_be_together(phase[0], order[-1]) and rng.random() < 0.4:
                phase.append(order.pop())
            yield phase


async def run(
    seed: int,
    seconds: float,
    folder: Path,
    *,
    tell: Tell,
    phases_min: int = 1,
    among: Sequence[str] = tuple(FAULTS),
) -> Figures:
    """What was done and what broke: for so long, and for so many phases, however long these take. The logs stay in
    ``folder``."""
    home = folder / "home"
    home.mkdir(parents=True, mode=0o700)
    log = folder / "operations.ndjson"
    began, figures = time.monotonic(), Figures(seed=seed, log=str(log))
    stores: dict[str, Any] = {}
    try:
        stores["postgres"] = await asyncio.to_thread(EmbeddedPostgres.start, home)
        stores["s3"] = await asyncio.to_thread(EmbeddedS3.start, home)
        async with opened(folder, stores, figures) as place:
            with contextlib.closing(Calls(place, log)) as calls:
                try:
                    chaos = Chaos(place, calls, seed, tell, among)
                    await chaos.go_on_until(time.monotonic() + seconds, phases_min=phases_min)
                except Exception:
                    calls.fail(traceback.format_exc())
        return figures
    finally:
        figures.seconds = round(time.monotonic() - began, 1)
        for store in stores.values():
            await asyncio.to_thread(store.stop)


class Chaos:
    def __init__(self, place: Place, calls: Calls, seed: int, tell: Tell, among: Sequence[str]) -> None:
        self.place, self.calls, self.seed, self.tell, self.among = place, calls, seed, tell, among
        self.operations = Operations(place, calls, seed)
        self.operators = Operators(place, calls)
        self.leaving = Leaving(place, calls, self.operations, self.operators)
        self.connections = Connections(place, calls, self.operations)
        self.keeping = Keeping(place, calls, self.operations, self.operators)
        self.sealing = Sealing(place, calls, self.operations)
        self.invariants = Invariants(place, calls, self.connections, self.keeping, self.sealing)
        self._take_first()

    def _take_first(self) -> None:
        """What the rig deposited when it started."""
        place = self.place
        [said] = place.rig.answered.values()
        self.place.model.documents[said["document_id"]] = Document(
            document_id=said["document_id"],
            owner=place.rig.owner,
            administration=INTERIOR,
            type=BIRTH,
            pdf=place.rig.first_pdf,
            sha256=said["sha256"],
            receipt=said["receipt"],
        )

    async def go_on_until(self, end: float, *, phases_min: int) -> None:
        for number, faults in enumerate(plan(self.seed, self.among)):
            if number >= phases_min and time.monotonic() > end:
                return
            self.calls.note("phase", number=number, faults=faults)
            began, before = time.monotonic(), len(self.place.figures.broken)
            await self.phase(number, faults)
            figures = self.place.figures
            figures.phases += 1
            for fault in faults:
                figures.faults[fault] = figures.faults.get(fault, 0) + 1
            took = time.monotonic() - began
            self.tell(
                f"seed {self.seed} phase {number}: {' + '.join(faults)}: {took:.1f} s, back in"
                f" {figures.recovered_s[-1]:.1f} s; {figures.operations} operations, {figures.documents} documents,"
                f" {len(figures.broken)} broken"
            )
            for what in figures.broken[before:]:
                self.tell(f"BROKEN {what}")

    async def phase(self, number: int, faults: list[str]) -> None:
        rng = Random(f"{self.seed} {number}")
        operations, model = self.operations, self.place.model
        model.phase = number
        if not any(one.passing for one in model.living):
            await self.place.somebody_comes()
        if number % EPOCH_EVERY == 0:
            await self.place.month_ends()
        await self.connections.begin()
        await self.keeping.begin(rng)
        self.place.receivers.rng = Random(f"{self.seed} {number} receivers")
        async with asyncio.timeout(STUCK_S), self._busy(number):
            await operations.progress.more(6)
            async with AsyncExitStack() as stack:
                operations.calm = False
                for fault in faults:
                    opening = FAULTS[fault](self.place, rng, self._under)
                    await stack.enter_async_context(opening)
                await self._under(rng.randrange(UNDER_MIN, UNDER_MAX))
                ended = time.monotonic()
            await self._recovered()
            self.place.figures.recovered_s.append(round(time.monotonic() - ended, 2))
            await operations.progress.more(6)
        async with asyncio.timeout(STUCK_S):
            await self._recovered()
            await operations.resolve()
        operations.calm = True
        self.invariants.log_key_turned = self.operators.log_key_turned
        await self.invariants.check()
        self.place.figures.operations = operations.progress.done

    async def _under(self, count: int) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LASTS_MAX_S):
                await self.operations.progress.more(count)

    @asynccontextmanager
    async def _busy(self, number: int) -> AsyncIterator[None]:
        """Everybody does something until the block ends, and then comes to the end of what they are doing."""
        over = asyncio.Event()
        operations, model = self.operations, self.place.model
        doing: dict[str, Callable[[Random], Awaitable[None]]] = {
            "interior": lambda rng: operations.office(rng, INTERIOR),
            "justice": lambda rng: operations.office(rng, JUSTICE),
            "bank": operations.relying_party,
            "school": operations.relying_party,
            "operator": self.operators.act,
            "signed in": self.connections.act,
            "archivist": self.keeping.act,
            "sealed": self.sealing.act,
        }
        for citizen in model.living:
            doing[citizen.name] = lambda rng, citizen=citizen: operations.citizen(rng, citizen)  # type: ignore[misc]
        gone: set[str] = set()

        async def part(rng: Random) -> None:
            """Once in most phases, somewhere in it: whoever passes leaves, or a hold of one who left ends."""
            if rng.random() < 0.9:
                return
            held = [one for one in model.citizens if one.leaving and any(d.held for d in model.of(one))]
            if held and rng.random() < 0.5:
                await self.leaving.release(held[0])
            passing = [one for one in model.living if one.passing and model.of(one)]
            if passing:
                gone.update(("registrar", passing[0].name))
                await self.leaving.leave(rng, passing[0])

        doing["registrar"] = part

        async def act(who: str) -> None:
            rng = Random(f"{self.seed} {number} {who}")
            while not over.is_set() and who not in gone:
                await doing[who](rng)
                operations.progress.step()
                await asyncio.sleep(FRACTION * rng.random() * 4)

        async with asyncio.TaskGroup() as group:
            for who in doing:
                group.create_task(act(who))
            try:
                yield
            finally:
                over.set()

    async def _recovered(self) -> None:
        """Both servers want requests again and answer one that asks the database; both workers are there."""
        citizen = self.place.model.citizens[0]
        for node in range(len(self.place.rig.nodes)):
            for path in ("/readyz", "/v1/documents"):
                while True:
                    token = self.place.citizen_token(citizen)
                    answer = await self.calls.send("watch", node, "GET", path, token=token)
                    if answer is not None and answer.status_code == 200:
                        break
                    await asyncio.sleep(0.1)
        for worker in self.place.rig.workers:
            self.calls.must(worker.alive(), f"a worker ended: {worker.said()}")


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
