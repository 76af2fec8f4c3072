"""A results day on one node: distinct small documents one request each, and as a batch, in one run on one product."""

import asyncio
import json
import os
import resource
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.measures import held
from bench.product import Spent, tree
from bench.world import MACHINE, TYPE, Citizen, Held, World, multipart
from khizana.deposit_batch import MANIFEST

DOCUMENT_BYTES = 20_000
DOCUMENTS, DOCUMENTS_QUICK = 400, 40
CONNECTIONS = 16
DAY = 1_000_000
HOUR_S = 3_600

Load = Callable[[dict[str, Any]], Awaitable[tuple[dict[str, Any], Any]]]


class BatchFailed(Exception):
    """The command did not deposit all of it."""


@dataclass(frozen=True)
class Cost:
    documents: int
    wall_s: float
    client_s: float
    spent: Spent
    judges_known: bool
    """Each judge ends after some hundreds of documents, and takes what it spent out of our sight."""


async def results_day(world: World, load: Load, *, quick: bool) -> list[dict[str, Any]]:
    """Two lines. Each way deposits documents that were never seen before: a judge remembers its verdicts."""
    documents = DOCUMENTS_QUICK if quick else DOCUMENTS
    machine, citizens = await world.machine(), await world.citizens()
    # The last few are for whoever needs to be started by a first document.
    folder = (await world.unseen(DOCUMENT_BYTES, 2 * documents + CONNECTIONS))[0].parent
    await asyncio.gather(
        *(
            world.deposit(citizens[0], folder / f"{2 * documents + number}.pdf", machine)
            for number in range(CONNECTIONS)
        )
    )
    singles = await _singles(world, folder, load, machine, citizens, documents)
    batch = await _batch(world, folder, citizens, documents)
    line = _line("results_day_singles", singles, f"one request each, {CONNECTIONS} connections")
    beside = _line("results_day_batch", batch, "khizana deposit --batch, its registration, results and CLI included")
    return [line, {**beside, "ratio": round(beside["rate_per_s"] / line["rate_per_s"], 3)}]


async def _singles(
    world: World, folder: Path, load: Load, machine: Held, citizens: list[Citizen], documents: int
) -> Cost:
    items = []
    for number in range(documents):
        citizen = citizens[number % len(citizens)]
        request = {"type": TYPE, "subject": {"uid": citizen.uid}, "fields": {"number": str(number)}}
        body = folder / f"{number}.multipart"
        body.write_bytes(multipart(json.dumps(request).encode(), (folder / f"{number}.pdf").read_bytes()))
        items.append(
            {
                "method": "POST",
                "path": "/v1/deposits",
                "status": 201,
                "headers": {"Content-Type": "multipart/form-data; boundary=khizana-bench-boundary"},
                "fresh_key": True,
                "body_file": str(body),
                "held": held(machine),
            }
        )
    job = {"operation": "request", "connections": CONNECTIONS, "once": True, "warm_up": 0, "seconds": 600}
    judges = _judges(world)
    said, spent = await load({**job, "items": items})
    return Cost(
        documents=said["n"],
        wall_s=said["wall_s"],
        client_s=said["load_cpu_s"],
        spent=spent,
        judges_known=judges == _judges(world),
    )


async def _batch(world: World, folder: Path, citizens: list[Citizen], documents: int) -> Cost:
    lines = [
        {
            "item": str(number),
            "file": f"{number}.pdf",
            "type": TYPE,
            "subject": {"uid": citizens[number % len(citizens)].uid},
            "fields": {"number": str(number)},
        }
        for number in range(documents, 2 * documents)
    ]
    (folder / MANIFEST).write_text("\n".join(json.dumps(line) for line in lines), encoding="utf-8")
    key, client = folder / "client.pem", (await world.clients())[MACHINE]
    assert client.key is not None
    key.write_bytes(client.key.pem())
    words = ["deposit", "--batch", str(folder), "--client-id", MACHINE, "--key", str(key)]
    judges = _judges(world)
    before, idle, began = world.product.spent(), resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "khizana", *words),
        env={**os.environ, **world.product.environ},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    wall_s, spent = time.monotonic() - began, world.product.spent().since(before)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    if process.returncode or json.loads(out)["states"] != {"deposited": documents}:
        raise BatchFailed((out + err).decode()[-1_000:])
    client_s = used.ru_utime + used.ru_stime - idle.ru_utime - idle.ru_stime
    return Cost(
        documents=documents, wall_s=wall_s, client_s=client_s, spent=spent, judges_known=judges == _judges(world)
    )


def _judges(world: World) -> set[int]:
    return {pid for worker in world.product.workers() for pid in tree(worker)[1:]}


def _line(name: str, cost: Cost, note: str) -> dict[str, Any]:
    def ms(seconds: float) -> float:
        return round(seconds / cost.documents * 1000, 3)

    rate = cost.documents / cost.wall_s
    spent = cost.spent
    return {
        "measure": name,
        "rate_per_s": round(rate, 1),
        "cpu_ms_per_document": ms(spent.server_s + spent.database_s + spent.object_store_s),
        "server_cpu_ms": ms(spent.server_s),
        "judges_of_that_cpu_ms": ms(spent.judges_s) if cost.judges_known else None,
        "database_cpu_ms": ms(spent.database_s),
        "object_store_cpu_ms": ms(spent.object_store_s),
        "client_cpu_ms": ms(cost.client_s),
        "nodes_for_a_million_in_an_hour": round(DAY / HOUR_S / rate, 2),
        "n": cost.documents,
        "note": f"{DOCUMENT_BYTES // 1000} kB, B-T, each another; {note}",
    }
