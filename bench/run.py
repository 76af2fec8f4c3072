"""Rounds of load and limit, one after the other, and the lines that come of them."""

import asyncio
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack, ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import aiohttp

from bench import judging, log, scale, seals
from bench.beside_peers import Cost, Job, Peer, PeersMissing, database_of, installed, line, ours, peer, theirs
from bench.flood import FLOODED, flood, flood_line
from bench.limits import Limit, Limits
from bench.measures import MEASURES, PAPER, Plan, Work
from bench.memory import memory
from bench.product import Product, Spent, product
from bench.results_day import results_day
from bench.seed import seed
from bench.webhooks import webhooks
from bench.world import World
from khizana.say import answer_line, say
from kit.errors import Refusal

FULL = Plan(rounds=3, seconds=2.0, items_max=400)
QUICK = Plan(rounds=1, seconds=0.5, items_max=40)
CITIZENS, CITIZENS_QUICK = 64, 20
LIMIT_S = 0.7
LOAD = Path(__file__).parent / "load.py"
# Each citizen has an address of its own, as behind the edge proxy: throttling stays on. The load is one client that
# asks more than any is meant to: it is counted like all, and not refused.
SETTINGS = {
    "KHIZANA_TRUSTED_PROXIES": "127.0.0.1/32",
    "KHIZANA_IDP_REQUESTS_PER_MINUTE_OF_ADDRESS": "100000000",
    "KHIZANA_IDP_REQUESTS_PER_MINUTE_OF_CLIENT": "100000000",
    "KHIZANA_IDP_REQUESTS_PER_MINUTE_OF_ACCOUNT": "100000000",
    "KHIZANA_IDP_REQUESTS_PER_MINUTE_OF_PUBLIC_CLIENT": "100000000",
}
NAMES = ("limits", *MEASURES, "memory", "flood", "log", "webhooks", "seals", "signatures", "scale", "results_day")


class LoadFailed(Exception):
    """The load met an answer that it did not expect."""


@dataclass(frozen=True)
class Round:
    n: int
    wall_s: float
    median_ms: float
    p99_ms: float
    load_cpu_s: float
    spent: Spent

    @property
    def rate(self) -> float:
        return self.n / self.wall_s


def run(names: Sequence[str], *, quick: bool, citizens: int | None = None) -> None:
    """Print one line for each of ``names``, which are of NAMES; all of them if there is none. ``citizens`` are those
    of ``scale``."""
    chosen = list(names or NAMES)
    if "seals" in chosen:
        # Of one process; no product is needed.
        chosen.remove("seals")
        say("measuring seals")
        for measured in seals.lines(quick=quick):
            answer_line(measured)
    if "signatures" in chosen:
        chosen.remove("signatures")
        say("measuring signatures")
        for measured in judging.lines(quick=quick):
            answer_line(measured)
    if not chosen:
        return
    say("starting a product of its own")
    with ExitStack() as stack:
        started = stack.enter_context(product(**SETTINGS))
        # What is filled is measured in turn with one that is not.
        small = stack.enter_context(product(**SETTINGS)) if "scale" in chosen else None
        asyncio.run(_run(started, chosen, quick=quick, small=small, citizens=citizens))


def run_beside_peers(*, quick: bool) -> None:
    """Print one line a measure: ours and each peer's, measured in turn."""
    say("starting a product of its own")
    with product(**SETTINGS) as started, ExitStack() as stack:
        try:
            folder, database = installed(started.home), database_of(started)
            peers = [
                stack.enter_context(peer("node_in_memory", folder, database=None)),
                stack.enter_context(peer("node_in_postgres", folder, database=database)),
            ]
            asyncio.run(_run_beside(started, peers, quick=quick))
        except PeersMissing as missing:
            raise LoadFailed(str(missing)) from missing


async def _run_beside(started: Product, peers: list[Peer], *, quick: bool) -> None:
    plan = QUICK if quick else FULL
    async with AsyncExitStack() as stack:
        world = await World.open(started, stack, citizens_count=CITIZENS_QUICK if quick else CITIZENS)
        http = await stack.enter_async_context(aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()))
        jobs = {"khizana": await ours(world), **{one.name: await theirs(one, http) for one in peers}}
        for measure in jobs["khizana"]:
            say(f"measuring {measure}")
            best: dict[str, Cost] = {}
            for _ in range(plan.rounds):
                for name, base, spent_s in (
                    ("khizana", world.url, lambda: _whole_s(started)),
                    *((one.name, one.url, one.spent_s) for one in peers),
                ):
                    cost = await _cost(jobs[name][measure], base, spent_s, seconds=plan.seconds)
                    if name not in best or cost.cpu_ms < best[name].cpu_ms:
                        best[name] = cost
            answer_line(line(measure, best))


def _whole_s(started: Product) -> float:
    spent = started.spent()
    return spent.server_s + spent.database_s


async def _cost(job: Job, base: str, spent_s: Callable[[], float], *, seconds: float) -> Cost:
    said, spent = await _loaded({**asdict(job), "once": False, "seconds": seconds, "base": base}, spent_s)
    return Cost(rate_per_s=said["n"] / said["wall_s"], cpu_ms=spent / said["n"] * 1000)


async def _run(
    started: Product, names: Sequence[str], *, quick: bool, small: Product | None, citizens: int | None
) -> None:
    plan = QUICK if quick else FULL
    async with AsyncExitStack() as stack:
        world = await World.open(started, stack, citizens_count=CITIZENS_QUICK if quick else CITIZENS)
        limits = Limits(world)
        failed: dict[str, Exception] = {}
        for name in names:
            say(f"measuring {name}")
            try:
                await _measure(name, world, limits, plan, stack, quick=quick, small=small, citizens=citizens)
            except (Refusal, LoadFailed) as fault:
                # A run takes a quarter of an hour: what else was asked for is measured all the same.
                say(f"{name}: {fault}")
                failed[name] = fault
        if failed:
            raise LoadFailed("; ".join(f"{name}: {fault}" for name, fault in failed.items()))


async def _measure(
    name: str,
    world: World,
    limits: Limits,
    plan: Plan,
    stack: AsyncExitStack,
    *,
    quick: bool,
    small: Product | None,
    citizens: int | None,
) -> None:
    if name == "limits":
        for line in await _limits(world, limits):
            answer_line(line)
    elif name == "memory":
        for line in await memory(world):
            answer_line(line)
    elif name == "flood":
        for measure in FLOODED:
            answer_line(await _flooded(measure, world, limits, plan))
    elif name == "log":
        async for line in log.lines(world.product, quick=quick):
            answer_line(line)
        answer_line(await _beside_log(world, limits, plan))
    elif name == "webhooks":
        answer_line(await webhooks(world, quick=quick))
    elif name == "results_day":
        for line in await results_day(world, lambda job: _day_load(world, job), quick=quick):
            answer_line(line)
    elif name == "scale":
        assert small is not None
        beside = await World.open(small, stack, citizens_count=world.citizens_count)
        for line in await _scaled(beside, world, plan, citizens or scale.CITIZENS[quick]):
            answer_line(line)
    else:
        work = await MEASURES[name](world, limits, plan)
        answer_line(await _measured(name, world, limits, work, plan))


async def _measured(name: str, world: World, limits: Limits, work: Work, plan: Plan) -> dict[str, Any]:
    rounds: list[Round] = []
    limit_rates: list[float] = []
    for _ in range(plan.rounds):
        job = {"seconds": plan.seconds, "items": await work.items()}
        if work.limit_by_load:
            bare = await _load({**_job(work), **job, "base": await limits.bare_url()}, None)
            limit_rates.append(bare.rate)
        else:
            limit_rates.append(await work.limit.rate(LIMIT_S))
        rounds.append(await _load({**_job(work), **job, "base": world.url}, world.product))
    best = max(rounds, key=lambda one: one.rate)
    return _line(name, work, best, max(limit_rates), n=sum(one.n for one in rounds))


async def _flooded(name: str, world: World, limits: Limits, plan: Plan) -> dict[str, Any]:
    work = await MEASURES[name](world, limits, plan)
    # Less than the machine can do: how long somebody waits is asked, not how many are served.
    job = {**_job(work), "connections": 2, "base": world.url, "seconds": plan.seconds * 2}
    kinds: dict[bool, list[Round]] = {False: [], True: []}
    answers = Counter[int]()
    for _ in range(plan.rounds):
        kinds[False].append(await _load({**job, "items": await work.items()}, None))
        items = await work.items()
        async with flood(world) as answered:
            kinds[True].append(await _load({**job, "items": items}, None))
        answers += answered
    quiet, flooded = (min(rounds, key=lambda one: one.p99_ms) for rounds in kinds.values())
    return flood_line(name, (quiet.median_ms, quiet.p99_ms), (flooded.median_ms, flooded.p99_ms), answers)


async def _beside_log(world: World, limits: Limits, plan: Plan) -> dict[str, Any]:
    work = await MEASURES[log.SLOWED](world, limits, plan)
    job = {**_job(work), "connections": 2, "base": world.url, "seconds": plan.seconds}
    alone, beside = list[float](), list[float]()
    async with log.writing(world.product), log.Worker.of(world.product) as worker:
        for _ in range(plan.rounds * log.ROUNDS_FOR_ONE):
            items = await work.items()
            with worker.stopped():
                alone.append((await _load({**job, "items": items}, None)).median_ms)
            items = await work.items()
            async with worker.following():
                beside.append((await _load({**job, "items": items}, None)).median_ms)
    return log.slowed_line(alone, beside, worker)


async def _scaled(small: World, large: World, plan: Plan, citizens: int) -> list[dict[str, Any]]:
    """Both have what a bench needs of its own; they are filled, and then measured in turn."""
    fewer = replace(plan, items_max=scale.ITEMS_MAX)
    works = {
        name: [(world, await MEASURES[name](world, Limits(world), fewer)) for world in (small, large)]
        for name in scale.MEASURED
    }
    filled = [
        await seed(world.product.environ["KHIZANA_OWNER_DATABASE_URL"], citizens=many, documents_each=scale.EACH)
        for world, many in ((small, scale.CITIZENS_OF_SMALL), (large, citizens))
    ]
    costs: dict[str, tuple[scale.Cost, scale.Cost]] = {}
    for name, pair in works.items():
        rounds: tuple[list[Round], list[Round]] = ([], [])
        for _ in range(plan.rounds * scale.ROUNDS_FOR_ONE):
            for (world, work), of in zip(pair, rounds, strict=True):
                job = {**_job(work), "connections": 2, "seconds": plan.seconds, "items": await work.items()}
                of.append(await _load({**job, "base": world.url}, world.product))
        costs[name] = (_least(rounds[0]), _least(rounds[1]))
    return scale.lines(costs, filled)


def _least(rounds: Sequence[Round]) -> scale.Cost:
    return scale.Cost(
        median_ms=min(one.median_ms for one in rounds),
        cpu_ms=min((one.spent.server_s + one.spent.database_s) / one.n for one in rounds) * 1000,
    )


async def _day_load(world: World, job: dict[str, Any]) -> tuple[dict[str, Any], Any]:
    return await _loaded({**job, "base": world.url}, world.product.spent)


def _job(work: Work) -> dict[str, Any]:
    return {
        "operation": work.operation,
        "connections": work.connections,
        "once": work.once,
        "warm_up": work.warm_up,
    }


async def _load(job: dict[str, Any], measured: Product | None) -> Round:
    said, spent = await _loaded(job, measured.spent if measured else None)
    return Round(
        n=said["n"],
        wall_s=said["wall_s"],
        median_ms=said["median_ms"],
        p99_ms=said["p99_ms"],
        load_cpu_s=said["load_cpu_s"],
        spent=spent or Spent(0, 0, 0, 0),
    )


async def _loaded(job: dict[str, Any], measured: Callable[[], Any] | None) -> tuple[dict[str, Any], Any]:
    """What the load said, and by how much ``measured`` grew meanwhile."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(LOAD),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(json.dumps(job).encode() + b"\n")
        await process.stdin.drain()
        ready = (await process.stdout.readline()).strip()
        if ready != b"ready":
            raise LoadFailed(ready.decode() or "the load ended")
        before = measured() if measured else None
        process.stdin.write(b"go\n")
        await process.stdin.drain()
        said = json.loads(await process.stdout.readline() or b'{"failed": "the load ended"}')
        spent = _grown(measured(), before) if measured else None
    finally:
        if process.returncode is None:
            process.stdin.close()
            try:
                await asyncio.wait_for(process.wait(), 5)
            except TimeoutError:
                process.kill()
                await process.wait()
    if "failed" in said or not said["n"]:
        raise LoadFailed(str(said))
    return said, spent


def _grown(after: Any, before: Any) -> Any:
    return after.since(before) if isinstance(after, Spent) else after - before


def _line(name: str, work: Work, best: Round, limit_rate: float, *, n: int) -> dict[str, Any]:
    def ms(seconds: float) -> float:
        return round(seconds / best.n * 1000, 3)

    return {
        "measure": name,
        "rate_per_s": round(best.rate, 1),
        "median_ms": round(best.median_ms, 2),
        "p99_ms": round(best.p99_ms, 2),
        "cpu_ms_per_op": ms(best.spent.server_s),
        "judges_cpu_ms_per_op": ms(best.spent.judges_s),
        "database_cpu_ms_per_op": ms(best.spent.database_s),
        "object_store_cpu_ms_per_op": ms(best.spent.object_store_s),
        "load_cpu_ms_per_op": ms(best.load_cpu_s),
        "connections": work.connections,
        "limit": work.limit.name,
        "limit_rate_per_s": round(limit_rate, 1),
        "ratio": round(best.rate / limit_rate, 3),
        "n": n,
        "note": work.note,
    }


async def _limits(world: World, limits: Limits) -> list[dict[str, Any]]:
    pdf = await world.pdf(PAPER)
    # The administration's client must be known before anybody judges for it.
    await world.clients()
    named: list[Limit] = [
        limits.commits(),
        limits.selects(),
        limits.es256_signatures(),
        limits.sha256_blocks(),
        limits.aes_gcm_blocks(),
        limits.argon2_hashes(),
        await limits.judgements([pdf], as_deposit=True),
        await limits.puts(PAPER),
        await limits.gets(PAPER),
    ]
    return list(_limit_lines([(one.name, await one.rate(LIMIT_S)) for one in named]))


def _limit_lines(rates: list[tuple[str, float]]) -> Iterator[dict[str, Any]]:
    for name, rate in rates:
        yield {"measure": "limit", "limit": name, "limit_rate_per_s": round(rate, 1)}
